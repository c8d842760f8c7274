"""One side of the bench in a process of its own: loads its models once, runs the job it is told, and says the cost.

A line of JSON comes in, `{"task": "swap_six"}`; a line goes out, a `Cost`. Processes of their own keep the two
sides from sharing thread pools, memory and patched packages.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, Self

from predictor.bench.measure import Cost, cost_of
from predictor.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


_PEAK = "the matrix peak"


class BenchFailed(PredictorError):
    """A side could not be loaded, or broke down in a task."""


class Side(Protocol):
    """A loaded side of the bench."""

    tasks: Mapping[str, Callable[[], object]]
    facts: Mapping[str, object]
    """What it runs on, for the report."""
    peak: Callable[[], float | None]
    """Measures multiply-accumulates a second of a matrix product, where the side can."""


class Worker:
    """The process of one side; use it as a context.

    Args:
        module: Where the side's `load(*, random)` is.
        environment: What the process is told besides what this one was.
        random: Whether the weights are stand-ins.

    Raises:
        BenchFailed: By every method: the process died; its own words are on stderr.
    """

    def __init__(self, module: str, environment: Mapping[str, str], *, random: bool) -> None:
        self._module = module
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "predictor.bench.worker", module, "random" if random else "real"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def facts(self) -> dict[str, object]:
        """Return what the side says of itself, once it is loaded."""
        return self._ask({"task": None})

    def peak(self) -> float | None:
        """Measure the matrix peak; ask when the other sides are idle."""
        measured = self._ask({"task": _PEAK})["peak"]
        return measured if isinstance(measured, float) else None

    def run(self, task: str) -> Cost:
        """Run a task once."""
        answer = self._ask({"task": task})
        return Cost(**answer)  # type: ignore[arg-type]  # what our own module wrote

    def _ask(self, question: dict[str, object]) -> dict[str, object]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; the empty answer says so
        line = self._process.stdout.readline()
        if not line:
            raise BenchFailed(f"a side of the bench, {self._module}, stopped (exit {self._process.wait()})")
        answer: dict[str, object] = json.loads(line)
        return answer


def _answer(side: Side, task: str | None) -> dict[str, object]:
    if task is None:
        return dict(side.facts)
    return {"peak": side.peak()} if task == _PEAK else asdict(cost_of(side.tasks[task]))


def main(module: str, weights: str) -> None:
    """Serve the tasks of one side on stdin and stdout."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # the packages print; stdout is for answers
        side: Side = importlib.import_module(module).load(random=weights == "random")
        for line in sys.stdin:
            task = json.loads(line)["task"]
            print(json.dumps(_answer(side, task)), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
