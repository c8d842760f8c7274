from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from predictor.errors import DeadlineExceeded, NotReady, Overloaded, StageFailed
from predictor.job import Job
from predictor.scaling.calls import Calls, RemoteTraceback
from predictor.scaling.outcomes import Broken, Done, Dropped, Ticket
from predictor.serving.logs import REQUEST_ID


@dataclass
class Answer:
    """A response that does one thing after another."""

    script: list[Any]
    cancelled: bool = False

    def result(self, *, timeout_s: float | None = None) -> Any:  # noqa: ANN401
        assert timeout_s is not None
        assert timeout_s < 1
        (thing, *rest) = self.script
        self.script = rest or [thing]
        if callable(thing):
            return thing()
        if isinstance(thing, BaseException):
            raise thing
        return thing

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Replicas:
    """A handle whose calls are answered from a list, the last for ever."""

    answers: list[Answer]
    orders: list[tuple[Any, ...]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return type("Method", (), {"remote": lambda _, *args: self.send(name, args)})()

    def send(self, name: str, args: tuple[Any, ...]) -> Answer:
        self.orders.append((name, *args))
        return self.answers[min(len(self.orders), len(self.answers)) - 1]


@pytest.fixture
def pauses() -> list[float]:
    return []


def calls(replicas: Replicas, pauses: list[float]) -> Calls:
    return Calls("swapper", replicas, pauses.append)


def answers(*scripts: Any) -> Replicas:  # noqa: ANN401
    return Replicas([Answer(script if isinstance(script, list) else [script]) for script in scripts])


def test_an_answer_is_waited_for_and_the_order_says_for_whom_and_how_long(pauses: list[float]) -> None:
    replicas, job = answers([TimeoutError(), TimeoutError(), Done(["crop"])]), Job(60.0)
    token = REQUEST_ID.set("request-1")

    with job.stage("swap"):
        answer = calls(replicas, pauses).ask("swap", ["crop"], ["identity"])
    REQUEST_ID.reset(token)

    assert answer == ["crop"]
    (method, ticket, *rest) = replicas.orders[0]
    assert (method, rest) == ("swap", [["crop"], ["identity"]])
    assert isinstance(ticket, Ticket)
    assert ticket.request_id == "request-1"
    assert ticket.remaining_seconds is not None
    assert 0 < ticket.remaining_seconds <= 60


def test_without_a_job_nobody_is_asked_and_there_is_no_deadline(pauses: list[float]) -> None:
    replicas = answers([TimeoutError(), Done(1)])

    assert calls(replicas, pauses).ask("swap") == 1
    assert replicas.orders[0][1].remaining_seconds is None


def task_error(cause: Exception) -> RayTaskError:
    return RayTaskError("function", "a traceback of another machine", cause)  # type: ignore[no-untyped-call]


LOST = [
    ActorDiedError(),
    ActorUnavailableError("the node is gone", None),
    NodeDiedError("the node died"),  # type: ignore[no-untyped-call]
    WorkerCrashedError(),
    ObjectLostError("00" * 28, None, ""),
    TaskCancelledError(),
    task_error(WorkerCrashedError()),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_an_order_whose_replica_is_lost_is_sent_again_and_counted(
    error: RayError, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    replicas, job = answers(error, error, Done("swapped")), Job(60.0)

    with caplog.at_level(logging.WARNING), job.stage("swap"):
        answer = calls(replicas, pauses).ask("swap", ["crop"])

    assert answer == "swapped"
    assert [order[0] for order in replicas.orders] == ["swap"] * 3
    assert job.counts == {("retries", "swap"): 2}
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2


def test_it_is_not_sent_for_ever(pauses: list[float]) -> None:
    replicas, job = answers(ActorDiedError()), Job()

    with job.stage("swap"), pytest.raises(NotReady):
        calls(replicas, pauses).ask("swap")

    assert len(replicas.orders) == 10
    assert job.counts == {("retries", "swap"): 9}
    assert max(pauses) <= 2.0


def test_it_is_not_sent_again_once_nobody_waits(pauses: list[float]) -> None:
    job = Job()

    def lost() -> None:
        job.abandon()
        raise ActorDiedError

    replicas = answers([lost])

    with job.stage("swap"), pytest.raises(DeadlineExceeded):
        calls(replicas, pauses).ask("swap")

    assert len(replicas.orders) == 1
    assert job.counts == {}


def test_a_pause_never_outlasts_the_deadline(pauses: list[float]) -> None:
    job = Job(0.01)
    replicas = answers(ActorDiedError())

    with job.stage("swap"), pytest.raises(DeadlineExceeded):
        Calls("swapper", replicas, _sleep_and_note(pauses)).ask("swap")

    assert max(pauses) <= 0.01


def _sleep_and_note(pauses: list[float]) -> Callable[[float], None]:
    import time  # noqa: PLC0415

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(0.02)

    return pause


@pytest.mark.parametrize("ending", ["abandoned", "late"])
def test_an_order_is_taken_back_when_nobody_waits_any_more(ending: str, pauses: list[float]) -> None:
    job = Job(None if ending == "abandoned" else 0.05)

    def look() -> None:
        if ending == "abandoned":
            job.abandon()
        raise TimeoutError

    replicas = answers([look])

    with job.stage("swap"), pytest.raises(DeadlineExceeded):
        calls(replicas, pauses).ask("swap")

    assert replicas.answers[0].cancelled


def test_replicas_are_not_asked_for_nobody(pauses: list[float]) -> None:
    job, replicas = Job(), answers(Done(1))

    with job.stage("swap"):
        job.abandon()
        with pytest.raises(DeadlineExceeded):
            calls(replicas, pauses).ask("swap")

    assert replicas.orders == []


def test_a_stage_that_fails_there_fails_here_without_a_word_of_another_machine(pauses: list[float]) -> None:
    replicas = answers(Broken("swap: the network's answer is not finite", 'File "/srv/predictor/x.py", line 1'))

    with pytest.raises(StageFailed) as caught:
        calls(replicas, pauses).ask("swap")

    assert caught.value.sentence == "swap: the network's answer is not finite"
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "/srv/predictor" in str(caught.value.__cause__)
    assert len(replicas.orders) == 1


def test_an_exception_of_ours_that_crosses_all_the_same_is_our_failure_and_not_retried(pauses: list[float]) -> None:
    replicas = answers(task_error(ValueError("/srv/secret")))

    with pytest.raises(StageFailed) as caught:
        calls(replicas, pauses).ask("swap")

    assert "/srv/secret" not in caught.value.sentence
    assert len(replicas.orders) == 1


def test_too_many_waiting_for_a_stage_is_overload_with_the_time_an_answer_takes(pauses: list[float]) -> None:
    with pytest.raises(Overloaded) as caught:
        calls(answers(BackPressureError(5, 5)), pauses).ask("swap")

    assert caught.value.retry_after_seconds >= 1


def test_a_stage_that_could_not_be_deployed_is_not_ready(pauses: list[float]) -> None:
    error = DeploymentUnavailableError(DeploymentID("swapper", "faceswap"))

    with pytest.raises(NotReady):
        calls(answers(error), pauses).ask("swap")


@pytest.mark.parametrize("late", [True, False])
def test_an_order_that_was_dropped_there_is_late_here(late: bool, pauses: list[float]) -> None:  # noqa: FBT001
    job = Job(60.0 if not late else None)

    def dropped() -> Dropped:
        if late:
            job.abandon()
        return Dropped()

    with job.stage("swap"), pytest.raises(DeadlineExceeded):
        calls(answers([dropped]), pauses).ask("swap")


def test_what_a_stage_is_like_is_waited_for(pauses: list[float]) -> None:
    facts = object()

    assert calls(answers([TimeoutError(), facts]), pauses).describe() is facts


def test_a_busy_stage_says_how_long_it_usually_takes(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    ticks: Iterator[float] = itertools.chain([0.0, 100.0], itertools.repeat(100.0))
    monkeypatch.setattr("predictor.scaling.calls.time.monotonic", lambda: next(ticks))
    busy = answers(Done(1), BackPressureError(5, 5))
    stage = calls(busy, pauses)

    stage.ask("swap")
    with pytest.raises(Overloaded) as caught:
        stage.ask("swap")

    assert caught.value.retry_after_seconds == 21  # a fifth of the way from 1 to 100
