"""What Ray's proxy and our entrance tell each other; and what a gRPC servicer knows of a call, told by that proxy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc
    from ray.serve.grpc_util import RayServegRPCContext

SIGNATURE = (b"x-from-entrance", b"1")
"""The header that tells the proxy an answer of ours from one of Ray's; it goes no further."""
METHOD, REMAINING = "x-grpc-method", "x-remaining-seconds"
"""The metadata by which the proxy tells which method was called and how long its client waits: Ray tells neither."""


class CallAborted(Exception):
    """The call has its code and its sentence; nothing more is to be done for it."""


class CallContext:
    """The part of `grpc.aio.ServicerContext` that our servicer uses, over Ray's own context.

    Args:
        given: Ray's, which travels back to the proxy with the answer.
    """

    def __init__(self, given: RayServegRPCContext) -> None:
        self._given = given
        told = dict(given.invocation_metadata())
        self.method = str(told[METHOD])
        """`/package.Service/Method`."""
        self._until = time.monotonic() + float(told[REMAINING]) if REMAINING in told else None
        self._metadata = tuple(pair for pair in given.invocation_metadata() if pair[0] not in (METHOD, REMAINING))

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """Return what the client sent."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Return seconds until the client's deadline; None where it has none."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def set_trailing_metadata(self, trailers: Sequence[tuple[str, str]]) -> None:
        """Set what goes out behind the answer."""
        self._given.set_trailing_metadata(list(trailers))

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, str]] = ()
    ) -> NoReturn:
        """End the call with a code and a sentence.

        Raises:
            CallAborted: Always.
        """
        self._given.set_code(code)
        self._given.set_details(details)
        self.set_trailing_metadata(trailing_metadata)
        raise CallAborted
