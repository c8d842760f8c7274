from __future__ import annotations

import asyncio

import grpc
import pytest

from predictor.errors import BodyTooSlow, RequestTooLarge
from predictor.serving import interceptor
from tests.unit.serving.executors import turns

AT_ONCE = interceptor._QUESTIONS_AT_ONCE


def reading(patience_seconds: float | None = None) -> interceptor._Handler:
    """A method that answers its message."""

    async def echo(message: bytes, _context: object) -> bytes:
        return message

    questions = interceptor._Questions(patience_seconds)
    return questions.reading(grpc.unary_unary_rpc_method_handler(echo, request_deserializer=bytes))


class Messages:
    """Messages that come when the test says so, and how many are asked for meanwhile."""

    def __init__(self) -> None:
        self.asked = 0
        self.come = asyncio.Event()

    async def receive(self) -> bytes:
        self.asked += 1
        await self.come.wait()
        return b"ready?"


async def test_few_messages_are_read_at_once_and_all_are_answered() -> None:
    handle, messages = reading(), Messages()
    calls = [asyncio.ensure_future(handle(messages.receive, None)) for _ in range(3 * AT_ONCE)]
    await turns()
    assert messages.asked == AT_ONCE

    messages.come.set()
    assert await asyncio.gather(*calls) == [b"ready?"] * 3 * AT_ONCE


async def test_messages_that_do_not_come_are_refused_and_so_is_who_waits_behind_them() -> None:
    handle, messages = reading(0.01), Messages()

    answers = await asyncio.gather(
        *(handle(messages.receive, None) for _ in range(AT_ONCE + 1)), return_exceptions=True
    )

    assert [type(each) for each in answers] == [BodyTooSlow] * (AT_ONCE + 1)
    messages.come.set()
    assert await handle(messages.receive, None) == b"ready?"


async def test_a_message_of_megabytes_gives_its_place_back() -> None:
    handle = reading()

    async def much() -> bytes:
        return bytes(1 << 20)

    for _ in range(2 * AT_ONCE):
        with pytest.raises(RequestTooLarge):
            await handle(much, None)
