"""Asks the replicas of a stage from a worker's thread, and waits there: for as long as somebody waits for the answer.

A stage is pure, so an order whose replica died is sent again. Whatever Ray says of it ends here, in words of ours.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any, Protocol

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from predictor.errors import DeadlineExceeded, NotReady, Overloaded, StageFailed
from predictor.job import running_job
from predictor.scaling.outcomes import Broken, Done, Ticket
from predictor.serving.logs import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from predictor.job import Job
    from predictor.scaling.workshop import StageName

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05
"""How often a thread that waits looks whether anybody waits for it."""
_TRIES = 10
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0
_NEWEST_WEIGHT = 0.2
_SAID_AS: Mapping[StageName, str] = {
    "detector": "detect",
    "swapper": "swap",
    "restorer": "restore",
    "upsampler": "upsample",
}
"""What errors, metrics and traces call the stage."""


class Response(Protocol):
    """What Ray Serve returns at once: a DeploymentResponse."""

    def result(self, *, timeout_s: float | None = None) -> Any:  # noqa: ANN401  # what the replica's method returns
        """Wait for the answer; TimeoutError if it did not come in time."""

    def cancel(self) -> None:
        """Take the order back."""


class Method(Protocol):
    """A method of the replicas."""

    def remote(self, *args: object) -> Response:
        """Send an order to one of them."""


class RemoteTraceback(Exception):
    """What a replica's log says too; the cause of a StageFailed, for the log and nobody else."""


class Calls:
    """The replicas of one stage, asked from threads.

    Args:
        stage: Which one.
        handle: Its DeploymentHandle: has a `Method` for each method of the replicas.
        pause: Waits between two tries.
    """

    def __init__(self, stage: StageName, handle: object, pause: Callable[[float], None] = time.sleep) -> None:
        self._stage = stage
        self._name = _SAID_AS[stage]
        self._handle = handle
        self._pause = pause
        self._typical_seconds = 1.0

    def describe(self) -> Any:  # noqa: ANN401  # the facts of its stage
        """Return what a replica tells of its stage; wait until there is one."""
        response = getattr(self._handle, "describe").remote()  # noqa: B009  # a handle has what its replicas have
        return _until(response, lambda: None)

    def ask(self, method: str, *args: object) -> Any:  # noqa: ANN401  # what the stage's method returns
        """Let a replica work, and return its answer.

        Raises:
            StageFailed: The stage failed there.
            DeadlineExceeded: Nobody waits any more; the order was taken back.
            Overloaded: So many wait for this stage already that no more are let in.
            NotReady: Its replicas were lost again and again.
        """
        job, pause = running_job(), _FIRST_PAUSE_SECONDS
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._answer(method, args, job)
            except _Lost as lost:
                if job:
                    job.check()  # Ray takes back what its caller no longer waits for: that is no loss
                _log.warning("%s: a replica was lost (%s); tries left: %d", self._name, lost, tries_left)
            if not tries_left:
                break
            if job:
                job.count("retries", label=self._name)
                pause = min(pause, job.remaining_seconds or pause)
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise NotReady(f"the stage {self._name} lost its replicas again and again")

    def _answer(self, method: str, args: tuple[object, ...], job: Job | None) -> Any:  # noqa: ANN401
        check = job.check if job else _nobody_asked
        check()
        ticket = Ticket(REQUEST_ID.get(), job.remaining_seconds if job else None)
        began = time.monotonic()
        try:
            outcome = self._outcome(method, ticket, args, check)
        except BackPressureError as error:
            raise Overloaded(max(1, math.ceil(self._typical_seconds))) from error
        except DeploymentUnavailableError as error:
            raise NotReady(f"the stage {self._name} could not be deployed") from error
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise StageFailed(self._name, "the order did not reach the stage") from error
            raise _Lost(type(error.cause).__name__) from error
        except RayError as error:
            raise _Lost(type(error).__name__) from error
        self._typical_seconds += _NEWEST_WEIGHT * (time.monotonic() - began - self._typical_seconds)
        return self._opened(outcome, check)

    def _outcome(self, method: str, ticket: Ticket, args: tuple[object, ...], check: Callable[[], None]) -> Any:  # noqa: ANN401
        response = getattr(self._handle, method).remote(ticket, *args)
        try:
            return _until(response, check)
        except DeadlineExceeded:
            response.cancel()
            raise

    def _opened(self, outcome: object, check: Callable[[], None]) -> Any:  # noqa: ANN401
        if isinstance(outcome, Done):
            return outcome.value
        if isinstance(outcome, Broken):
            reason = outcome.reason.removeprefix(f"{self._name}: ")
            raise StageFailed(self._name, reason) from RemoteTraceback(outcome.traceback)
        check()
        raise DeadlineExceeded(0.0)  # the replica's clock ran ahead of ours


class _Lost(Exception):
    """The order or its answer was lost with a machine or a process; what it is called by Ray."""


def _nobody_asked() -> None:
    """Let a call go on that no job stands behind: what is done at start."""


def _until(response: Response, check: Callable[[], None]) -> Any:  # noqa: ANN401
    while True:
        try:
            return response.result(timeout_s=_LOOK_SECONDS)
        except TimeoutError:
            check()
