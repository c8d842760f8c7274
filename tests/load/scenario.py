"""Who calls, how, and for how long: what the process that calls is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.serving.wire import Ask

Kind = Literal[
    "rest kept", "rest new", "grpc kept", "grpc new", "slow sender", "slow reader", "rest leaver", "grpc leaver"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Population:
    """Callers of one kind; each makes one call at a time."""

    name: str
    kind: Kind
    count: int
    asks: Sequence[Ask]
    """Asked in turns, each caller beginning at another one."""
    every_seconds: float | None = None
    """Mean of the pause after a call, drawn as of a Poisson process. None: the next call follows at once, and a
    refused one after the seconds that the server named, as of a client that behaves well."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Populations that call at the same time."""

    name: str
    http_port: int
    grpc_port: int
    populations: Sequence[Population]
    seconds: float
    """After which no call is begun; those under way are awaited."""


STOP = "stop"
"""Ends a stage before its time."""
