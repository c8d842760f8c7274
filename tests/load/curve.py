"""The step curve: more and more callers, over REST, over gRPC, and over both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.load import asks
from tests.load.arena import Watched
from tests.load.calls import OVERLOADED, quantile, seconds_of
from tests.load.processes import LoadFailed
from tests.load.rows import Row, Table
from tests.load.scenario import Population

LEVELS = (1, 2, 4, 8, 16, 32)
_SHARES: Mapping[str, Mapping[str, float]] = {
    "REST": {"rest kept": 1},
    "gRPC": {"grpc kept": 1},
    "REST and gRPC": {"rest kept": 0.5, "grpc kept": 0.5},
}
QUANTILES: Sequence[Literal["p50", "p95", "p99"]] = ("p50", "p95", "p99")
TOGETHER = "REST and gRPC"


@dataclass(frozen=True, slots=True)
class Step:
    """One level of one protocol, or of both."""

    protocol: str
    concurrency: int
    watched: Watched


def protocols() -> list[str]:
    """Return what is stepped through."""
    return list(_SHARES)


def levels(protocol: str) -> list[int]:
    """Return its levels; half a caller there is none."""
    return [level for level in LEVELS if level >= len(_SHARES[protocol])]


def populations(protocol: str, concurrency: int) -> list[Population]:
    """Return so many callers who each ask again as soon as they are answered."""
    kinds = {"rest kept": "REST", "grpc kept": "gRPC"}
    return [
        Population(name, kind, round(concurrency * share), [asks.swap()])  # type: ignore[arg-type]  # both are kinds
        for kind, name in kinds.items()
        if (share := _SHARES[protocol].get(kind))
    ]


def best(steps: Sequence[Step]) -> Step:
    """Return the step of most answers a second, both protocols together.

    Raises:
        LoadFailed: None had any.
    """
    most = max((step for step in steps if step.protocol == TOGETHER), key=rate)
    if rate(most) == 0:
        raise LoadFailed("no call was answered within its step: this machine is too busy for steps so short")
    return most


def rate(step: Step) -> float:
    """Return answers a second, the step's beginning left out."""
    return step.watched.ran.settled().answered_per_second


def rows(steps: Sequence[Step]) -> list[Row]:
    """Return what the curve comes to."""
    most, lost = best(steps), sum(call.lost for step in steps for call in step.watched.ran.calls)
    return [
        Row(f"step curve, 1280×886: most answers a second, REST and gRPC, at {most.concurrency} callers", rate(most)),
        Row("step curve: calls lost", lost),
    ]


def table(steps: Sequence[Step]) -> Table:
    """Return the curve as a table."""
    columns = (
        "protocol", "callers", "answers a second", "p50, ms", "p95, ms", "p99, ms", "answered", "refused",
        "processor time of server / client, share of one core",
    )  # fmt: skip
    return Table(columns, [_line(step) for step in steps])


def _line(step: Step) -> list[object]:
    ran = step.watched.ran
    settled = ran.settled()
    taken = seconds_of(settled.calls)
    refused = sum(call.outcome == OVERLOADED for call in settled.calls)
    # the server works on after the last call was begun; what it did is shared out over the whole time
    wall = max((call.ended for call in ran.calls), default=ran.ended) - ran.began
    processor = f"{step.watched.server_seconds / wall:.2f} / {ran.client_seconds / wall:.2f}"
    return [
        step.protocol,
        step.concurrency,
        rate(step),
        *(quantile(taken, name) for name in QUANTILES),
        len(taken),
        refused,
        processor,
    ]
