"""What is told of one request when it ends, by the access line and by its trace; filled in on its way."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.job import StageRun
from predictor.serving.tracing import UNTRACED, Span

if TYPE_CHECKING:
    from predictor.job import Job
    from predictor.serving.call import Protocol


@dataclass(slots=True)
class Access:
    """One request; the edge of its protocol begins it, and whoever learns something writes it down."""

    request_id: str = "-"
    span: Span = UNTRACED
    code: str = "ok"
    """`ok`, an error's code, or `cancelled`."""
    status: int | str | None = None
    """HTTP's number or the name of gRPC's code; None where nothing was answered."""
    model: str | None = None
    """None where it was no inference."""
    protocol: Protocol | None = None
    job: Job | None = None
    """None where it was not let in."""
    _answer_began: tuple[float, float] | None = None

    def answers(self, status: int) -> None:
        """Say that the answer begins, on REST."""
        self.status, self._answer_began = status, (time.time(), time.perf_counter())

    def sent(self) -> None:
        """Say that the answer has been sent, or its client has gone: the last stage of what was let in."""
        if self.job is not None and self._answer_began is not None:
            epoch, began = self._answer_began
            self.job.add(StageRun("send", epoch, time.perf_counter() - began))

    def fields(self, seconds: float) -> dict[str, object]:
        """Return what the access line has beside its sentence.

        Args:
            seconds: How long the request took.
        """
        told: dict[str, object] = {"code": self.code, "seconds": round(seconds, 6)}
        if self.model is not None:
            told |= {"model": self.model, "protocol": self.protocol}
        if self.job is not None:
            told["stages"] = {stage: round(taken, 6) for stage, taken in self.job.stage_seconds.items()}
        return told


ACCESS: ContextVar[Access] = ContextVar("access")
"""The request that the current task works for."""
