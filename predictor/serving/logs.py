"""Log lines, as JSON in a container and as text on a terminal, each with its request's id. No pictures, ever."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from predictor.settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that the current task or thread works for."""


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": record.request_id,  # type: ignore[attr-defined]  # the filter below puts it there
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure_logging(settings: Settings) -> None:
    """Send every log line of this process to stderr in one form; KServe's own configuration is left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(
        _JsonFormatter()
        if as_json
        else logging.Formatter("%(asctime)s %(levelname)-7s %(request_id)s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        # One handler that does nothing keeps KServe from configuring what has none.
        logger.handlers = [logging.NullHandler()]
        logger.propagate = True
    # Said better, with the request's id, by our own access line; KServe would log each gRPC method and each timing.
    for name in ("uvicorn.access", "kserve", "kserve.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    return True
