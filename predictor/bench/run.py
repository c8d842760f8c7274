"""The whole bench: weights, both sides in turns, the table."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from predictor.bench.floor import with_floors
from predictor.bench.machine import describe
from predictor.bench.table import ROWS, markdown
from predictor.bench.turns import compare
from predictor.bench.weights import choose
from predictor.bench.worker import Worker
from predictor.runtime.threads import available_threads
from predictor.weights.convert.official_packages import make_importable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from predictor.bench.table import Result
    from predictor.bench.weights import Chosen

_SIDES: dict[str, tuple[str, dict[str, str]]] = {
    "reference": ("predictor.bench.peers", {}),
    "ours": ("predictor.bench.ours", {}),
    "ours_fp32": ("predictor.bench.ours", {"PREDICTOR_PRECISION": "fp32"}),
}
"""Where each side is, and what its process is told besides the settings of this one."""


def run(folder: Path, *, quick: bool) -> Path:
    """Compare ours with the reference, and write `bench.json` and `bench.md`.

    Args:
        folder: Where they go; stand-ins of weights are kept in it.
        quick: Fewer jobs and rounds: under 5 minutes on 2 cores.

    Returns:
        The table.

    Raises:
        StartupError: The extra `torch` is not installed.
        BenchFailed: A side broke down; its own words are on stderr.
    """
    make_importable()
    print("weights: made on first use where there are no real ones", file=sys.stderr)  # noqa: T201  # a minute of silence
    weights = choose(folder.absolute() / "stand-ins")
    rows = [row for row in ROWS if row.quick or not quick]
    machine = describe(available_threads())
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(_worker(side, weights))
            for side in ("reference", *dict.fromkeys(row.side for row in rows))
        }
        facts = {side: worker.facts() for side, worker in workers.items()}
        # measured when all are loaded and idle
        peaks = {side: peak for side, worker in workers.items() if (peak := worker.peak()) is not None}
        results = with_floors(compare(rows, workers, quick=quick), peaks)
    gigas = {side: f"{peak / 1e9:.0f} billion multiply-accumulates a second" for side, peak in peaks.items()}
    described = machine | {"weights": weights.why, "convolution": gigas} | {side: facts[side] for side in peaks}
    return _write(folder, described, results)


def _worker(side: str, weights: Chosen) -> Worker:
    module, environment = _SIDES[side]
    return Worker(module, weights.environment | environment, random=weights.random)


def _write(folder: Path, machine: Mapping[str, object], results: Sequence[Result]) -> Path:
    rows = [result.as_json() for result in results]
    (folder / "bench.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", "utf-8")
    table = folder / "bench.md"
    table.write_text(markdown(machine, results), "utf-8")
    return table
