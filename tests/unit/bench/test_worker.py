from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from predictor.bench.machine import describe
from predictor.bench.measure import cost_of
from predictor.bench.worker import BenchFailed, Worker


@pytest.fixture
def toy() -> Iterator[Worker]:
    with Worker("tests.unit.bench.toy_side", {"TOLD": "yes"}, random=True) as worker:
        yield worker


def test_a_side_says_what_it_runs_on_and_is_told_what_it_needs(toy: Worker) -> None:
    assert toy.facts() == {"weights": "random", "told": "yes"}


def test_the_matrix_peak_is_measured_when_asked_for(toy: Worker) -> None:
    assert toy.peak() == 7.0


def test_a_short_job_is_repeated_and_a_cost_is_of_one_run() -> None:
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        time.sleep(0.01)

    cost = cost_of(run)

    assert len(runs) > 5
    assert 10 <= cost.milliseconds < 100


def test_a_cost_is_of_the_task_alone_whatever_packages_print(toy: Worker) -> None:
    waited, burnt = toy.run("work"), toy.run("burn")

    assert waited.milliseconds >= 50
    assert waited.cpu_milliseconds < 50 <= burnt.cpu_milliseconds


def test_the_peak_of_memory_is_of_the_run_and_not_of_one_before() -> None:
    def hold() -> None:
        held = bytearray(b"1" * (256 << 20))
        del held

    holding, after = cost_of(hold), cost_of(lambda: None)

    assert holding.peak_mib - after.peak_mib > 128
    assert holding.own_mib > 128 > after.own_mib


def test_a_side_that_dies_ends_the_bench_with_its_name(toy: Worker) -> None:
    with pytest.raises(BenchFailed, match=r"tests\.unit\.bench\.toy_side, stopped \(exit 7\)"):
        toy.run("die")


def test_a_side_that_cannot_be_loaded_ends_the_bench() -> None:
    with Worker("tests.unit.bench.no_such_side", {}, random=False) as worker, pytest.raises(BenchFailed):
        worker.facts()


def test_the_machine_is_described() -> None:
    machine = describe(3)

    assert machine["threads"] == 3
    assert isinstance(machine["packages"], dict)
    assert "numpy" in machine["packages"]
    assert {"date", "processor", "flags", "memory_gib", "python"} <= machine.keys()
