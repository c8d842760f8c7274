"""Whose turn it is when requests wait: due times, so that many small ones and few large ones share the workers.

In order of arrival, ten quick requests wait for the slow one before them; the quickest first, the slow one waits for
ever. So each request is due some time after it came: the later, the longer it is expected to take, up to a bound. The
earliest due goes first (the rule "earliest due date", due dates by total work content). What is slow lets pass what
comes soon after it, and then nothing any more: a due time stands, and those of newcomers are ever later.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import NamedTuple

_ALLOWANCE = 4.0
"""A request may be passed for this many times as long as it takes itself."""
_NEWEST_WEIGHT = 0.2
"""How much the latest request says about the next one."""
_EVERY_REQUEST_BYTES = 64 * 1024
"""What even the smallest body costs, so that tiny ones do not seem to cost nothing."""


class Work(NamedTuple):
    """What is known of a request before it is read."""

    kind: str = ""
    """The model it is for."""
    size_bytes: int = 0
    """Of its body."""


class Experience:
    """How long requests take, learned from those that were served: so many seconds a byte for each kind."""

    def __init__(self) -> None:
        self._seconds_per_byte: dict[str, float] = {}

    def expected_seconds(self, work: Work) -> float:
        """Return how long a request is likely to keep a worker; 0 for a kind that was never seen."""
        return self._seconds_per_byte.get(work.kind, 0.0) * (work.size_bytes + _EVERY_REQUEST_BYTES)

    def learn(self, work: Work, seconds: float) -> None:
        """Take note of how long a request took."""
        rate = seconds / (work.size_bytes + _EVERY_REQUEST_BYTES)
        known = self._seconds_per_byte.get(work.kind, rate)
        self._seconds_per_byte[work.kind] = known + _NEWEST_WEIGHT * (rate - known)


class Line:
    """Those who wait for a worker, and how many workers are free. Everything happens on the event loop.

    Args:
        workers: That are free to begin with.
        longest_allowance_seconds: The most that a request may be passed for.
    """

    def __init__(self, workers: int, longest_allowance_seconds: float) -> None:
        self._free = workers
        self._longest_allowance_seconds = longest_allowance_seconds
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    async def turn(self, now: float, expected_seconds: float) -> None:
        """Wait for a worker and take it.

        Args:
            now: The time of a clock that is the same for all.
            expected_seconds: How long it is wanted for.
        """
        if self._free:
            self._free -= 1
            return
        due = now + min(_ALLOWANCE * expected_seconds, self._longest_allowance_seconds)
        turn = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        place = due, self._arrivals, turn
        heapq.heappush(self._waiting, place)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(place)
            else:  # its turn had come when it was given up
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand a worker to the next in line, or leave it free."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # else it was given up a moment ago
                turn.set_result(None)
                return
        self._free += 1

    def add(self, workers: int) -> None:
        """Have more workers from now on."""
        for _ in range(workers):
            self.give_back()

    def _leave(self, place: tuple[float, int, asyncio.Future[None]]) -> None:
        if place in self._waiting:  # a queue is short
            self._waiting.remove(place)
            heapq.heapify(self._waiting)
