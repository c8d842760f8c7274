"""Carries bytes one way between two sockets, as they come, with one call of the kernel for each part and each side.

asyncio's `sock_recv` and `sock_sendall` make a future for every part, begin to watch the socket and end it again; here
a socket is watched for as long as it is its turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_PART_BYTES = 64 * 1024


class Pipe:
    """Carries all that one socket receives to another, until it has ended, or the other does not take it.

    Reads on only when the other side has taken everything. Both sockets must not block, and stay open until `stop`.

    Args:
        source: Where bytes come from; one that breaks off has ended.
        target: Where they go.
        patience_seconds: How long the target may take over one part; None: as long as it likes.
    """

    def __init__(self, source: socket.socket, target: socket.socket, patience_seconds: float | None = None) -> None:
        self._source = source
        self._target = target
        self._patience_seconds = patience_seconds
        self._left = memoryview(b"")
        self._patience: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[bool] = self._loop.create_future()
        """Whether the target has taken everything, once no more comes."""
        self._loop.add_reader(source, self._read)

    def passing(self, part: bytes) -> bytes:
        """Return what goes on of a part that has come: here all of it."""
        return part

    def put(self, part: bytes) -> None:
        """Let the target have a part that is not of the source, after all that has come of it."""
        if self.ended.done():
            return
        if self._left:
            self._left = memoryview(bytes(self._left) + part)
        else:
            self._send(part)

    def stop(self) -> None:
        """Carry nothing any more."""
        self._end(delivered=False)

    def _read(self) -> None:
        try:
            part = self._source.recv(_PART_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if part:
            self._send(self.passing(part))
        else:
            self._end(delivered=True)

    def _send(self, part: bytes) -> None:
        self._left = memoryview(part)
        self._go_on()
        if self._left and not self.ended.done():
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._target, self._write)
            if self._patience_seconds is not None:
                self._patience = self._loop.call_later(self._patience_seconds, self.stop)

    def _write(self) -> None:
        self._go_on()
        if not self._left and not self.ended.done():
            self._await_nobody()
            self._loop.add_reader(self._source, self._read)

    def _go_on(self) -> None:
        """Give the target of what is left as much as it takes now."""
        try:
            self._left = self._left[self._target.send(self._left) :]
        except BlockingIOError:
            pass
        except OSError:
            self._end(delivered=False)

    def _await_nobody(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._loop.remove_writer(self._target)

    def _end(self, *, delivered: bool) -> None:
        self._loop.remove_reader(self._source)
        self._await_nobody()
        if not self.ended.done():  # nor cancelled, with a task that waited for it
            self.ended.set_result(delivered)
