from __future__ import annotations

import sys

import pytest

from predictor.weights.progress import ProgressBar


class Terminal:
    """A stderr that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def pulled(bar: ProgressBar) -> None:
    with bar:
        bar.advanced(1)  # nothing was started: nothing happens
        bar.started("net.onnx", 100, 1000)
        bar.advanced(400)
        bar.said("net.onnx: a line")
        bar.started("net.onnx", 500, 1000)
        bar.advanced(500)


def test_a_terminal_shows_a_bar_that_begins_where_the_file_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    pulled(ProgressBar())

    assert "net.onnx:  10%|" in terminal.text
    assert "net.onnx:  50%|" in terminal.text
    assert "net.onnx: a line\n" in terminal.text


def test_a_log_shows_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pulled(ProgressBar())

    assert capsys.readouterr() == ("", "net.onnx: a line\n")
