from __future__ import annotations

import contextvars
import io
import logging
import threading
from collections.abc import Iterator
from typing import Literal

import numpy as np
import orjson
import pytest

from predictor.serving.logs import REQUEST_ID, TRACE, configure_logging
from predictor.settings import Settings

KSERVES = ("kserve", "kserve.trace", "uvicorn", "uvicorn.error", "uvicorn.access")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's own; every test gives it back as it was."""
    loggers = [logging.getLogger(), *map(logging.getLogger, ("predictor", *KSERVES))]
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


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_line_has_the_trace_of_its_request_and_its_own_fields(
    monkeypatch: pytest.MonkeyPatch, log_format: Literal["json", "text"]
) -> None:
    stderr = configured(monkeypatch, io.StringIO(), log_format)
    token = TRACE.set({"trace_id": "abc", "span_id": "def"})

    logging.getLogger("predictor").info("served", extra={"fields": {"stages": {"swap": 0.5}, "code": "ok"}})
    TRACE.reset(token)
    logging.getLogger("predictor").info("served")

    first, second = stderr.getvalue().splitlines()
    if log_format == "json":
        assert orjson.loads(first).items() >= {"trace_id": "abc", "span_id": "def", "code": "ok"}.items()
        assert orjson.loads(first)["stages"] == {"swap": 0.5}
        assert "trace_id" not in second
    else:
        assert first.endswith('predictor: served stages={"swap":0.5} code="ok" trace_id="abc" span_id="def"')
        assert second.endswith("predictor: served")


def test_debugging_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's would tell what it reads in the tags of pictures."""
    stderr = configured(monkeypatch, io.StringIO(), log_level="debug")

    logging.getLogger("PIL.TiffImagePlugin").debug("tag: Artist (315) - value: b'somebody'")
    logging.getLogger("predictor.serving").debug("ours")

    assert [orjson.loads(line)["message"] for line in stderr.getvalue().splitlines()] == ["ours"]


def fail_with(words: str) -> None:
    raise ValueError(words)


LEAKS = {
    "base64": "A" * 300,
    "repr of bytes": repr(bytes(range(128, 256))),
    "an embedding": repr(np.linspace(-1, 1, 512)),
    "a list": repr([0.25, -1.5e-05] * 50),
}


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("leak", LEAKS)
def test_what_could_be_a_picture_or_an_embedding_is_not_told(
    monkeypatch: pytest.MonkeyPatch, log_format: Literal["json", "text"], leak: str
) -> None:
    stderr = configured(monkeypatch, io.StringIO(), log_format)

    try:
        fail_with(f"cannot use {LEAKS[leak]} here")
    except ValueError as error:
        logging.getLogger("predictor").exception("failed: %s", error)  # noqa: TRY401  # as a library would
        logging.getLogger("somebody").warning(LEAKS[leak])

    told = stderr.getvalue()
    assert told.count("cannot use") == 3  # the message, the line of the source, the exception
    assert all(LEAKS[leak][at : at + 40] not in told for at in range(0, len(LEAKS[leak]) - 40, 20))


def test_a_line_has_an_end_and_a_traceback_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = configured(monkeypatch, io.StringIO())

    def deep(depth: int) -> None:
        if depth == 0:
            raise ValueError("this is why")
        deep(depth - 1)

    try:
        deep(300)
    except ValueError:
        logging.getLogger("predictor").exception("word " * 10_000)

    assert len(stderr.getvalue()) < 25_000
    assert orjson.loads(stderr.getvalue())["traceback"].endswith("ValueError: this is why")
