"""Hours in ten minutes: mixed sizes over REST and gRPC, and the server's memory meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.bench.memory import growth
from tests.load import asks
from tests.load.arena import Memory, Watched
from tests.load.calls import quantile, seconds_of
from tests.load.rows import Goal, Row
from tests.load.scenario import Population

SETTLED_SECONDS = 60.0
_FULL_SECONDS = 600.0
_MOST_GROWTH_PERCENT = 5


def populations() -> list[Population]:
    """Return a few callers who go through the mix."""
    mix = asks.mixed()
    return [Population("REST", "rest kept", 2, mix), Population("gRPC", "grpc kept", 2, mix)]


def rows(watched: Watched, memory: Memory) -> list[Row]:
    """Return what the soak comes to; the goal is one of ten minutes, shorter ones have none."""
    ran = watched.ran
    seconds, calls = ran.ended - ran.began, ran.calls
    full = round(seconds) >= _FULL_SECONDS
    within = [mib for at, mib in zip(memory.seconds, memory.mib, strict=True) if at <= seconds]
    settled = len(within) * SETTLED_SECONDS / seconds
    after = within[round(settled) :]
    grown = 100 * growth(within, round(settled)) if after else None
    goal = Goal("<", _MOST_GROWTH_PERCENT) if full else None
    soak = f"soak of {seconds / 60:.0f} minutes, mixed sizes"
    return [
        Row(f"{soak}: growth of resident memory after the first minute, by medians of a tenth, %", grown, goal),
        Row(f"{soak}: most resident memory after the first minute, MiB", max(after, default=None)),
        Row(f"{soak}: answers 5xx or none, of {len(calls):,}", sum(call.lost for call in calls), Goal("=", 0)),
        Row(f"{soak}: p99, ms", quantile(seconds_of(calls), "p99")),
    ]


def minutes(seconds: Sequence[float]) -> list[float]:
    """Return times in minutes."""
    return [one / 60 for one in seconds]
