"""What came of the calls of a stage, and the figures they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from predictor.client.latency import Latencies

OK = "ok"
LOST = "lost"
LEFT = "left"
"""The client itself went; no answer was due."""
OVERLOADED = "overloaded"
_FIRST_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as its client saw it."""

    population: str
    began: float
    """By the clock that all processes of this machine share, `time.monotonic`, seconds."""
    seconds: float
    outcome: str
    """`ok`, the code of an error, `left`, or `lost` with what the client saw instead of an answer."""
    status: int
    """Of HTTP, on gRPC the one that belongs to the code; 0 where no answer came."""

    @property
    def ended(self) -> float:
        """When the answer was there."""
        return self.began + self.seconds

    @property
    def lost(self) -> bool:
        """Whether it was accepted and not answered well: no answer, or one that blames the server.

        Accepted is every call whose request was written to a connection that the server, or what routes to it, had
        taken. A refusal in words for what the client did, or for lack of room (4xx), is an answer; a 5xx is none.
        """
        return self.outcome.startswith(LOST) or self.status >= _FIRST_SERVER_FAULT


@dataclass(frozen=True, slots=True)
class Ran:
    """A stage that has run."""

    calls: Sequence[Call]
    began: float
    ended: float
    """When no further call was begun; calls under way were awaited after it."""
    client_seconds: float
    """Processor time of the process that called."""
    late_seconds: Sequence[float]
    """How late a timer of the calling process was, again and again: what that process adds to each of its times."""

    def settled(self, share: float = 0.25) -> Ran:
        """Return it without its beginning, in which the queue filled."""
        began = self.began + share * (self.ended - self.began)
        return Ran(
            [call for call in self.calls if call.ended >= began],
            began,
            self.ended,
            self.client_seconds,
            self.late_seconds,
        )

    @property
    def answered_per_second(self) -> float:
        """How many calls were answered well in its time, a second."""
        return answered_per_second([self])

    @property
    def offered_per_second(self) -> float:
        """How many calls were begun in its time, a second."""
        begun = sum(self.began <= call.began < self.ended for call in self.calls)
        return begun / (self.ended - self.began)


def answered_per_second(runs: Sequence[Ran]) -> float:
    """Return how many calls were answered well in the time of all runs, a second."""
    answered = sum(call.outcome == OK and run.began <= call.ended <= run.ended for run in runs for call in run.calls)
    return answered / sum(run.ended - run.began for run in runs)


def seconds_of(calls: Iterable[Call], outcome: str = OK) -> list[float]:
    """Return how long the calls of one outcome took."""
    return [call.seconds for call in calls if call.outcome == outcome]


def quantile(seconds: Sequence[float], name: Literal["p50", "p95", "p99", "max"]) -> float | None:
    """Return a percentile in milliseconds, a time that really occurred; None of no times."""
    found = Latencies.of(seconds)
    return None if found is None else found.as_dict()[name]


def lost(runs: Mapping[str, Sequence[Ran]]) -> list[tuple[str, str, float, float, str]]:
    """Return the lost calls: stage, who called, seconds after the stage began, for how long, what came."""
    return [
        (stage, call.population, round(call.began - ran.began, 2), round(call.seconds, 2), call.outcome)
        for stage, of_stage in runs.items()
        for ran in of_stage
        for call in ran.calls
        if call.lost
    ]


def outcomes(calls: Iterable[Call]) -> str:
    """Return how often each outcome came, the most frequent first."""
    return ", ".join(f"{outcome} {count:,}" for outcome, count in Counter(call.outcome for call in calls).most_common())
