"""What the prober is told, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked what."""

    name: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Probing:
    """What to ask, how often."""

    targets: Sequence[Target]
    every_seconds: float = 0.08
    """Each of them."""


@dataclass(slots=True)
class Probed:
    """How long each answer took, by target."""

    seconds: dict[str, list[float]]
    failed: list[str] = field(default_factory=list)
    """What came instead of 200."""
