"""Bodies that are slow to come, and the places they leave to others."""

from __future__ import annotations

import asyncio

import pytest

from predictor.errors import Overloaded
from predictor.serving.executor import Executor
from tests.unit.serving.executors import an_executor, request, turns


class Body:
    """A body that comes when the test says so."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.has_come = asyncio.Event()
        self.trouble: Exception | None = None
        self.task = asyncio.create_task(self._request())

    async def _request(self) -> str:
        with self._executor.admission():
            return await self._executor.arrival(self._come())

    async def _come(self) -> str:
        await self.has_come.wait()
        if self.trouble:
            raise self.trouble
        return "body"


async def slow(executor: Executor, bodies: int = 1) -> None:
    """Wait until so many bodies are known to be slow."""
    while executor.slow_bodies < bodies:  # noqa: ASYNC110  # the executor has no event for it
        await asyncio.sleep(0)


@pytest.fixture
def every_body_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.serving.executor._QUICK_BODY_SECONDS", 0.0)


async def test_a_body_that_comes_quickly_keeps_its_place() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        body = Body(executor)
        await turns()

        with pytest.raises(Overloaded), executor.admission():
            pytest.fail("another was let in")

        body.has_come.set()
        assert await body.task == "body"
        assert executor.admitted == 0


@pytest.mark.usefixtures("every_body_is_slow")
async def test_a_slow_body_leaves_its_place_to_others_and_is_served_if_one_is_left() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        body = Body(executor)
        await slow(executor)

        assert await request(executor, lambda: "another") == "another"

        body.has_come.set()
        assert await body.task == "body"
        assert executor.admitted == 0


@pytest.mark.usefixtures("every_body_is_slow")
async def test_a_slow_body_that_comes_when_all_places_are_taken_is_refused() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        body = Body(executor)
        await slow(executor)

        with executor.admission():
            body.has_come.set()
            with pytest.raises(Overloaded):
                await body.task

        assert executor.admitted == 0


@pytest.mark.usefixtures("every_body_is_slow")
async def test_only_so_many_bodies_may_be_slow() -> None:
    async with an_executor(workers=1, queue_length=1) as executor:
        bodies = [Body(executor) for _ in range(2)]
        await slow(executor, 2)

        with pytest.raises(Overloaded):
            await Body(executor).task

        for body in bodies:
            body.has_come.set()
        assert await asyncio.gather(*(body.task for body in bodies)) == ["body"] * 2


@pytest.mark.usefixtures("every_body_is_slow")
async def test_what_is_wrong_with_a_slow_body_is_told_before_a_lack_of_place() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        body = Body(executor)
        await slow(executor)

        with executor.admission():
            body.trouble = ValueError("it broke off")
            body.has_come.set()
            with pytest.raises(ValueError, match="it broke off"):
                await body.task


@pytest.mark.usefixtures("every_body_is_slow")
async def test_a_request_that_is_given_up_reads_no_more_of_its_body() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        body = Body(executor)
        await slow(executor)

        body.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await body.task

        assert executor.admitted == 0
        assert await request(executor, lambda: "next") == "next"
