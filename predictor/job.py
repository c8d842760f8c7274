"""One request's work: its deadline, whether anybody still waits for it, and its account: where its time went.

The account is plain values, so that whatever runs stages keeps the same one: a thread here, or another machine.
"""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from predictor.errors import ClientGone, DeadlineExceeded, PredictorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CANCELLED = "cancelled"
"""The code of what ended because its client had gone."""

Countable: TypeAlias = Literal[
    "received_bytes",
    "sent_bytes",
    "pixels_decoded",
    "pixels_encoded",
    "faces_found",
    "faces_swapped",
    "faces_restored",
    "faces_skipped",
    "pictures_skipped",
    "retries",
]
"""What a job counts. Skipped ones are counted by the code of the reason, retries by their stage."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """One run of one stage, wherever it ran."""

    stage: str
    began: float
    """Seconds since the epoch, by the clock of the machine it ran on."""
    seconds: float
    error: str | None = None
    """The code of what ended it; None where it went well."""


_RUNNING: ContextVar[Job | None] = ContextVar("running_job", default=None)


def running_job() -> Job | None:
    """Return the job whose stage runs in this thread: what a stage asks that waits for another machine."""
    return _RUNNING.get()


class Watcher(Protocol):
    """Is told what a job's account is told, at once, in whichever thread that happens."""

    def began(self, stage: str) -> None:
        """A stage begins."""

    def ran(self, run: StageRun) -> None:
        """A stage has ended."""

    def counted(self, what: Countable, number: int, label: str) -> None:
        """Something was counted."""


class Job:
    """Handed down through the pipeline; `stage` is the only place where work is timed and given up.

    Args:
        timeout_seconds: Counted from now; None waits for ever.
    """

    def __init__(self, timeout_seconds: float | None = None) -> None:
        self.timeout_seconds = timeout_seconds
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._abandoned = threading.Event()
        self._runs: list[StageRun] = []
        self._counts: Counter[tuple[Countable, str]] = Counter()
        self._lock = threading.Lock()
        self._watchers: list[Watcher] = []

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
        """Run one stage: refuse to begin it for nobody, and put its run into the account, even if it fails."""
        self.check()
        for watcher in self._watchers:
            watcher.began(name)
        epoch, began, error = time.time(), time.perf_counter(), None
        token = _RUNNING.set(self)
        try:
            yield
        except BaseException as failure:
            error = code_of(failure)
            raise
        finally:
            _RUNNING.reset(token)
            self.add(StageRun(name, epoch, time.perf_counter() - began, error))

    def add(self, run: StageRun) -> None:
        """Put a run into the account, of this job's own stage or of one that ran elsewhere for it."""
        self._runs.append(run)
        for watcher in self._watchers:
            watcher.ran(run)

    def count(self, what: Countable, number: int = 1, label: str = "") -> None:
        """Count something that the work has done; `label` says of which kind."""
        if number:
            with self._lock:
                self._counts[what, label] += number
            for watcher in self._watchers:
                watcher.counted(what, number, label)

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody the runs that are in the account, then what comes into it, also after the answer.

        Abandoned work goes on; and what came before anybody knew whom to tell (a message, on gRPC) is told late.
        """
        for run in self._runs:
            watcher.ran(run)
        self._watchers = [*self._watchers, watcher]

    @property
    def runs(self) -> Sequence[StageRun]:
        """The runs of stages that have ended, in the order of their ends."""
        return tuple(self._runs)

    @property
    def counts(self) -> Mapping[tuple[Countable, str], int]:
        """What was counted, by what and label."""
        with self._lock:
            return dict(self._counts)

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent so far, by stage."""
        seconds: dict[str, float] = {}
        for run in self.runs:
            seconds[run.stage] = seconds.get(run.stage, 0.0) + run.seconds
        return seconds


def code_of(error: BaseException) -> str:
    """Return what programs call an error, or the going of the one who asked."""
    if isinstance(error, ClientGone | CancelledError):
        return CANCELLED
    return error.code if isinstance(error, PredictorError) else PredictorError.code
