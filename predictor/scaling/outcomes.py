"""What crosses the border between a worker and a replica of a stage: plain values both ways, exceptions never.

An exception that crosses it comes out with the traceback of another machine in its words, paths and addresses
included, and many of ours could not be made anew there. So a replica answers with what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.runtime.session import OpenedSession
    from predictor.weights.store import LoadedWeights

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What goes with every call."""

    request_id: str
    """Stands in the log lines of the replica too."""
    remaining_seconds: float | None = None
    """After that nobody waits; None where there is no deadline. A duration, as clocks of machines differ."""


@dataclass(frozen=True, slots=True)
class Done(Generic[_T]):
    """The stage's answer."""

    value: _T
    together: int = 1
    """Calls that were worked on at once."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The stage failed."""

    reason: str
    """For the log and nobody else."""
    traceback: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody waited for the answer any more, so it was not worked out."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a replica runs, for metrics and the model metadata."""

    sessions: Sequence[OpenedSession]
    weights: Sequence[LoadedWeights]


@dataclass(frozen=True, slots=True)
class DetectorFacts:
    """What a detector's replica tells of itself and of the embedder beside it."""

    embeds: LandmarkTemplate | None
    """How the embedder wants crops; None where the recipe has none."""
    running: Running


@dataclass(frozen=True, slots=True)
class SwapperFacts:
    """What a swapper's replica tells of itself; `predictor.stages.Swapper` says what each part means."""

    source_template: LandmarkTemplate
    templates: Sequence[LandmarkTemplate]
    trained: bool
    needs_embedding: bool
    least_scale: float
    running: Running


@dataclass(frozen=True, slots=True)
class RestorerFacts:
    """What a restorer's replica tells of itself and of the parser beside it."""

    template: LandmarkTemplate
    trained: bool
    parses: LandmarkTemplate | None
    """How the parser wants crops; None where there is none."""
    running: Running


@dataclass(frozen=True, slots=True)
class UpsamplerFacts:
    """What an upsampler's replica tells of itself."""

    scales: Sequence[int]
    trained: bool
    running: Running
