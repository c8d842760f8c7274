"""`make load`: bounded load on loopback, a table of what came of it, and two plots.

The calls are locust's, in a process of their own; nothing leaves this machine, and all of it ends by itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from predictor.bench.machine import describe
from predictor.client.server_process import termination_as_interrupt
from predictor.errors import PredictorError
from predictor.runtime.threads import available_threads
from tests.load import added, asks, curve, overload, plots, report, rollouts, soak, trouble
from tests.load.arena import ECHO, Arena, arena, health_seconds, memory_of, predictor
from tests.load.calls import Ran, lost, quantile
from tests.load.curve import Step
from tests.load.processes import AHEAD
from tests.load.report import Part
from tests.load.rows import Goal, Row, Table

_MOST_ADDED_MS = 10
_LOST_COLUMNS = ("stage", "who called", "at, s", "for, s", "what came")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long everything takes."""

    step_seconds: float = 10.0
    added_rounds: int = 40
    overload_turns: int = 16
    overload_seconds: float = 10.0
    trouble_seconds: float = 30.0
    rounds: int = 20
    soak_seconds: float = 600.0


_QUICK = Lengths(2.0, 8, 1, 6.0, 8.0, 2, 20.0)


@dataclass(slots=True)
class Run:
    """A part that runs: its rows are told and written as they come, so that nothing is lost if it breaks off."""

    part: Part
    folder: Path
    lengths: Lengths

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows in, tell them, and write everything."""
        self.part.rows += rows
        for row in rows:
            verdict = {True: "holds", False: "DOES NOT HOLD", None: ""}[row.holds]
            _tell(f"  {row.what}: {row.as_json()['figure']} {row.goal or ''} {verdict}".rstrip())
        report.write(self.part, self.folder)

    def end(self, runs: Mapping[str, Sequence[Ran]]) -> None:
        """List the calls that were lost, for whoever looks for the reason, and how busy the machine was at the end."""
        self.part.machine["load_average_at_end"] = round(os.getloadavg()[0], 2)
        if lines := lost(runs):
            self.part.tables[f"Lost calls of {self.part.name}"] = Table(_LOST_COLUMNS, lines)
        report.write(self.part, self.folder)

    @property
    def missed(self) -> list[Row]:
        """The rows that do not hold."""
        return [row for row in self.part.rows if row.holds is False]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; return 0 if every goal holds, 1 if one does not or the run failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.run", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/load"), help="folder for the report (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour, fewer goals")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part, the others' results are kept")
    options = parser.parse_args(arguments)
    folder: Path = options.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lengths = _QUICK if options.quick else Lengths()
    try:
        with termination_as_interrupt():
            missed = _run(folder, lengths, options.only or list(PARTS))
    except PredictorError as error:
        _tell(str(error))
        return 1
    except KeyboardInterrupt:
        _tell("stopped")
        return 130
    _tell(f"{folder / 'load.md'}: {len(missed)} rows do not hold")
    return 1 if missed else 0


def _run(folder: Path, lengths: Lengths, names: Sequence[str]) -> list[Row]:
    report.forget(folder, names)
    missed = []
    for name in names:
        _tell(f"{name}:")
        run = Run(Part(name, _machine()), folder, lengths)
        PARTS[name](run)
        missed += run.missed
    return missed


def _calls(run: Run) -> None:
    """Run all that one server is asked, one thing after another."""
    lengths, steps = run.lengths, list[Step]()
    with ExitStack() as stack:
        server = stack.enter_context(predictor(run.folder / "calls"))
        memory = stack.enter_context(memory_of(server.pid))
        around = stack.enter_context(arena(server))
        run.add(_floor(around, lengths))
        run.add(_added(around, lengths))
        for protocol in curve.protocols():
            for level in curve.levels(protocol):
                step = around.run("step", curve.populations(protocol, level), lengths.step_seconds)
                steps.append(Step(protocol, level, step))
        run.part.tables["Step curve, 1280×886"] = curve.table(steps)
        run.add(curve.rows(steps))
        plots.plot_latency(steps, run.folder / "latency.png")
        best = curve.best(steps)
        run.add(overload.rows(overload.run(around, best, lengths.overload_turns, lengths.overload_seconds)))
        for sizes in trouble.SIZES:
            run.add(sizes.rows(around.run("sizes", sizes.populations(), lengths.trouble_seconds)))
        alone = around.run("good", trouble.good(), lengths.trouble_seconds)
        for beside, others in (("slow clients", trouble.slow()), ("clients that leave", trouble.leavers())):
            watched = around.run(beside, [*trouble.good(), *others], lengths.trouble_seconds)
            run.add(trouble.rows(beside, watched, alone, trouble.settled_in_flight(around)))
        run.end(around.runs)
        plots.plot_memory({"calls of every kind": memory}, run.folder / "memory_of_calls.png")


def _floor(around: Arena, lengths: Lengths) -> list[Row]:
    """Return what the prober takes on a server that nobody calls."""
    probed = around.idle(lengths.trouble_seconds / 3)
    return [
        Row("health of the idle server: p99, ms", quantile(health_seconds(probed), "p99")),
        Row("the same prober on a process that only answers: p99, ms", quantile(probed.seconds[ECHO], "p99")),
    ]


def _added(around: Arena, lengths: Lengths) -> list[Row]:
    taken = added.measure(around.ports, asks.swap(), lengths.added_rounds)
    alone = median(taken[added.PIPELINE])
    goal = Goal("<", _MOST_ADDED_MS)
    rows = [Row("swap of a 1280×886 JPEG in the pipeline alone: median, ms", alone)]
    for way in (way for way in taken if way != added.PIPELINE):
        more, error = added.added(taken, way)
        # what cannot be told from noise is not measured, and so does not hold
        rows += [
            Row(
                f"what serving over {way} adds to it, median of turns, ms",
                more if error < _MOST_ADDED_MS else None,
                goal,
            ),
            Row(f"what serving over {way} adds to it: error of that median, ms", error),
            Row(f"what serving over {way} adds to it, quickest turns, ms", added.added_at_best(taken, way)),
        ]
    return rows


def _rollouts(run: Run) -> None:
    rounds = run.lengths.rounds
    done = rollouts.run(run.folder / "rollouts", rounds, lambda number: _tell(f"  round {number}"))
    run.add(rollouts.rows(done, rounds))
    run.end({"rollouts": [done.ran]})


def _soak(run: Run) -> None:
    with (
        predictor(run.folder / "soak") as server,
        arena(server) as around,
        memory_of(server.pid) as memory,
    ):
        run.add(soak.rows(around.run("soak", soak.populations(), run.lengths.soak_seconds), memory))
        run.end(around.runs)
        plots.plot_memory({"soak": memory}, run.folder / "memory.png")


PARTS: Mapping[str, Callable[[Run], None]] = {"calls": _calls, "rollouts": _rollouts, "soak": _soak}


def _machine() -> dict[str, object]:
    chosen = sorted(name for name in os.environ if name.startswith("PREDICTOR_"))
    return describe(available_threads()) | {
        "locust": version("locust"),
        "settings": chosen or "default",
        "client": f"on the same processors as the server; who times refusals has nice {AHEAD} where it may",
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
