"""Log lines, as JSON in a container and as text on a terminal, each with its request's id. No pictures, ever.

Nothing of ours says more of a picture than its name and size. Three rules hold for what libraries and exceptions say:
other packages' own debugging is left out at any level (Pillow's tells the bytes of tags); a run of more than 200
characters without a space, as base64 would be, or of fewer with the escapes of bytes, is told by its length; and a row
of numbers, as an embedding would be, is told as such.
"""

from __future__ import annotations

import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from predictor.settings import Settings

    _ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that the current task or thread works for."""
TRACE: ContextVar[Mapping[str, str]] = ContextVar("trace", default={})  # noqa: B039  # never written to
"""`trace_id` and `span_id` of that request, where it is traced."""
_OURS = "predictor"
_LONGEST_WORD = 200
_WORDS = re.compile(r"\S{20,}")
_FEWEST_ESCAPES = 4
_NUMBERS = re.compile(r"(?:[-+]?\d+\.\d*(?:e[-+]?\d+)?[\s,\[\]]+){8,}")
_LONGEST_MESSAGE = 4096
_LONGEST_TRACEBACK = 16384


class _Formatter(logging.Formatter):
    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802  # logging's
        return _bounded(super().formatException(ei))[-_LONGEST_TRACEBACK:]  # what failed stands at the end


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": record.request_id,  # type: ignore[attr-defined]  # the filter below puts it there
            **record.trace,  # type: ignore[attr-defined]
            "message": _bounded(record.getMessage())[:_LONGEST_MESSAGE],
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


class _TextFormatter(_Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's
        fields = {**getattr(record, "fields", {}), **record.trace}  # type: ignore[attr-defined]
        told = "".join(f" {name}={orjson.dumps(value).decode()}" for name, value in fields.items())
        return _bounded(super().formatMessage(record))[:_LONGEST_MESSAGE] + told


def configure_logging(settings: Settings) -> None:
    """Send every log line of this process to stderr in one form; KServe's own configuration is left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger(_OURS).setLevel(level)
    logging.captureWarnings(capture=True)
    for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        # One handler that does nothing keeps KServe from configuring what has none.
        logger.handlers = [logging.NullHandler()]
        logger.propagate = True
    # Said better, with the request's id, by our own access line; KServe would log each gRPC method and each timing.
    for name in ("uvicorn.access", "kserve", "kserve.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_request(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    record.trace = TRACE.get()
    return True


def _bounded(text: str) -> str:
    """Return a text without words so long that they could be a picture, and without rows of numbers."""
    return _NUMBERS.sub("(numbers) ", _WORDS.sub(_told, text))


def _told(word: re.Match[str]) -> str:
    text = word[0]
    is_data = len(text) > _LONGEST_WORD or text.count("\\x") >= _FEWEST_ESCAPES
    return f"({len(text)} characters)" if is_data else text
