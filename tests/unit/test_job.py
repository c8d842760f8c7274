from __future__ import annotations

import itertools
import time

import pytest

from predictor.errors import DeadlineExceeded
from predictor.job import Job


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_job_without_a_timeout_never_ends() -> None:
    job = Job()

    job.check()

    assert job.remaining_seconds is None


def test_a_job_ends_when_its_deadline_has_passed(clock: Clock) -> None:
    job = Job(2.5)
    clock.seconds += 2.0
    job.check()
    assert job.remaining_seconds == 0.5

    clock.seconds += 0.5

    with pytest.raises(DeadlineExceeded) as caught:
        job.check()
    assert caught.value.details == {"timeout_seconds": 2.5}


def test_the_remaining_time_is_never_below_zero(clock: Clock) -> None:
    job = Job(1.0)

    clock.seconds += 10.0

    assert job.remaining_seconds == 0.0


def test_an_abandoned_job_begins_no_stage() -> None:
    job = Job(100.0)
    job.abandon()

    with pytest.raises(DeadlineExceeded), job.stage("swap"):
        pytest.fail("the stage was begun for nobody")

    assert job.stage_seconds == {}


def test_a_stage_that_runs_when_the_job_is_abandoned_goes_on_to_its_end() -> None:
    job = Job()

    with job.stage("swap"):
        job.abandon()

    assert "swap" in job.stage_seconds


def test_the_time_of_a_stage_adds_up_over_its_runs_even_if_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(0.0, 1.5)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    job = Job()

    with job.stage("detect"):
        pass
    with pytest.raises(ValueError, match="broken"), job.stage("detect"):
        raise ValueError("broken")
    with job.stage("swap"):
        pass

    assert job.stage_seconds == {"detect": 3.0, "swap": 1.5}


def test_what_a_job_tells_of_its_stages_is_a_copy() -> None:
    job = Job()

    job.stage_seconds["swap"] = 1.0

    assert job.stage_seconds == {}
