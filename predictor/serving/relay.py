"""Takes connections for a server that closes them too early, and lets each end when its client has everything.

gRPC closes an aged or drained connection as soon as its last answer is written. What a client still sends by then,
be it only that it has read a part, comes to a closed socket, whose kernel resets the connection and throws away what
was not delivered: a slow reader loses an answer that the server takes for given. Known and open in gRPC
(grpc-java#9566, grpc-go#6019). Here that connection is one inside this machine, and the client's own ends in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_CHUNK_BYTES = 256 * 1024
# For a client to read what is in the kernels' buffers and to close its side.
_LAST_SECONDS = 5.0


class Relay:
    """Carries bytes between clients and a server behind an abstract Unix socket, as they are.

    Args:
        name: Of the server's socket, without the zero byte before it.
        client_seconds: How long a client may take to read on.
    """

    def __init__(self, name: str, client_seconds: float) -> None:
        self._name = name
        self._client_seconds = client_seconds
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a socket that listens."""
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=_CHUNK_BYTES)

    async def stop(self) -> None:
        """Accept nothing new, and wait until every client has everything; the server behind must have stopped."""
        self.stop_listening()
        if self._carried:
            await asyncio.wait(self._carried)

    def stop_listening(self) -> None:
        """Accept nothing new; what is connected stays."""
        if self._server is not None:
            self._server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried = asyncio.create_task(self._serve(reader, writer))
        self._carried.add(carried)
        carried.add_done_callback(self._carried.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._carry(reader, writer)
        except TimeoutError:
            writer.transport.abort()
        except OSError:  # one side has gone
            pass
        finally:
            await _closed(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_unix_connection(f"\0{self._name}", limit=_CHUNK_BYTES)
        asking = asyncio.create_task(_copy(reader, questions))
        try:
            await _copy(answers, writer, self._client_seconds)
        finally:
            asking.cancel()
            await asyncio.wait({asking})
            await _closed(questions)
        async with asyncio.timeout(_LAST_SECONDS):
            while await reader.read(_CHUNK_BYTES):  # for nobody: until the client, too, has closed its side
                pass


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection; who does not take what is left for it is not waited for."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LAST_SECONDS):
            await writer.wait_closed()
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float | None = None) -> None:
    """Carry all bytes one way, and then their end; that of a side which has gone, too.

    Args:
        reader: Of the one side.
        writer: Of the other.
        patience: Seconds that the other side may take to read on.

    Raises:
        TimeoutError: It did not.
    """
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            async with asyncio.timeout(patience):
                await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
