"""What /metrics says of the work inside requests."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from predictor.errors import NoFaceFound
from predictor.job import Countable, Job, StageRun
from predictor.serving.work_metrics import BUCKETS, WorkMetrics


class Page:
    """The metrics of two models, and a job of the first one."""

    def __init__(self) -> None:
        self.metrics = WorkMetrics(["faceswap", "faceswap-detect"])
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)
        self.job = Job()
        self.job.watch(self.metrics.watcher("faceswap"))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"predictor_{name}", {"model": "faceswap", **labels})


@pytest.fixture
def page() -> Page:
    return Page()


def test_what_has_no_other_label_is_there_from_the_start(page: Page) -> None:
    for name in ("requests_queued", "request_wait_seconds_count", "faces_found_total", "decoded_pixels_total"):
        for model in ("faceswap", "faceswap-detect"):
            assert page.registry.get_sample_value(f"predictor_{name}", {"model": model}) == 0.0


def test_a_request_is_queued_while_it_waits_and_its_wait_is_timed(page: Page) -> None:
    with suppress(NoFaceFound), page.job.stage("wait"):
        assert page.value("requests_queued") == 1.0
        raise NoFaceFound("whatever ends its wait")

    with page.job.stage("swap"):
        assert page.value("requests_queued") == 0.0
    assert page.value("request_wait_seconds_count") == 1.0
    assert page.value("stage_duration_seconds_count", stage="wait") is None


def test_every_run_of_a_stage_is_in_the_bucket_of_its_length(page: Page) -> None:
    for seconds in (0.0008, 0.03, 0.03, 45.0, 400.0):
        page.job.add(StageRun("swap", 1.0, seconds, None if seconds < 1 else "internal"))

    counts = [page.value("stage_duration_seconds_bucket", stage="swap", le=str(bound)) for bound in (*BUCKETS, "+Inf")]
    assert counts[0] == 1.0
    assert counts[BUCKETS.index(0.05)] == 3.0
    assert counts[BUCKETS.index(60.0)] == 4.0
    assert counts[-2:] == [4.0, 5.0]


def test_everything_that_a_job_counts_has_a_counter(page: Page) -> None:
    for number, what in enumerate(get_args(Countable), start=1):
        label = {"faces_skipped": "too_small", "pictures_skipped": "no_face_found", "retries": "swap"}.get(what, "")
        page.job.count(what, number, label)

    values = {sample.name: sample.value for family in page.metrics.collect() for sample in family.samples}
    counted = {name: value for name, value in values.items() if name.endswith("_total")}
    assert len(counted) == len(get_args(Countable))
    assert page.value("pictures_skipped_total", reason="no_face_found") == 9.0
    assert page.value("stage_retries_total", stage="swap") == 10.0


def test_threads_lose_no_count(page: Page) -> None:
    def found() -> None:
        for _ in range(500):
            page.job.count("faces_found")

    threads = [threading.Thread(target=found) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert page.value("faces_found_total") == 2000.0


def test_only_the_time_of_requests_that_ended_well_is_theirs(page: Page) -> None:
    page.metrics.answered("faceswap", "grpc", 0.2)

    assert page.value("request_duration_seconds_count", protocol="grpc") == 1.0
    assert page.value("request_duration_seconds_count", protocol="v1") is None


def test_its_names_are_taken(page: Page) -> None:
    with pytest.raises(ValueError, match="Duplicated"):
        page.registry.register(WorkMetrics(["faceswap"]))
    assert b"predictor_requests_queued" in generate_latest(page.registry)
