from __future__ import annotations

import asyncio
import itertools
import threading
import time
from contextlib import suppress

import pytest

from predictor.errors import ClientGone, DeadlineExceeded, NoFaceFound
from predictor.job import Countable, Job, StageRun, code_of, running_job


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


# ── the account ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def began(self, stage: str) -> None:
        self.told.append(stage)

    def ran(self, run: StageRun) -> None:
        self.told.append((run.stage, run.error))

    def counted(self, what: Countable, number: int, label: str) -> None:
        self.told.append((what, number, label))


def test_every_run_of_a_stage_has_its_own_begin_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", itertools.count(1_000_000.0, 60.0).__next__)
    monkeypatch.setattr(time, "perf_counter", itertools.count(0.0, 1.5).__next__)
    job = Job()

    for _ in range(2):
        with job.stage("restore"):
            pass

    assert job.runs == (StageRun("restore", 1_000_000.0, 1.5), StageRun("restore", 1_000_060.0, 1.5))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoFaceFound("me.jpg"), "no_face_found"),
        (ValueError("ours"), "internal"),
        (ClientGone("the answer"), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
    ],
    ids=repr,
)
def test_a_run_that_fails_says_how(error: BaseException, code: str) -> None:
    job = Job()

    with pytest.raises(type(error)), job.stage("swap"):
        raise error

    assert [run.error for run in job.runs] == [code] == [code_of(error)]


def test_a_run_that_was_elsewhere_counts_like_one_that_was_here() -> None:
    job = Job()

    job.add(StageRun("swap", 5.0, 2.0))
    job.add(StageRun("swap", 9.0, 1.0))

    assert job.stage_seconds == {"swap": 3.0}


def test_what_is_counted_adds_up_by_label_from_any_thread() -> None:
    job = Job()

    def found() -> None:
        for _ in range(1000):
            job.count("faces_found", 2)

    threads = [threading.Thread(target=found) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job.count("retries", label="swap")
    job.count("pictures_skipped", 0, "no_face_found")

    assert job.counts == {("faces_found", ""): 8000, ("retries", "swap"): 1}


def test_who_watches_is_told_everything_in_order_and_what_has_run_already() -> None:
    job, early, late = Job(), Notes(), Notes()
    job.watch(early)
    job.add(StageRun("receive", 4.0, 1.0))

    with suppress(NoFaceFound), job.stage("detect"):
        job.count("faces_found", 3)
        job.watch(late)
        raise NoFaceFound("me.jpg")
    job.add(StageRun("swap", 5.0, 2.0))

    assert early.told == [
        ("receive", None),
        "detect",
        ("faces_found", 3, ""),
        ("detect", "no_face_found"),
        ("swap", None),
    ]
    assert late.told == [("receive", None), ("detect", "no_face_found"), ("swap", None)]


def test_a_thread_knows_the_job_whose_stage_it_runs_and_no_other() -> None:
    job, other = Job(), Job()

    with job.stage("swap"):
        outer = running_job()
        with other.stage("detect"):
            inner = running_job()
        again = running_job()

    assert (outer, inner, again, running_job()) == (job, other, job, None)
