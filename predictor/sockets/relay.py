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

from predictor.sockets.frames import GOAWAY, Frames
from predictor.sockets.pipe import Pipe

_LAST_BYTES = 64 * 1024
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
        self._last_seconds: float | None = None
        self._answers: set[_Answers] = set()

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
        for answers in self._answers:
            answers.send_away_after(last_seconds)

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
        # One side has gone, or takes too long; or there is no descriptor left.
        with client, contextlib.suppress(OSError, TimeoutError), socket.socket(socket.AF_UNIX) as server:
            server.setblocking(False)  # noqa: FBT003  # socket's own
            await asyncio.get_running_loop().sock_connect(server, f"\0{self._name}")
            await self._carry(client, server)

    async def _carry(self, client: socket.socket, server: socket.socket) -> None:
        questions, answers = Pipe(client, server), _Answers(server, client, self._client_seconds)
        questions.ended.add_done_callback(lambda _: _end_sending(server))
        self._answers.add(answers)
        if self._last_seconds is not None:
            answers.send_away_after(self._last_seconds)
        try:
            delivered = await answers.ended
        finally:
            self._answers.discard(answers)
            answers.stop()
            questions.stop()
        if delivered:
            _end_sending(client)
            async with asyncio.timeout(_LAST_SECONDS):
                while await asyncio.get_running_loop().sock_recv(client, _LAST_BYTES):
                    pass  # for nobody: until the client, too, has closed its side


class _Answers(Pipe):
    """All that one client gets."""

    def __init__(self, server: socket.socket, client: socket.socket, patience_seconds: float) -> None:
        super().__init__(server, client, patience_seconds)
        self._frames = Frames()
        self._goes_away = False
        self._going: asyncio.TimerHandle | None = None

    def passing(self, part: bytes) -> bytes:
        """Return a part, and in it the request to connect anew, if that is due and has a place there."""
        place = self._frames.follow(part)
        if not self._goes_away or place is None:
            return part
        self._goes_away = False
        return part[:place] + GOAWAY + part[place:]

    def send_away_after(self, seconds: float) -> None:
        """Ask the client to connect anew, so many seconds from now or after the frame that is then on its way."""
        self._going = asyncio.get_running_loop().call_later(seconds, self._send_away)

    def stop(self) -> None:
        """Carry nothing any more."""
        if self._going is not None:
            self._going.cancel()
        super().stop()

    def _send_away(self) -> None:
        self._goes_away = not self._frames.between
        if self._frames.between:
            self.put(GOAWAY)


def _end_sending(target: socket.socket) -> None:
    """Say that nothing more comes."""
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
