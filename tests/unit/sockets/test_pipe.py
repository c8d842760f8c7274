from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from predictor.sockets.pipe import Pipe

MUCH = bytes(range(256)) * 16 * 1024  # 4 MiB: more than the kernel's buffers hold
ZEROS = bytes(len(MUCH))
PATIENCE_SECONDS = 5.0


@contextmanager
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket, socket.socket]]:
    """Who speaks, the source and the target between which a pipe is to be, and who listens."""
    speaker, source = socket.socketpair()
    target, listener = socket.socketpair()
    with speaker, source, target, listener:
        for end in (speaker, source, target, listener):
            end.setblocking(False)  # noqa: FBT003  # socket's own
        yield speaker, source, target, listener


async def say(speaker: socket.socket, words: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(speaker, words)
    speaker.close()


async def hear(listener: socket.socket, count: int) -> bytes:
    heard = b""
    while len(heard) < count:
        heard += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(listener, 65536), PATIENCE_SECONDS)
    return heard


async def filled(speaker: socket.socket) -> int:
    """Say as much as anybody takes, and return how much that was."""
    said = 0
    for _ in range(50):
        try:
            said += speaker.send(ZEROS)
        except BlockingIOError:
            await asyncio.sleep(0.002)
    return said


async def test_all_that_comes_goes_on_in_order_to_a_target_that_takes_its_time() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target)
        saying = asyncio.create_task(say(speaker, MUCH))

        assert await hear(listener, len(MUCH)) == MUCH
        assert await pipe.ended
        await saying


async def test_nothing_is_read_on_while_the_target_takes_nothing() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target)

        said = await filled(speaker)

        assert said < len(MUCH) * 10
        assert not pipe.ended.done()
        assert len(await hear(listener, said)) == said
        pipe.stop()


async def test_what_is_put_in_follows_all_that_has_come() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target)
        speaker.send(b"first")
        assert await hear(listener, 5) == b"first"

        pipe.put(b"second")
        said = await filled(speaker)
        pipe.put(b"third")
        speaker.close()
        heard = await hear(listener, len(b"second") + said + len(b"third"))

        before, _, after = heard.removeprefix(b"second").partition(b"third")
        assert before + after == bytes(said)
        assert before
        assert await pipe.ended


async def test_a_target_that_takes_too_long_is_left() -> None:
    with ends() as (speaker, source, target, _):
        pipe = Pipe(source, target, 0.02)
        await filled(speaker)

        assert await asyncio.wait_for(pipe.ended, PATIENCE_SECONDS) is False


async def test_a_target_that_reads_on_in_time_is_not_left() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target, 0.5)
        said = await filled(speaker)

        heard = b""
        while len(heard) < said:
            heard += await hear(listener, 1)
            await asyncio.sleep(0.8 * 65536 / said)
        speaker.close()

        assert await asyncio.wait_for(pipe.ended, PATIENCE_SECONDS) is True


async def test_a_target_that_has_gone_ends_it() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target)
        listener.close()
        speaker.send(b"anybody?")

        assert await asyncio.wait_for(pipe.ended, PATIENCE_SECONDS) is False
        pipe.put(b"still nobody")


async def test_what_is_stopped_carries_nothing_more_and_watches_nothing() -> None:
    with ends() as (speaker, source, target, listener):
        pipe = Pipe(source, target)

        pipe.stop()
        pipe.stop()
        pipe.put(b"a word")
        speaker.send(b"another")
        await asyncio.sleep(0.01)

        assert await pipe.ended is False
        loop = asyncio.get_running_loop()
        assert not loop.remove_reader(source)
        assert not loop.remove_writer(target)
        target.close()
        assert await loop.sock_recv(listener, 1) == b""


async def test_a_pipe_whose_end_nobody_waits_for_any_more_watches_nothing_once_stopped() -> None:
    with ends() as (speaker, source, target, _):
        pipe = Pipe(source, target, PATIENCE_SECONDS)
        await filled(speaker)

        pipe.ended.cancel()  # as a task does that waits for it and is cancelled
        pipe.stop()

        loop = asyncio.get_running_loop()
        assert not loop.remove_reader(source)
        assert not loop.remove_writer(target)


async def test_a_pipe_that_reads_and_whose_end_nobody_waits_for_watches_nothing_once_stopped() -> None:
    with ends() as (_, source, target, _):
        pipe = Pipe(source, target)

        pipe.ended.cancel()
        pipe.stop()

        assert not asyncio.get_running_loop().remove_reader(source)
