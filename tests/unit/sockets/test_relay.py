from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace
from uuid import uuid4

import pytest

from predictor.sockets import relay as relay_module
from predictor.sockets.frames import GOAWAY
from predictor.sockets.relay import Relay

ANSWER = bytes(range(256)) * 16 * 1024  # 4 MiB: more than the kernels' buffers hold
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Stage:
    """A relay on a port of its own before a server that behaves as told."""

    def __init__(self, client_seconds: float = 20.0) -> None:
        self.name = f"relay-{uuid4()}"
        self.relay = Relay(self.name, client_seconds)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.behind: asyncio.Server | None = None

    async def start(self, behave: Behaviour) -> None:
        self.behind = await asyncio.start_unix_server(behave, f"\0{self.name}")
        self.relay.start(self.listener)

    async def end(self) -> None:
        await asyncio.wait_for(self.relay.stop(), 5)
        if self.behind is not None:
            self.behind.close()

    async def call(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address, limit=1024)


async def hang_up_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer, and close with words of the client unread: its kernel resets what is not delivered."""
    with suppress(ConnectionError):
        await reader.read(1)
        writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def talk_and_read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    got = b""
    while part := await reader.read(64 * 1024):
        got += part
        if not writer.is_closing():
            writer.write(b"i have read on")
        await asyncio.sleep(0.001)
    await gone(writer)
    return got


async def read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(64 * 1024):
        pass


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_client_that_still_talks_gets_the_whole_answer_of_a_server_that_has_hung_up() -> None:
    stage = Stage()
    await stage.start(hang_up_early)

    reader, writer = await stage.call()
    writer.write(b"what?")

    assert await talk_and_read_slowly(reader, writer) == ANSWER
    await stage.end()


async def test_an_answer_that_waits_for_its_reader_outlives_words_to_a_server_that_has_hung_up() -> None:
    stage = Stage()
    stage.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that most of it stays behind the relay
    hung_up = asyncio.Event()

    async def answer_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hang_up_early(reader, writer)
        hung_up.set()

    await stage.start(answer_and_hang_up)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)  # noqa: FBT003  # socket's own
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, stage.address)
    reader, writer = await asyncio.open_connection(sock=client, limit=1024)
    writer.write(b"what?")
    got = b""
    while not hung_up.is_set():
        got += await reader.read(64 * 1024)

    for _ in range(3):
        writer.write(b"i am reading")
        await asyncio.sleep(0.02)

    assert got + await reader.read(-1) == ANSWER
    await gone(writer)
    await stage.end()


async def test_an_answer_of_a_server_that_closes_with_words_unread_ends_as_any_other() -> None:
    stage, loop = Stage(), asyncio.get_running_loop()
    behind = socket.socket(socket.AF_UNIX)
    behind.bind(f"\0{stage.name}")
    behind.listen()
    behind.setblocking(False)  # noqa: FBT003  # socket's own

    async def answer() -> None:
        server, _ = await loop.sock_accept(behind)
        with server:
            await loop.sock_recv(server, 1)
            await loop.sock_sendall(server, ANSWER)

    answering = asyncio.create_task(answer())
    stage.relay.start(stage.listener)
    reader, writer = await stage.call()
    writer.write(b"what?")

    assert await talk_and_read_slowly(reader, writer) == ANSWER
    await answering
    await stage.end()
    behind.close()


async def test_questions_and_their_end_come_through_as_they_are() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read(-1))
        writer.write(b"thanks")
        writer.close()

    stage = Stage()
    await stage.start(listen)
    reader, writer = await stage.call()

    writer.write(ANSWER)
    writer.write_eof()

    assert await heard == ANSWER
    assert await reader.read(-1) == b"thanks"
    await gone(writer)
    await stage.end()


async def test_a_client_that_resets_its_connection_is_gone_for_the_server_too() -> None:
    ended = asyncio.get_running_loop().create_future()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            ended.set_result(await reader.read(-1))
        writer.close()

    stage = Stage()
    await stage.start(wait_for_the_end)
    _, writer = await stage.call()
    writer.write(b"a word")
    await writer.drain()

    writer.transport.abort()

    assert await asyncio.wait_for(ended, 5) in {b"a word", b""}
    await gone(writer)
    await stage.end()


async def test_a_client_that_reads_nothing_is_left() -> None:
    async def say_much(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:  # until the buffers of all kernels are full
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    stage = Stage(client_seconds=0.05)
    await stage.start(say_much)
    reader, writer = await stage.call()

    await asyncio.sleep(0.01)
    await stage.end()

    await read_all(reader)  # to the end that it now has
    await gone(writer)


async def test_a_client_that_never_closes_its_side_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_LAST_SECONDS", 0.05)
    stage = Stage()

    async def say_little(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"done")
        writer.close()

    await stage.start(say_little)
    reader, writer = await stage.call()

    assert await reader.read(-1) == b"done"
    await stage.end()

    await gone(writer)


async def test_without_a_server_behind_connections_end_at_once() -> None:
    stage = Stage()
    stage.relay.start(stage.listener)

    reader, writer = await stage.call()

    assert await reader.read(-1) == b""
    await gone(writer)
    await stage.end()


async def test_after_the_stop_nobody_is_let_in() -> None:
    stage = Stage()
    await stage.start(hang_up_early)

    await stage.end()

    with pytest.raises(ConnectionError):
        await stage.call()


def frame(payload: bytes, kind: int = 0, flags: int = 0) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags, 0, 0, 0, 1]) + payload


async def retired(parts: list[bytes], after: int) -> bytes:
    """What a client gets of a server that sends these parts, where all are to go after so many of them."""
    stage, sent, go_on = Stage(), asyncio.Event(), asyncio.Event()

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, part in enumerate(parts):
            if number == after:
                sent.set()
                await go_on.wait()
            writer.write(part)
            await writer.drain()
        if after == len(parts):
            sent.set()
            await go_on.wait()
        writer.close()

    await stage.start(send)
    reader, writer = await stage.call()
    got = await reader.readexactly(sum(map(len, parts[:after])))
    await sent.wait()
    stage.relay.retire(0.0)
    await asyncio.sleep(0.05)
    go_on.set()
    got += await reader.read(-1)
    await gone(writer)
    await stage.end()
    return got


async def test_clients_are_asked_to_connect_anew_between_two_frames() -> None:
    first, second = frame(b"settings", 4), frame(b"answer" * 50_000)

    assert await retired([first, second], 1) == first + GOAWAY + second
    assert await retired([first, second], 2) == first + second + GOAWAY
    assert await retired([first + second[:100], second[100:]], 1) == first + second + GOAWAY
    assert await retired([first[:5], first[5:], second], 1) == first + GOAWAY + second
    assert await retired([first, second], 0) == first + GOAWAY + second


async def test_a_client_that_comes_later_is_asked_as_well() -> None:
    stage = Stage()
    settings = frame(b"settings", 4)

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(settings)
        await reader.read(1)
        writer.close()

    await stage.start(send)
    stage.relay.retire(0.05)

    reader, writer = await stage.call()

    assert await reader.readexactly(len(settings + GOAWAY)) == settings + GOAWAY
    writer.write(b"bye")
    await read_all(reader)
    await gone(writer)
    await stage.end()


async def test_a_client_for_whom_there_is_no_descriptor_left_is_hung_up_on_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    stage = Stage()
    await stage.start(hang_up_early)

    with monkeypatch.context() as patched:
        patched.setattr(relay_module, "socket", SimpleNamespace(socket=no_descriptor, AF_UNIX=socket.AF_UNIX))
        reader, writer = await stage.call()
        assert await reader.read() == b""
        await gone(writer)
    reader, writer = await stage.call()
    writer.write(b"what?")
    assert await reader.read(1) == ANSWER[:1]
    await gone(writer)
    await stage.end()
    gc.collect()
    assert complaints == []


def no_descriptor(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
