"""Around every REST request: its id, its log line, and an answer whatever happens, so that the connection lives.

KServe answers an unexpected exception with its text and drops the connection, so that the next, innocent request on
it fails (trap T2). Nothing gets past this middleware.
"""

from __future__ import annotations

import logging
import math
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
from starlette.responses import Response

from predictor.errors import PredictorError
from predictor.job import code_of
from predictor.serving.access import ACCESS, Access
from predictor.serving.edges import rest_request
from predictor.serving.statuses import STATUSES, body_of, headers_of
from predictor.serving.tracing import NO_TRACING, Tracing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from predictor.serving.dataplane import Lifecycle

_log = logging.getLogger("predictor.access")
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SOON_READ_BYTES = 1024 * 1024
"""A body of which no more is missing is read and thrown away, so that its connection lives."""


def request_id_of(given: str | None) -> str:
    """Return the id a client gave, or a new one where it gave none or no valid one."""
    return given if given is not None and _VALID_ID.fullmatch(given) else str(uuid.uuid4())


class RequestMiddleware:
    """Pure ASGI, outermost of all that is ours.

    Args:
        app: What it stands around.
        lifecycle: Tells whether connections are to be closed.
        tracing: What traces requests, probes left out.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, tracing: Tracing = NO_TRACING) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(_header(scope, b"x-request-id"))
        path = quote(scope["path"], safe="/:")  # so that nobody can write a log line of his own
        body = _Body(scope, receive)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                ACCESS.get().answers(message["status"])
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                # While draining a client may reuse the connection until the listener closes: the next call goes
                # elsewhere. Where much of a body is still to come, its client had better stop sending.
                if self._lifecycle.draining or body.missing_bytes > _SOON_READ_BYTES:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        with rest_request(self._tracing, scope, path, request_id) as access:
            try:
                await self._app(scope, body.receive, send_with_id)
            except Exception:  # noqa: BLE001  # the last stop: logged with its cause, told without it
                _log.exception("%s %s failed", scope["method"], path)
                if access.status is None:
                    await error_response(PredictorError(""))(scope, receive, send_with_id)


def error_response(error: PredictorError) -> Response:
    """Return the answer to an error, whose code the access line has too."""
    ACCESS.get(Access()).code = code_of(error)
    status = int(STATUSES[error.code].http)
    return Response(orjson.dumps(body_of(error)), status, headers_of(error), media_type="application/json")


class _Body:
    """How much of a request's body has not come yet."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        announced = _header(scope, b"content-length") or "0"
        chunked = _header(scope, b"transfer-encoding") is not None
        self._receive = receive
        self.missing_bytes = math.inf if chunked else int(announced) if announced.isdigit() else 0
        """Infinity where nobody says."""

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.missing_bytes -= len(message.get("body", b""))
            if not message.get("more_body", False):
                self.missing_bytes = 0
        return message


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None
