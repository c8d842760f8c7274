"""SIGTERM in the middle of load, again and again: rolling updates behind one route, as Kubernetes does them."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.load import asks
from tests.load.arena import Served, predictor
from tests.load.calls import OK, Ran, outcomes, quantile, seconds_of
from tests.load.processes import Child
from tests.load.rows import Goal, Row
from tests.load.scenario import STOP, Kind, Population, Stage
from tests.serving.route import Route

_BEFORE_SECONDS = (0.5, 1.5)
"""From the route's move to a server until that server is told to end: it is in the middle of calls by then."""
_ROUTE_MOVES_SECONDS = (0.2, 2.0)
"""From SIGTERM until the route has moved; less than the drain delay, as an operator has to see to."""
_EXIT_SECONDS = 70.0
_LONGEST_SECONDS = 1200.0
_NOTHING_DROPPED = "stopped, nothing dropped"


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What came of all rounds."""

    ran: Ran
    unclean: Sequence[str]
    """Servers that did not end with exit code 0 and nothing dropped."""


def populations() -> list[Population]:
    """Return who calls: small calls of every kind of client, and long ones that a SIGTERM surely meets."""
    kinds: tuple[Kind, ...] = ("rest kept", "rest new", "grpc kept", "grpc new")
    small = [Population(f"{kind}, detect", kind, 1, [asks.detect()]) for kind in kinds]
    long = [Population(f"{kind}, swap", kind, 1, [asks.swap()]) for kind in kinds]
    return small + long


def run(folder: Path, rounds: int, told: Callable[[int], object]) -> Rollouts:
    """Replace a server under load so many times.

    Args:
        folder: For the servers' logs.
        rounds: How many servers are told to end.
        told: Called after each round with its number.
    """
    unclean: list[str] = []
    chosen = random.Random(0)  # noqa: S311  # moments, not secrets
    with ExitStack() as stack:
        attack = stack.enter_context(Child("tests.load.attack"))
        last = stack.enter_context(ExitStack())
        server = last.enter_context(predictor(folder / "0"))
        http, grpc = (stack.enter_context(_routed(port)) for port in (server.ports.http, server.ports.grpc))
        attack.send(Stage("rollouts", http.port, grpc.port, populations(), _LONGEST_SECONDS))
        for number in range(1, rounds + 1):
            after = stack.enter_context(ExitStack())
            with last:
                following = after.enter_context(predictor(folder / str(number)))
                time.sleep(chosen.uniform(*_BEFORE_SECONDS))
                server.server.process.send_signal(signal.SIGTERM)
                time.sleep(chosen.uniform(*_ROUTE_MOVES_SECONDS))
                http.target_port, grpc.target_port = following.ports.http, following.ports.grpc
                unclean += _how_it_ended(server)
            server, last = following, after
            told(number)
        attack.send(STOP)
        return Rollouts(attack.receive(), unclean)


def rows(rollouts: Rollouts, rounds: int) -> list[Row]:
    """Return what the rounds come to; whatever is no good answer counts as lost, a refusal too: there was room."""
    calls = rollouts.ran.calls
    lost = [call for call in calls if call.outcome != OK]
    times = f"SIGTERM under load, {rounds} times"
    return [
        Row(f"{times}: accepted calls lost, of {len(calls):,} ({outcomes(calls)})", len(lost), Goal("=", 0)),
        Row(f"{times}: servers that dropped something or did not exit 0", len(rollouts.unclean), Goal("=", 0)),
        Row(f"{times}: p99 of all calls, ms", quantile(seconds_of(calls), "p99")),
    ]


def _how_it_ended(served: Served) -> list[str]:
    code = served.server.process.wait(_EXIT_SECONDS)
    if code == 0 and _NOTHING_DROPPED in served.log.read_text():
        return []
    return [f"{served.log}: exit code {code}"]


@contextmanager
def _routed(port: int) -> Iterator[Route]:
    route = Route(port)
    try:
        yield route
    finally:
        route.close()
