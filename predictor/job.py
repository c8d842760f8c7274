"""One request's work: its deadline, whether anybody still waits for it, and where its time went."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from predictor.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator


class Job:
    """Handed down through the pipeline; `stage` is the only place where work is timed and given up.

    Args:
        timeout_seconds: Counted from now; None waits for ever.
    """

    def __init__(self, timeout_seconds: float | None = None) -> None:
        self.timeout_seconds = timeout_seconds
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._abandoned = threading.Event()
        self._seconds: dict[str, float] = {}

    def abandon(self) -> None:
        """Say that nobody waits any more; the work ends before its next stage."""
        self._abandoned.set()

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds until the deadline, not below 0; None where there is none."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Raise DeadlineExceeded if the deadline has passed or nobody waits any more."""
        if self._abandoned.is_set() or self.remaining_seconds == 0.0:
            raise DeadlineExceeded(self.timeout_seconds or 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run one stage: refuse to begin it for nobody, and add its time to the stage's account."""
        self.check()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent so far, by stage."""
        return dict(self._seconds)
