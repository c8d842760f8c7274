"""What is no HTTP at all: bytes that uvicorn's parser gives up on are refused in our words, with an id."""

from __future__ import annotations

import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from predictor.errors import InvalidField
from predictor.serving.logs import REQUEST_ID
from predictor.serving.middleware import error_response, request_id_of

_log = logging.getLogger("predictor.access")


class Http(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, but for its answer in plain text to bytes that are none; the connection ends there."""

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that cannot be read as a request."""
        request_id = request_id_of(None)
        answer = error_response(InvalidField("", "the bytes are not an HTTP request"))
        headers = [*answer.raw_headers, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in headers), b"", answer.body]
        REQUEST_ID.set(request_id)
        _log.info("%s 400", msg)
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()
