from __future__ import annotations

import contextvars
import io
import logging
import threading
from collections.abc import Iterator
from typing import Literal

import orjson
import pytest

from predictor.serving.logs import REQUEST_ID, configure_logging
from predictor.settings import Settings

KSERVES = ("kserve", "kserve.trace", "uvicorn", "uvicorn.error", "uvicorn.access")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's own; every test gives it back as it was."""
    loggers = [logging.getLogger(), *map(logging.getLogger, KSERVES)]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    token = REQUEST_ID.set("-")
    yield
    REQUEST_ID.reset(token)
    logging.captureWarnings(capture=False)
    for one, handlers, level, propagate in before:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def configured(
    monkeypatch: pytest.MonkeyPatch,
    stderr: io.StringIO,
    log_format: Literal["auto", "json", "text"] = "auto",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> io.StringIO:
    monkeypatch.setattr("sys.stderr", stderr)
    configure_logging(Settings(log_format=log_format, log_level=log_level))
    return stderr


def test_a_line_in_a_container_is_a_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO())

    logging.getLogger("predictor.loader").info("recipe %s is warm\nindeed", "embedded")

    (line,) = stderr.getvalue().splitlines()
    record = orjson.loads(line)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "level": "info",
        "logger": "predictor.loader",
        "request_id": "-",
        "message": "recipe embedded is warm\nindeed",
    }


def test_an_exception_stands_in_the_same_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO(), "json")

    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logging.getLogger("predictor").exception("failed")

    (line,) = stderr.getvalue().splitlines()
    assert orjson.loads(line)["traceback"].endswith("ZeroDivisionError: integer division or modulo by zero")


@pytest.mark.parametrize(
    ("stderr", "log_format", "is_json"),
    [
        (Terminal(), "auto", False),
        (Terminal(), "json", True),
        (io.StringIO(), "text", False),
        (io.StringIO(), "auto", True),
    ],
    ids=["terminal", "terminal, json", "container, text", "container"],
)
def test_lines_are_text_on_a_terminal_and_json_in_a_container_unless_the_operator_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    stderr: io.StringIO,
    log_format: Literal["auto", "json", "text"],
    *,
    is_json: bool,
) -> None:
    configured(monkeypatch, stderr, log_format)

    logging.getLogger("predictor").warning("hello")

    line = stderr.getvalue()
    assert line.startswith("{") is is_json
    assert "hello" in line


def test_lines_below_the_level_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO(), log_level="warning")

    logging.getLogger("predictor").info("too quiet")

    assert stderr.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_lines_of_a_thread_carry_the_id_of_its_request(
    monkeypatch: pytest.MonkeyPatch, log_format: Literal["json", "text"]
) -> None:
    stderr = configured(monkeypatch, io.StringIO(), log_format)
    REQUEST_ID.set("request-42")
    context = contextvars.copy_context()

    thread = threading.Thread(target=context.run, args=(logging.getLogger("predictor").info, "in a thread"))
    thread.start()
    thread.join()

    assert "request-42" in stderr.getvalue()


def test_kserves_and_uvicorns_lines_take_the_same_form_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO())

    logging.getLogger("kserve").warning("from KServe")
    logging.getLogger("uvicorn.error").info("from uvicorn")

    messages = [orjson.loads(line)["message"] for line in stderr.getvalue().splitlines()]
    assert messages == ["from KServe", "from uvicorn"]


def test_timings_and_access_lines_of_kserve_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO())

    logging.getLogger("kserve.trace").info("predict took 1 ms")
    logging.getLogger("uvicorn.access").info("GET / 200")

    assert stderr.getvalue() == ""
