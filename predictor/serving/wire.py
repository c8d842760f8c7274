"""HTTP/1.1 below the application: bytes that are none, clients that keep the server waiting, answers nobody reads.

Uvicorn waits for ever for a head that never ends, for the rest of a body that was answered already, and for a client
that reads nothing; and where it closes a connection on which a body is still arriving, the system tells the client so
by a reset that can overtake the answer.
"""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from predictor.errors import InvalidField, RequestTooLarge
from predictor.serving.logs import REQUEST_ID
from predictor.serving.middleware import error_response, request_id_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from predictor.errors import PredictorError

_log = logging.getLogger("predictor.access")
_LONGEST_HEAD_BYTES = 64 * 1024
_LINGER_SECONDS = 5.0
"""For a client that is still sending to find the answer before the connection ends."""


class Http(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, in which a client that keeps the server waiting loses its connection.

    Args:
        client_seconds: How long a client may take for the head of a request, for what is left of a body that was
            answered already, and for making room for the next part of an answer.
    """

    def __init__(self, *args: Any, client_seconds: float, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._client_seconds = client_seconds
        self._owing, self._reading = _Timer(self.loop), _Timer(self.loop)
        self._in_head = False
        self._head_bytes = 0
        self._filling_bytes = 0
        self._body_came = False
        self._request_has_ended = True
        self._lingers = False

    @classmethod
    def patient_for(cls, client_seconds: float) -> Callable[..., Http]:
        """Return what makes one for each connection."""
        return partial(cls, client_seconds=client_seconds)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._owing.stop()
        self._reading.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read; what follows the last answer of a connection is not looked at."""
        if self._lingers:
            return
        self._body_came = False
        super().data_received(data)
        if not self._lingers and not self.transport.is_closing():
            self._count(len(data))
        self._watch()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head, self._request_has_ended = True, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head; those behind a chunked body are for nobody."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_came = True
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Note that a head has ended; its answer closes the connection by our rule."""
        self._in_head = False
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _AnswersOn(self))

    def on_message_complete(self) -> None:
        """Note that a request has ended."""
        self._request_has_ended = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, but for a connection that is about to end."""
        if not self._lingers:
            super().on_response_complete()
            self._watch()

    def pause_writing(self) -> None:
        """Give the client a while to read a part of its answer."""
        super().pause_writing()
        self._reading.start(self._client_seconds, lambda: self._give_up("an answer that nobody reads"))

    def resume_writing(self) -> None:
        """Send on."""
        self._reading.stop()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that cannot be read as a request."""
        self._refuse(InvalidField("", "the bytes are not an HTTP request"), msg)

    def close_after_answer(self) -> None:
        """Close the connection; where its client is still sending, so late that it finds the answer first."""
        if self._request_has_ended or self.transport.is_closing():
            self.transport.close()
            return
        self._lingers = True
        self.flow.resume_reading()  # what comes is thrown away
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._owing.stop()
        self._owing.start(_LINGER_SECONDS, self.transport.abort)

    def _watch(self) -> None:
        """Keep time whenever it is the client's turn: uvicorn's own timer runs only between an answer and a first byte.

        The time is not begun anew with each byte, so that nobody gains by sending one now and then.
        """
        if self._lingers:
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            self._owing.stop()
        elif not self._owing.runs:
            self._owing.start(self._client_seconds, lambda: self._give_up("a request that does not come"))

    def _count(self, received_bytes: int) -> None:
        """Bound what has no end of its own: a head, and behind or between the chunks of a body what is none of it."""
        self._head_bytes = self._head_bytes + received_bytes if self._in_head else 0
        filling = not (self._in_head or self._request_has_ended or self._body_came)
        self._filling_bytes = self._filling_bytes + received_bytes if filling else 0
        if self._head_bytes > _LONGEST_HEAD_BYTES:
            self._refuse(RequestTooLarge(self._head_bytes, _LONGEST_HEAD_BYTES), "a head without end")
        elif self._filling_bytes > _LONGEST_HEAD_BYTES:
            _log.info("a body without end or content: connection closed")
            self.transport.abort()

    def _give_up(self, what: str) -> None:
        _log.info("%s: connection closed after %g s", what, self._client_seconds)
        self.transport.abort()

    def _refuse(self, error: PredictorError, cause: str) -> None:
        request_id = request_id_of(None)
        answer = error_response(error)
        headers = [*answer.raw_headers, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
        phrase = HTTPStatus(answer.status_code).phrase
        lines = [f"HTTP/1.1 {answer.status_code} {phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        REQUEST_ID.set(request_id)
        _log.info("%s %d", cause, answer.status_code)
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.close_after_answer()


class _AnswersOn:
    """What the answer to one request sees of its connection."""

    def __init__(self, connection: Http) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.close_after_answer()


class _Timer:
    """Does something once, later, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, then: Callable[[], object]) -> None:
        self._handle = self._loop.call_later(seconds, then)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
