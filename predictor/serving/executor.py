"""The bounded executor: who may come in, who waits, who works; and how long a newcomer would wait.

A request is admitted (or refused) first, waits in order for one of the workers, and keeps that worker until its
work has really ended, even when its caller has given up meanwhile: workers are never more than there are.
Everything here runs on the event loop, but for the work itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from predictor.errors import DeadlineExceeded, Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from predictor.job import Job

_P = ParamSpec("_P")
_R = TypeVar("_R")
# How much the latest request says about the next one.
_NEWEST_WEIGHT = 0.2


class Worker:
    """One worker, held by one request; runs its steps one after another."""

    def __init__(self, pool: ThreadPoolExecutor, job: Job) -> None:
        self._pool = pool
        self._job = job
        self.running: asyncio.Future[object] | None = None

    async def run(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run one step off the event loop.

        Raises:
            DeadlineExceeded: The deadline passed meanwhile; the step goes on to its end, its result is dropped.
        """
        self._job.check()
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()  # log lines of the thread carry the request's id
        future = loop.run_in_executor(self._pool, lambda: context.run(function, *args, **kwargs))
        self.running = future  # type: ignore[assignment]  # only ever asked whether it is done
        done, _ = await self._wait(future)
        if not done:
            self._give_up(future)
            raise DeadlineExceeded(self._job.timeout_seconds or 0.0)
        return future.result()

    async def _wait(self, future: asyncio.Future[_R]) -> tuple[set[asyncio.Future[_R]], set[asyncio.Future[_R]]]:
        try:
            return await asyncio.wait([future], timeout=self._job.remaining_seconds)
        except asyncio.CancelledError:
            self._give_up(future)
            raise

    def _give_up(self, future: asyncio.Future[_R]) -> None:
        self._job.abandon()
        future.add_done_callback(lambda late: late.cancelled() or late.exception())  # asked for, so not complained of


class Executor:
    """Runs the work of requests in threads, a bounded number at a time, a bounded number waiting.

    Args:
        workers: Requests that run at a time.
        queue_length: Requests that may wait.
        queue_seconds: How long one may wait.
    """

    def __init__(self, workers: int, queue_length: int, queue_seconds: float) -> None:
        self._workers = workers
        self._places = workers + queue_length
        self._queue_seconds = queue_seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._free = asyncio.Semaphore(workers)
        self._typical_seconds = 0.0
        self.admitted = 0
        """Requests that were let in and are not done: waiting, running, or still sending their body."""
        self.working = 0
        """Workers that are busy, were it for a request whose client has gone."""

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Take a place for one request, or refuse it at once.

        Raises:
            Overloaded: All workers are busy and the queue is full.
        """
        if self.admitted >= self._places:
            raise Overloaded(self.expected_wait_seconds())
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    @asynccontextmanager
    async def worker(self, job: Job) -> AsyncIterator[Worker]:
        """Wait in order for a worker and hold it.

        Raises:
            Overloaded: None became free in time.
            DeadlineExceeded: The request's own deadline passed first.
        """
        await self._take(job)
        self.working += 1
        worker = Worker(self._pool, job)
        began = time.monotonic()
        try:
            yield worker
        finally:
            if worker.running is None or worker.running.done():
                self._release(began)
            else:  # nobody waits for it any more, but the thread is busy until this step ends
                worker.running.add_done_callback(lambda _: self._release(began))

    def expected_wait_seconds(self) -> int:
        """Return how long a newcomer would wait for a worker, in whole seconds, at least 1."""
        ahead = max(0, self.admitted - self._workers) + 1
        return max(1, math.ceil(ahead * self._typical_seconds / self._workers))

    def close(self) -> None:
        """Let the threads go once they have nothing to do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _take(self, job: Job) -> None:
        remaining = job.remaining_seconds
        patience = self._queue_seconds if remaining is None else min(self._queue_seconds, remaining)
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            job.check()
            raise Overloaded(self.expected_wait_seconds()) from None

    def _release(self, began: float) -> None:
        self.working -= 1
        seconds = time.monotonic() - began
        known = self._typical_seconds
        self._typical_seconds = seconds if known == 0.0 else known + _NEWEST_WEIGHT * (seconds - known)
        self._free.release()
