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


def compare(
    rows: Sequence[Row], workers: Mapping[str, Worker], floors: Mapping[str, Mapping[str, float | None]], *, quick: bool
) -> list[Result]:
    """Run every row: a warm-up of each side, then rounds of reference and ours.

    Args:
        rows: What to compare.
        workers: By side.
        floors: Milliseconds by side and task; None where no network runs.
        quick: Fewer rounds.

    Raises:
        BenchFailed: A side broke down.
    """
    results = []
    with tqdm(rows, unit="job", disable=None) as bar:
        for row in bar:
            bar.set_postfix_str(row.job)
            results.append(
                _compare(row, workers["reference"], workers[row.side], floors[row.side][row.task], quick=quick)
            )
            tqdm.write(f"{row.job}: {results[-1].ratio:.1f} times faster{_goal(row)}", file=sys.stderr)
    return results


def _compare(row: Row, reference: Worker, ours: Worker, floor_ms: float | None, *, quick: bool) -> Result:
    warm_up = _round(row, reference, ours)
    long = sum(cost.milliseconds for cost in warm_up) > _LONG_MILLISECONDS
    count = _ROUNDS_LONG if long else _ROUNDS_QUICK if quick else _ROUNDS
    rounds = [_round(row, reference, ours) for _ in range(count)]
    return Result(row, [one for one, _ in rounds], [one for _, one in rounds], floor_ms)


def _goal(row: Row) -> str:
    return "" if row.goal is None else f" (goal {row.goal:g})"


def _round(row: Row, reference: Worker, ours: Worker) -> tuple[Cost, Cost]:
    return reference.run(row.task), ours.run(row.task)
