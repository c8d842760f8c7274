"""Executors in tests, and work for them that lasts until the test ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from predictor.job import Job
from predictor.serving.executor import Executor

LONG = 60.0


class Step:
    """Work in a thread that lasts until the test ends it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self._end = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self._end.wait(LONG)
        return "done"

    def end(self) -> None:
        self._end.set()

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, LONG)


@asynccontextmanager
async def an_executor(workers: int = 1, queue_length: int = 8, queue_seconds: float = LONG) -> AsyncIterator[Executor]:
    executor = Executor(workers, queue_length, queue_seconds)
    try:
        yield executor
    finally:
        executor.close()


async def request(executor: Executor, step: Callable[[], object], job: Job | None = None) -> object:
    """What a server does with one request."""
    job = job or Job(LONG)
    with executor.admission():
        async with executor.worker(job) as worker:
            return await worker.run(step)


async def take_a_worker(executor: Executor) -> str:
    async with executor.worker(Job(LONG)):
        return "has one"


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)
