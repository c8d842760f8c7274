"""Takes connections for a gRPC server that closes them too early, and lets each end when its client has everything.

gRPC closes an aged or drained connection as soon as its last answer is written. What a client still sends by then,
be it only that it has read a part, comes to a closed socket, whose kernel resets the connection and throws away what
was not delivered: a slow reader loses an answer that the server takes for given. Known and open in gRPC
(grpc-java#9566, grpc-go#6019). Here that connection is one inside this machine, and the client's own ends in order.

A gRPC server that stops also cancels calls which it has received and not begun, and says when a connection shall end
only by an age that counts from its beginning. So the relay itself asks clients to connect anew before the server stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial

from predictor.sockets.frames import GOAWAY, Frames

_CHUNK_BYTES = 64 * 1024
# For a client to read what is in the kernels' buffers and to close its side.
_LAST_SECONDS = 5.0
# Where there is no descriptor left for another connection.
_FULL_SECONDS = 0.1


class Relay:
    """Carries bytes between clients and a server behind an abstract Unix socket, as they are.

    It works on sockets, not on asyncio's streams: there a failed write also ends the reading of what has come.

    Args:
        name: Of the server's socket, without the zero byte before it.
        client_seconds: How long a client may take to read on.
    """

    def __init__(self, name: str, client_seconds: float) -> None:
        self._name = name
        self._client_seconds = client_seconds
        self._accepting: asyncio.Task[None] | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self._retiring = asyncio.Event()
        self._last_seconds = 0.0

    def start(self, listener: socket.socket) -> None:
        """Accept connections on a socket that listens, and close it at the end."""
        listener.setblocking(False)  # noqa: FBT003  # socket's own
        self._accepting = asyncio.create_task(self._accept(listener))
        self._accepting.add_done_callback(lambda _: listener.close())

    def retire(self, last_seconds: float) -> None:
        """Ask each client to connect anew so many seconds from now, or from when it comes; no call is interrupted.

        What the server sends must be HTTP/2.
        """
        self._last_seconds = last_seconds
        self._retiring.set()

    async def stop(self) -> None:
        """Accept nothing new, and wait until every client has everything; the server behind must have stopped."""
        await self.stop_listening()
        if self._carried:
            await asyncio.wait(self._carried)

    async def stop_listening(self) -> None:
        """Accept nothing new; what is connected stays."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(_FULL_SECONDS)
                continue
            carried = asyncio.create_task(self._serve(client))
            self._carried.add(carried)
            carried.add_done_callback(self._carried.discard)

    async def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.setblocking(False)  # noqa: FBT003  # socket's own
            with contextlib.suppress(OSError, TimeoutError):  # one side has gone, or takes too long
                await asyncio.get_running_loop().sock_connect(server, f"\0{self._name}")
                await self._carry(client, server)

    async def _carry(self, client: socket.socket, server: socket.socket) -> None:
        answers = _Answers(server, client, self._client_seconds)
        beside = [asyncio.create_task(_copy(client, server)), asyncio.create_task(self._retire(client, answers))]
        try:
            await answers.carry()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        async with asyncio.timeout(_LAST_SECONDS):
            while await _received(client):  # for nobody: until the client, too, has closed its side
                pass

    async def _retire(self, client: socket.socket, answers: _Answers) -> None:
        await self._retiring.wait()
        await asyncio.sleep(self._last_seconds)
        try:
            await answers.send_away()
        except (OSError, TimeoutError):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # a part of a frame may be out, so nothing may follow


class _Answers:
    """All that one client gets."""

    def __init__(self, server: socket.socket, client: socket.socket, patience: float) -> None:
        self._server = server
        self._client = client
        self._patience = patience
        self._frames = Frames()
        self._sending = asyncio.Lock()
        self._goes_away = False

    async def carry(self) -> None:
        """Carry it, and then its end.

        Raises:
            OSError, TimeoutError: The client has gone, or took too long to read on.
        """
        while chunk := await self._next():
            async with self._sending:
                place = self._frames.follow(chunk)
                if self._goes_away and place is not None:
                    self._goes_away = False
                    chunk = chunk[:place] + GOAWAY + chunk[place:]
                await self._send(chunk)
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)

    async def _next(self) -> bytes:
        """Receive on; nothing at the end, which the kernel calls a reset where the server has left words unread."""
        try:
            return await _received(self._server)
        except ConnectionResetError:
            return b""

    async def send_away(self) -> None:
        """Ask the client to connect anew: now, or after the frame that is on its way."""
        async with self._sending:
            self._goes_away = not self._frames.between
            if self._frames.between:
                await self._send(GOAWAY)

    async def _send(self, chunk: bytes) -> None:
        async with asyncio.timeout(self._patience):
            await asyncio.get_running_loop().sock_sendall(self._client, chunk)


async def _copy(source: socket.socket, target: socket.socket) -> None:
    """Carry all bytes one way, and then their end; that of a side which has gone, too."""
    send = partial(asyncio.get_running_loop().sock_sendall, target)
    with contextlib.suppress(ConnectionError):
        while chunk := await _received(source):
            await send(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


async def _received(source: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(source, _CHUNK_BYTES)
