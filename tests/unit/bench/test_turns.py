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
        return Cost(self.milliseconds * (100 if cold else 1), 1.0, 1.0, 1.0)


def _sides(milliseconds: float = 10.0) -> tuple[Any, list[tuple[str, str]]]:
    log: list[tuple[str, str]] = []
    workers: dict[str, Worker] = {
        side: FakeWorker(side, log, milliseconds)  # type: ignore[misc]
        for side in ("reference", "ours", "ours_fp32")
    }
    return workers, log


def test_both_sides_run_in_turns_and_the_warm_up_does_not_count() -> None:
    workers, log = _sides()

    (result,) = compare([Row("A", "a", 2)], workers, quick=False)

    assert log == [("reference", "a"), ("ours", "a")] * 6
    assert [cost.milliseconds for cost in [*result.reference, *result.ours]] == [10.0] * 10


def test_a_row_is_run_by_the_side_it_names() -> None:
    workers, log = _sides()

    (result,) = compare([Row("A", "a", 2, side="ours_fp32")], workers, quick=True)

    assert {side for side, _ in log} == {"reference", "ours_fp32"}
    assert result.row.side == "ours_fp32"


def test_rows_of_one_task_share_the_runs_of_the_reference() -> None:
    workers, log = _sides()
    rows = [Row("A", "a"), Row("B", "b"), Row("A in fp32", "a", side="ours_fp32")]

    results = compare(rows, workers, quick=True)

    assert [result.row for result in results] == rows
    assert log[:3] == [("reference", "a"), ("ours", "a"), ("ours_fp32", "a")]
    assert len([one for one in log if one == ("reference", "a")]) == 4


def test_a_round_longer_than_a_minute_is_run_twice_and_a_quick_one_three_times() -> None:
    long, log_long = _sides(400.0)  # 80 s in the warm-up
    quick, log_quick = _sides()

    compare([Row("B", "b")], long, quick=False)
    compare([Row("B", "b")], quick, quick=True)

    assert (len(log_long), len(log_quick)) == (2 * (1 + 2), 2 * (1 + 3))
