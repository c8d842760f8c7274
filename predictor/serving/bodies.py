"""Bodies on their way: read up to the limit and no further, sent in slices as their clients make room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from predictor.errors import BodyTooSlow, ClientGone
from predictor.serving.limits import check_request_bytes

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from predictor.job import Job
    from predictor.serving.dataplane import Lifecycle

_SLICE_BYTES = 256 * 1024


async def read_body(request: Request, job: Job, limit_bytes: int, client_seconds: float) -> bytes:
    """Read the body of a request; a length that is over the limit is refused before the first byte is read.

    Args:
        request: Whose body it is.
        job: Whose time this is.
        limit_bytes: The most that is read.
        client_seconds: How long nothing of it may come.

    Raises:
        RequestTooLarge: It is over the limit.
        DeadlineExceeded: The deadline passed before its end, or nothing of it came any more.
        ClientGone: The client hung up before its end.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit():
        check_request_bytes(int(length), limit_bytes)
    parts, total = [], 0
    try:
        async with asyncio.timeout(None) as silence:
            silence.reschedule(_end_of_patience(job, client_seconds))
            async for part in request.stream():
                silence.reschedule(_end_of_patience(job, client_seconds))
                total += len(part)
                check_request_bytes(total, limit_bytes)
                parts.append(part)
    except TimeoutError:
        job.check()
        raise BodyTooSlow(client_seconds) from None
    except ClientDisconnect:
        raise ClientGone("the body did") from None
    # Some tens of milliseconds for many megabytes, in which a thread leaves the event loop alone.
    return await asyncio.to_thread(b"".join, parts) if total > _SLICE_BYTES else b"".join(parts)


def _end_of_patience(job: Job, seconds: float) -> float:
    remaining = job.remaining_seconds
    return asyncio.get_running_loop().time() + (seconds if remaining is None else min(seconds, remaining))


class SlicedResponse(Response):
    """An answer that is sent slice by slice: no large write keeps the event loop, and no second copy of it is made.

    Args:
        content: The body.
        lifecycle: Counts it while it is on its way.
    """

    def __init__(self, content: bytes, lifecycle: Lifecycle, **options: Any) -> None:  # noqa: ANN401  # Response's own
        super().__init__(content, **options)
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        """Send it."""
        self._lifecycle.sending += 1
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            body = memoryview(self.body)
            for begin in range(0, len(body), _SLICE_BYTES):
                part = body[begin : begin + _SLICE_BYTES]
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})  # waits until the client has taken nearly all of it
        finally:
            self._lifecycle.sending -= 1
