"""The bounded executor: who may come in, who waits, who works; and how long a newcomer would wait.

A request is admitted (or refused) first, waits for its turn, and keeps its worker until its work has really ended,
even when its caller has given up meanwhile: workers are never more than there are.
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
from predictor.runtime.threads import step_behind
from predictor.serving.fairness import Experience, Line, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any

    from predictor.job import Job

_P = ParamSpec("_P")
_R = TypeVar("_R")
# How much the latest request says about the next one.
_NEWEST_WEIGHT = 0.2
_QUICK_BODY_SECONDS = 2.0
"""A body that takes longer to arrive does not keep a place from others meanwhile."""
_ANY_WORK = Work()


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
        queue_seconds: How long one may wait. Nobody is passed for longer than half of it.
    """

    def __init__(self, workers: int, queue_length: int, queue_seconds: float) -> None:
        self.workers = workers
        """How many requests run at a time."""
        self._queue_length = queue_length
        self._queue_seconds = queue_seconds
        self._pool = _threads(workers)
        self._line = Line(workers, queue_seconds / 2)
        self._experience = Experience()
        self._typical_seconds = 0.0
        self.slow_bodies = 0
        """Requests among the admitted that have left their place to others until their body has come."""
        self.admitted = 0
        """Requests that were let in and are not done: waiting, running, or still sending their body."""
        self.working = 0
        """Workers that are busy, were it for a request whose client has gone."""

    def grow(self, workers: int) -> None:
        """Have so many workers from now on; before any work is run, for what a recipe needs is known once it is loaded.

        Args:
            workers: Not fewer than now.
        """
        self._line.add(workers - self.workers)
        self._pool = _threads(workers)
        self.workers = workers

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Take a place for one request, or refuse it at once.

        Raises:
            Overloaded: All workers are busy and the queue is full.
        """
        self._require_place()
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    async def arrival(self, body: Coroutine[Any, Any, _R]) -> _R:
        """Wait for the body of a request that was let in; while it is slow to come, its place is free for others.

        Raises:
            Overloaded: It was slow, and there is no place left: at once where as many others are slow as there are
                places, otherwise when it has come.
        """
        task = asyncio.create_task(body)
        try:
            done, _ = await asyncio.wait({task}, timeout=_QUICK_BODY_SECONDS)
            if not done:
                with self._slow_body():
                    await asyncio.wait({task})
                    if task.exception() is None:
                        self._require_place()
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
            _ = task.cancelled() or task.exception()  # asked for, so not complained of

    @asynccontextmanager
    async def worker(self, job: Job, work: Work = _ANY_WORK) -> AsyncIterator[Worker]:
        """Wait for a worker and hold it.

        Args:
            job: Whose time this is.
            work: What is known of it; decides who goes first among those that wait.

        Raises:
            Overloaded: None became free in time.
            DeadlineExceeded: The request's own deadline passed first.
        """
        await self._take(job, work)
        self.working += 1
        worker = Worker(self._pool, job)
        began = time.monotonic()
        try:
            yield worker
        finally:
            if worker.running is None or worker.running.done():
                self._release(began, work)
            else:  # nobody waits for it any more, but the thread is busy until this step ends
                worker.running.add_done_callback(lambda _: self._release(began, work))

    def expected_wait_seconds(self) -> int:
        """Return how long a newcomer would wait for a worker, in whole seconds, at least 1."""
        ahead = max(0, self.admitted - self.workers) + 1
        return max(1, math.ceil(ahead * self._typical_seconds / self.workers))

    def close(self) -> None:
        """Let the threads go once they have nothing to do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _places(self) -> int:
        return self.workers + self._queue_length

    def _require_place(self) -> None:
        if self.admitted - self.slow_bodies >= self._places:
            raise Overloaded(self.expected_wait_seconds())

    @contextmanager
    def _slow_body(self) -> Iterator[None]:
        """Leave a place to others, as long as not too many do: each may hold a body."""
        if self.slow_bodies >= self._places:
            raise Overloaded(self.expected_wait_seconds())
        self.slow_bodies += 1
        try:
            yield
        finally:
            self.slow_bodies -= 1

    async def _take(self, job: Job, work: Work) -> None:
        remaining = job.remaining_seconds
        patience = self._queue_seconds if remaining is None else min(self._queue_seconds, remaining)
        try:
            async with asyncio.timeout(patience):
                await self._line.turn(time.monotonic(), self._experience.expected_seconds(work))
        except TimeoutError:
            job.check()
            raise Overloaded(self.expected_wait_seconds()) from None

    def _release(self, began: float, work: Work) -> None:
        self.working -= 1
        seconds = time.monotonic() - began
        self._experience.learn(work, seconds)
        known = self._typical_seconds
        self._typical_seconds = seconds if known == 0.0 else known + _NEWEST_WEIGHT * (seconds - known)
        self._line.give_back()


def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="worker", initializer=step_behind)
