from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from predictor.bench.measure import Cost
from predictor.bench.table import Row
from predictor.bench.turns import compare

if TYPE_CHECKING:
    from predictor.bench.worker import Worker


@dataclass
class FakeWorker:
    """A side that writes down what it was asked; its first run of a task is slow."""

    side: str
    log: list[tuple[str, str]]
    milliseconds: float
    seen: set[str] = field(default_factory=set)

    def run(self, task: str) -> Cost:
        self.log.append((self.side, task))
        cold = task not in self.seen
        self.seen.add(task)
        return Cost(self.milliseconds * (100 if cold else 1), 1.0, 1.0)


def _sides(milliseconds: float = 10.0) -> tuple[Any, list[tuple[str, str]]]:
    log: list[tuple[str, str]] = []
    workers: dict[str, Worker] = {
        side: FakeWorker(side, log, milliseconds)  # type: ignore[misc]
        for side in ("reference", "ours", "ours_fp32")
    }
    return workers, log


FLOORS = {"ours": {"a": 1.0, "b": None}, "ours_fp32": {"a": 4.0, "b": None}}


def test_both_sides_run_in_turns_and_the_warm_up_does_not_count() -> None:
    workers, log = _sides()

    (result,) = compare([Row("A", "a", 2)], workers, FLOORS, quick=False)

    assert log == [("reference", "a"), ("ours", "a")] * 6
    assert [cost.milliseconds for cost in [*result.reference, *result.ours]] == [10.0] * 10
    assert result.floor_ms == 1.0


def test_a_row_is_run_by_the_side_it_names_with_the_floor_of_that_side() -> None:
    workers, log = _sides()

    (result,) = compare([Row("A", "a", 2, side="ours_fp32")], workers, FLOORS, quick=True)

    assert {side for side, _ in log} == {"reference", "ours_fp32"}
    assert result.floor_ms == 4.0


def test_a_round_longer_than_a_minute_is_run_twice_and_a_quick_one_three_times() -> None:
    long, log_long = _sides(400.0)  # 80 s in the warm-up
    quick, log_quick = _sides()

    compare([Row("B", "b")], long, FLOORS, quick=False)
    compare([Row("B", "b")], quick, FLOORS, quick=True)

    assert (len(log_long), len(log_quick)) == (2 * (1 + 2), 2 * (1 + 3))
