"""The same call again and again, over so many connections at a time, through whatever goes wrong."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from predictor.client.failures import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.client.connections import Connections
    from predictor.client.failures import Failure
    from predictor.client.questions import Answer, Question

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """How often is asked, and by how many at a time."""

    calls: int | None = 1
    """None: until the time is up."""
    concurrency: int = 1
    """Each has a connection of its own and makes one call at a time."""
    duration_seconds: float | None = None
    """When no further call is begun."""
    pause_seconds: float = 0.0
    """Between two calls of one connection."""


@dataclass(slots=True)
class Outcome:
    """What came of all calls."""

    first: Answer | None = None
    """The first answer that came."""
    answered_seconds: list[float] = field(default_factory=list)
    """How long each call took that was answered."""
    failures: list[Failure] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    """One where all answers were alike."""
    seconds: float = 0.0
    """From the first call's begin to the last one's end."""
    stopped: bool = False
    """Whether somebody stopped it before its end."""

    @property
    def calls(self) -> int:
        """How many were made."""
        return len(self.answered_seconds) + len(self.failures)


class _Run:
    """Hands out calls to the connections, and keeps what came of them."""

    def __init__(self, connections: Connections, question: Question, load: Load, told: Callable[[], object]) -> None:
        self._connections = connections
        self._question = question
        self._load = load
        self._told = told
        self._lock = threading.Lock()
        self._begun = 0
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self.outcome = Outcome()

    def stop(self) -> None:
        """Begin no further call."""
        self._stopping.set()

    def work(self) -> None:
        """Make calls over one connection until there are no more to make."""
        connection = self._connections.open()
        try:
            while self._next():
                self._call(connection.ask)
                self._stopping.wait(self._load.pause_seconds)
        finally:
            connection.close()

    def _next(self) -> bool:
        with self._lock:
            late = self._load.duration_seconds is not None and self._elapsed() >= self._load.duration_seconds
            enough = self._load.calls is not None and self._begun >= self._load.calls
            if late or enough or self._stopping.is_set():
                return False
            self._begun += 1
            return True

    def _call(self, ask: Callable[[Question], Answer]) -> None:
        began = time.perf_counter()
        try:
            answer = ask(self._question)
        except CallFailed as error:
            with self._lock:
                self.outcome.failures.append(error.failure)
        else:
            seconds, digest = time.perf_counter() - began, answer.digest
            with self._lock:
                self.outcome.first = self.outcome.first or answer
                self.outcome.answered_seconds.append(seconds)
                self.outcome.digests.add(digest)
        with self._lock:
            self.outcome.seconds = self._elapsed()
            self._told()

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def run(connections: Connections, question: Question, load: Load, told: Callable[[], object] = lambda: None) -> Outcome:
    """Make all calls, and return what came of them; an interrupt ends it after the calls that are under way.

    Args:
        connections: Makes a connection for each of those that call.
        question: What is asked, every time.
        load: How often, and by how many at a time.
        told: Called after each call, by one thread at a time.
    """
    work = _Run(connections, question, load, told)
    with ThreadPoolExecutor(load.concurrency, thread_name_prefix="call") as threads:
        workers = [threads.submit(work.work) for _ in range(load.concurrency)]
        try:
            while wait(workers, timeout=_LOOK_SECONDS).not_done:
                pass
        except KeyboardInterrupt:
            work.outcome.stopped = True
        finally:
            work.stop()
    for worker in workers:
        worker.result()  # what is no failed call is a fault of ours, and is told
    return work.outcome
