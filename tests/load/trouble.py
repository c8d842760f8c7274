"""Mixed sizes, slow clients, and clients that leave: none of them may cost the others more than their turn."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tests.load import asks
from tests.load.arena import Arena, Watched
from tests.load.calls import OVERLOADED, outcomes, quantile, seconds_of
from tests.load.overload import health
from tests.load.rows import Goal, Row
from tests.load.scenario import Population

_SMALL = "small"
_GOOD = "good"
_SETTLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bodies of several sizes at the same time, more callers than places."""

    limit_mib: int
    health_goal_ms: float

    def populations(self) -> list[Population]:
        """Return small, large and largest bodies, over REST and gRPC."""
        largest = [asks.swap_of(self.limit_mib * asks.MIB)]
        large = [asks.swap_of(self.limit_mib * asks.MIB // 4)]
        return [
            Population(f"{_SMALL}, REST", "rest kept", 6, [asks.swap()]),
            Population(f"{_SMALL}, gRPC", "grpc kept", 6, [asks.swap()]),
            Population("large, REST", "rest kept", 3, large),
            Population("large, gRPC", "grpc kept", 3, large),
            Population("largest, REST", "rest kept", 3, largest),
            Population("largest, gRPC", "grpc kept", 3, largest),
        ]

    def rows(self, watched: Watched) -> list[Row]:
        """Return what it comes to."""
        when = f"saturated, bodies to {self.limit_mib} MiB"
        calls = watched.ran.calls
        small = seconds_of(call for call in calls if call.population.startswith(_SMALL))
        others = seconds_of(call for call in calls if not call.population.startswith(_SMALL))
        return [
            *health(when, [watched], self.health_goal_ms),
            Row(f"{when}: small calls, p95, ms", quantile(small, "p95")),
            Row(f"{when}: large calls, p95, ms", quantile(others, "p95")),
            Row(f"{when}: answers 5xx or none, of {len(calls):,}", sum(call.lost for call in calls), Goal("=", 0)),
        ]


SIZES = (Sizes(4, 50), Sizes(32, 250))


def good() -> list[Population]:
    """Return who suffers if somebody does: four callers that do everything right."""
    return [
        Population(f"{_GOOD}, REST", "rest kept", 2, [asks.swap()]),
        Population(f"{_GOOD}, gRPC", "grpc kept", 2, [asks.swap()]),
    ]


def slow() -> list[Population]:
    """Return more slow senders than the server has places, and slow readers of large answers."""
    return [
        Population("slow senders", "slow sender", 20, [asks.swap()]),
        Population("slow readers", "slow reader", 10, [asks.large_answer()]),
    ]


def leavers() -> list[Population]:
    """Return clients that hang up at any moment."""
    return [
        Population("leavers, REST", "rest leaver", 4, [asks.swap()]),
        Population("leavers, gRPC", "grpc leaver", 4, [asks.swap()]),
    ]


def rows(beside: str, watched: Watched, alone: Watched, left_in_flight: float) -> list[Row]:
    """Return what trouble came to for the good, and whether anything of it was left.

    Args:
        beside: Who was there beside the good.
        watched: The stage with them.
        alone: The same callers without them.
        left_in_flight: What the server still held when all had gone.
    """
    calls = [call for call in watched.ran.calls if call.population.startswith(_GOOD)]
    others = [call for call in watched.ran.calls if not call.population.startswith(_GOOD)]
    share = 100 * _good(watched) / _good(alone) if _good(alone) else None
    refused = sum(call.outcome == OVERLOADED for call in calls)
    return [
        Row(f"{beside}: good callers' calls lost, of {len(calls):,}", sum(call.lost for call in calls), Goal("=", 0)),
        Row(f"{beside}: good callers' calls refused", refused),
        Row(f"{beside}: good callers' answers, % of what they get alone", share),
        Row(f"{beside} ({outcomes(others)}): requests still held afterwards", left_in_flight, Goal("=", 0)),
    ]


def settled_in_flight(arena: Arena) -> float:
    """Return how many requests the server holds once it has had time to notice that all clients have gone."""
    until = time.monotonic() + _SETTLE_SECONDS
    while (held := arena.in_flight()) and time.monotonic() < until:
        time.sleep(0.2)
    return held


def _good(watched: Watched) -> float:
    """Return how many answers a second the good callers got."""
    ran = watched.ran.settled()
    return replace(ran, calls=[call for call in ran.calls if call.population.startswith(_GOOD)]).answered_per_second
