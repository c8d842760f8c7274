"""Runs both sides of every row in turns, so that what else the machine does meets both alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from predictor.bench.table import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.bench.measure import Cost
    from predictor.bench.table import Row
    from predictor.bench.worker import Worker

_ROUNDS, _ROUNDS_QUICK, _ROUNDS_LONG = 5, 3, 2
_LONG_MILLISECONDS = 60_000.0


def compare(rows: Sequence[Row], workers: Mapping[str, Worker], *, quick: bool) -> list[Result]:
    """Run every task: a warm-up of each side, then rounds of the reference and of every side of ours that has a row.

    Args:
        rows: What to compare; rows of one task share the reference's runs.
        workers: By side.
        quick: Fewer rounds.

    Returns:
        A result for each row, in their order.

    Raises:
        BenchFailed: A side broke down.
    """
    results: dict[Row, Result] = {}
    with tqdm(dict.fromkeys(row.task for row in rows), unit="task", disable=None) as bar:
        for task in bar:
            bar.set_postfix_str(task)
            costs = _costs(task, {side: workers[side] for side in _sides(task, rows)}, quick=quick)
            for row in (row for row in rows if row.task == task):
                results[row] = Result(row, costs["reference"], costs[row.side])
                tqdm.write(f"{row.job}: {results[row].ratio:.1f} times faster{_goal(row)}", file=sys.stderr)
    return [results[row] for row in rows]


def _sides(task: str, rows: Sequence[Row]) -> list[str]:
    return ["reference", *dict.fromkeys(row.side for row in rows if row.task == task)]


def _costs(task: str, workers: Mapping[str, Worker], *, quick: bool) -> dict[str, list[Cost]]:
    warm_up = {side: worker.run(task) for side, worker in workers.items()}
    long = sum(cost.milliseconds for cost in warm_up.values()) > _LONG_MILLISECONDS
    count = _ROUNDS_LONG if long else _ROUNDS_QUICK if quick else _ROUNDS
    costs: dict[str, list[Cost]] = {side: [] for side in workers}
    for _ in range(count):
        for side, worker in workers.items():
            costs[side].append(worker.run(task))
    return costs


def _goal(row: Row) -> str:
    return "" if row.goal is None else f" (goal {row.goal:g})"
