"""Four times what the server can do, in turns with its best level, so that what else the machine does meets both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.load import asks
from tests.load.arena import ECHO, Arena, Watched, health_seconds
from tests.load.calls import OVERLOADED, answered_per_second, quantile, seconds_of
from tests.load.curve import Step, populations
from tests.load.rows import Goal, Row
from tests.load.scenario import Population

TIMES_CAPACITY = 4
_CALLERS = 64
"""More than the server has places, so that a waiting call keeps nobody from making the next."""
_WITNESSES = 16
"""How many of them are in a process of their own. The others share one with sixty answers to read and as many pictures
to send, and would take the time for that for the server's."""
_PLACES = 17
"""A worker and 16 in the queue: how many calls an accepted one waits for, at most."""


@dataclass(frozen=True, slots=True)
class Overload:
    """What came of it."""

    at_best: list[Watched]
    overloaded: list[Watched]


def run(arena: Arena, best: Step, turns: int, seconds: float) -> Overload:
    """Take turns between the best level and the overload, each of them first in every other turn.

    What the server can do is reckoned from all that it did at its best level so far: a step alone, picked for being
    the best of many, promises too much.
    """
    came = Overload([], [])

    def run_best() -> None:
        came.at_best.append(arena.run("best", populations(best.protocol, best.concurrency), seconds))

    def run_overload() -> None:
        capacity = answered_per_second([watched.ran.settled() for watched in (best.watched, *came.at_best)])
        many, witnesses = callers(capacity, _CALLERS - _WITNESSES), callers(capacity, _WITNESSES)
        came.overloaded.append(arena.run("overload", many, seconds, witnesses))

    for turn in range(turns):
        for part in (run_best, run_overload) if turn % 2 == 0 else (run_overload, run_best):
            part()
    return came


def callers(capacity: float, count: int = _CALLERS) -> list[Population]:
    """Return callers of whom 64 together make four times as many calls a second as are answered at best.

    Args:
        capacity: Answers a second.
        count: How many of them; even.
    """
    # Of four calls one is accepted and holds its caller while all places are worked off.
    busy = _PLACES / capacity / TIMES_CAPACITY
    pause = max(0.01, _CALLERS / (TIMES_CAPACITY * capacity) - busy)
    swap = [asks.swap()]
    return [
        Population("REST", "rest kept", count // 2, swap, pause),
        Population("gRPC", "grpc kept", count // 2, swap, pause),
    ]


def rows(overload: Overload) -> list[Row]:
    """Return what the overload comes to."""
    best = answered_per_second([watched.ran.settled() for watched in overload.at_best])
    runs = [watched.all_ran.settled() for watched in overload.overloaded]
    answered = answered_per_second(runs)
    offered = sum(run.offered_per_second for run in runs) / len(runs)
    calls = [call for watched in overload.overloaded for call in watched.all_ran.calls]
    witnessed = [watched.witnessed for watched in overload.overloaded if watched.witnessed]
    # Once its time is over, the process of who saw them closes its connections, and would see its own work.
    seen = (call for ran in witnessed for call in ran.calls if call.ended <= ran.ended)
    refusals = seconds_of(seen, OVERLOADED)
    late = [late for ran in witnessed for late in ran.late_seconds]
    logged = [seconds for watched in overload.overloaded for seconds in watched.refusal_seconds]
    times = f"overload, {offered / best:.1f} times what the best level answers" if best else "overload"
    return [
        Row(f"{times}: answers, % of that", 100 * answered / best if best else None, Goal("≥", 95)),
        Row(f"overload: slowest of {len(refusals):,} refusals, ms", quantile(refusals, "max"), Goal("<", 20)),
        Row("overload: p99 of these refusals, ms", quantile(refusals, "p99")),
        Row("overload: the timer of who saw them, most it was late, ms", quantile(late, "max")),
        Row(
            f"overload: slowest of all {len(logged):,} refusals by the server's own log, ms",
            quantile(logged, "max"),
            Goal("<", 20),
        ),
        Row(f"overload: answers 5xx or none, of {len(calls):,}", sum(call.lost for call in calls), Goal("=", 0)),
        *health("overloaded", overload.overloaded, 50),
    ]


def health(when: str, watched: Sequence[Watched], goal_ms: float) -> list[Row]:
    """Return how long health took to answer, and beside it how long a process that only answers took.

    Args:
        when: What went on.
        watched: The stages.
        goal_ms: What the 99th percentile shall be under, in milliseconds.
    """
    asked = [seconds for one in watched for seconds in health_seconds(one.probed)]
    echo_seconds = [seconds for one in watched for seconds in one.probed.seconds[ECHO]]
    failed = sum(not failure.startswith(ECHO) for one in watched for failure in one.probed.failed)
    return [
        Row(f"health while {when}, {len(asked):,} probes: p99, ms", quantile(asked, "p99"), Goal("<", goal_ms)),
        Row(
            f"health while {when}: the same prober on a process that only answers, p99, ms",
            quantile(echo_seconds, "p99"),
        ),
        Row(f"health while {when}: probes not answered with 200", failed, Goal("=", 0)),
    ]
