from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from predictor.client import demo
from predictor.client.calls import Swapped
from predictor.client.contact_sheet import Panel, Row
from predictor.client.server_process import ServerDidNotStart

if TYPE_CHECKING:
    from pathlib import Path


def _picture(image_format: str) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (64, 64)).save(encoded, image_format)
    return encoded.getvalue()


def _rows() -> list[Row]:
    panels = [Panel(_picture(image_format), "a caption") for image_format in ("PNG", "JPEG", "PNG")]
    return [Row("a row", panel, panel, panel) for panel in panels]


def _measured(*pictures: bytes) -> list[demo.Measured]:
    return [demo.Measured(f"protocol {n}", [Swapped("a", each)], 12.5) for n, each in enumerate(pictures)]


def test_the_pictures_the_sheet_and_a_table_are_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = demo.report(tmp_path, _measured(b"same", b"same"), _rows())

    printed = capsys.readouterr().out
    written = sorted(tmp_path.iterdir())
    assert exit_code == 0
    assert [path.suffix for path in written] == [".png", ".jpg", ".png", ".png"]
    assert tmp_path / "contact_sheet.png" in written
    assert [path for path in written if str(path) not in printed] == []


def test_protocols_that_disagree_fail_the_demo_and_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = demo.report(tmp_path, _measured(b"same", b"other"), _rows())

    lines = capsys.readouterr().out.splitlines()
    assert exit_code == 1
    assert [line.split()[-1] for line in lines if line.startswith("protocol ")][1:] == ["yes", "NO"]


def test_a_server_that_does_not_start_is_one_message_and_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Path) -> int:
        raise ServerDidNotStart("it ended with exit code 3", None)

    monkeypatch.setattr(demo, "_run", fails)

    exit_code = demo.main(["--output", str(tmp_path)])

    assert exit_code == 1
    assert capsys.readouterr().err == "the predictor did not start: it ended with exit code 3\n"
