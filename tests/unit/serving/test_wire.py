"""Below HTTP: clients that keep the server waiting. Real sockets, on the test's own event loop; short waits end a
connection, and no test tells how long one took."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from predictor.serving.wire import Http

SHORT = 0.2
LONG = 60.0
MIB = 1024 * 1024
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
App = Callable[..., Any]


async def fine(_scope: object, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Read everything, then answer."""
    while (await receive()).get("more_body"):
        pass
    await answer(send)


async def hasty(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
    """Answer without reading, and close."""
    await answer(send, (b"connection", b"close"))


async def kind(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
    """Answer without reading, and leave the connection open."""
    await answer(send)


async def answer(send: Callable[..., Any], *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2"), *headers]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def connected(
    app: App, client_seconds: float = SHORT
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to an application."""
    config, state = Config(app, lifespan="off", access_log=False, timeout_keep_alive=60), ServerState()
    config.load()
    make = Http.patient_for(client_seconds)
    server = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        while state.connections:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server hangs up, politely or not."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(LONG):
            while part := await reader.read(MIB):
                received += part
    return received


@pytest.mark.parametrize(
    "begun", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n", b"POST / HTTP/1.1\r\nx: "]
)
async def test_a_head_that_does_not_come_ends_the_connection(begun: bytes) -> None:
    async with connected(fine) as (reader, writer):
        writer.write(begun)

        assert await to_the_end(reader) == b""


async def test_a_byte_now_and_then_gains_no_time() -> None:
    async with connected(fine) as (reader, writer):
        writer.write(GET[:-2] + b"x: ")
        ended = asyncio.create_task(to_the_end(reader))
        for _ in range(1000):
            writer.write(b"y")
            await asyncio.sleep(SHORT / 10)
            if ended.done():
                break

        assert ended.done()
        assert await ended == b""


async def test_the_second_head_of_a_kept_connection_must_come_as_well() -> None:
    async with connected(fine) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"ok")
        writer.write(GET[:-2])

        assert await to_the_end(reader) == b""


async def test_a_kept_connection_may_be_idle_and_is_served_again() -> None:
    async with connected(fine) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"ok")
        await asyncio.sleep(2 * SHORT)
        writer.write(GET)

        assert b"200 OK" in await reader.readuntil(b"ok")


async def test_a_request_that_takes_long_is_not_the_clients_fault() -> None:
    async def slow(scope: object, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        await asyncio.sleep(3 * SHORT)
        await fine(scope, receive, send)

    async with connected(slow) as (reader, writer):
        writer.write(GET + GET[:5])  # the next one is on its way, too

        assert b"200 OK" in await reader.readuntil(b"ok")


async def test_a_head_without_end_is_refused_in_our_words() -> None:
    async with connected(fine, LONG) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * 200_000)

        head, _, body = (await to_the_end(reader)).partition(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in head
        assert json.loads(body)["code"] == "request_too_large"


async def test_a_head_of_many_kilobytes_is_served() -> None:
    async with connected(fine, LONG) as (reader, writer):
        writer.write(GET[:-2] + b"x: " + b"y" * 60_000 + b"\r\n\r\n")

        assert b"200 OK" in await reader.readuntil(b"ok")


async def test_a_client_that_is_still_sending_finds_the_answer_that_closes_its_connection() -> None:
    async with connected(hasty, LONG) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8388608\r\n\r\n")
        for _ in range(6):  # as clients do that look for an answer only when all is sent
            writer.write(bytes(MIB))
            await writer.drain()

        received = await to_the_end(reader)

        assert received.startswith(b"HTTP/1.1 200 OK")
        assert received.endswith(b"ok")


async def test_a_client_that_goes_on_sending_after_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.serving.wire._LINGER_SECONDS", SHORT)
    async with connected(hasty, LONG) as (_, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n")

        with pytest.raises(ConnectionError):
            await send_for_ever(writer)


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(1000))
        await writer.drain()
        await asyncio.sleep(SHORT / 10)


async def test_the_rest_of_a_body_that_was_answered_already_must_come() -> None:
    async with connected(kind) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.write(b"only this")

        assert await to_the_end(reader) == b""


async def test_the_rest_of_a_body_that_was_answered_already_leaves_the_connection_alive() -> None:
    async with connected(kind, LONG) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        await reader.readuntil(b"ok")
        writer.write(bytes(1000) + GET)

        assert b"200 OK" in await reader.readuntil(b"ok")


async def test_an_answer_that_nobody_reads_ends_the_connection() -> None:
    ended = asyncio.Event()

    async def large(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
        size = 256 * MIB  # more than the system takes for a client that does not read
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        for _ in range(256):
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
        ended.set()

    async with connected(large) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        writer.write(GET)

        async with asyncio.timeout(LONG):
            await ended.wait()  # what is sent on a connection that has ended goes nowhere


async def test_an_answer_that_is_read_slowly_is_sent_to_its_end() -> None:
    async def large(_scope: object, _receive: object, send: Callable[..., Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (16 * MIB))]})
        for _ in range(64):
            await send({"type": "http.response.body", "body": bytes(MIB // 4), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with connected(large, 3 * SHORT) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        received = 0
        while received < 16 * MIB:
            received += len(await reader.read(MIB))
            await asyncio.sleep(SHORT / 20)

    assert received == 16 * MIB
