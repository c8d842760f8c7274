"""`make load`: bounded load on loopback, a table of what came of it, and two plots.

The calls are locust's, in a process of their own; nothing leaves this machine, and all of it ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from predictor.bench.machine import describe
from predictor.client.server_process import termination_as_interrupt
from predictor.errors import PredictorError
from predictor.runtime.threads import available_threads
from tests.load import added, asks, curve, overload, plots, rollouts, soak, trouble
from tests.load.arena import ECHO, Arena, Memory, arena, health_seconds, memory_of, predictor
from tests.load.calls import quantile
from tests.load.curve import Step
from tests.load.rows import Goal, Row, Table, report, rows_table

_MOST_ADDED_MS = 10


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long everything takes."""

    step_seconds: float = 10.0
    added_rounds: int = 40
    overload_turns: int = 3
    overload_seconds: float = 15.0
    trouble_seconds: float = 30.0
    rounds: int = 20
    soak_seconds: float = 600.0


_QUICK = Lengths(2.0, 8, 1, 6.0, 8.0, 2, 20.0)
PARTS = ("calls", "rollouts", "soak")


@dataclass(slots=True)
class Report:
    """What has come out so far; written after every part, so that nothing is lost if the next one fails."""

    folder: Path
    machine: dict[str, object]
    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    memories: dict[str, Memory] = field(default_factory=dict)

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows in, tell them, and write everything."""
        self.rows += rows
        for row in rows:
            verdict = {True: "holds", False: "DOES NOT HOLD", None: ""}[row.holds]
            _tell(f"  {row.what}: {row.as_json()['figure']} {row.goal or ''} {verdict}")
        self.write()

    def write(self) -> None:
        """Write `load.json` and `load.md`."""
        shown = {"machine": self.machine, "rows": [row.as_json() for row in self.rows]}
        (self.folder / "load.json").write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", "utf-8")
        tables: dict[str, Table] = {"Under load": rows_table(self.rows)}
        if self.steps:
            tables["Step curve"] = curve.table(self.steps)
        (self.folder / "load.md").write_text(report(self.machine, tables), "utf-8")

    def plot(self) -> None:
        """Write the plots."""
        if self.steps:
            plots.plot_latency(self.steps, self.folder / "latency.png")
        if self.memories:
            plots.plot_memory(self.memories, self.folder / "memory.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; return 0 if every goal holds, 1 if one does not or the run failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.run", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/load"), help="folder for the report (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour, fewer goals")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts, by default all")
    options = parser.parse_args(arguments)
    folder: Path = options.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    made = Report(folder, _machine())
    try:
        with termination_as_interrupt():
            _run(made, _QUICK if options.quick else Lengths(), options.only or PARTS)
    except PredictorError as error:
        _tell(str(error))
        return 1
    except KeyboardInterrupt:
        _tell("stopped")
        return 130
    finally:
        made.write()
        made.plot()
    missed = [row.what for row in made.rows if row.holds is False]
    _tell(f"{folder / 'load.md'}: {len(missed)} of {len(made.rows)} rows do not hold")
    return 1 if missed else 0


def _run(made: Report, lengths: Lengths, parts: Sequence[str]) -> None:
    if "calls" in parts:
        _calls(made, lengths)
    if "rollouts" in parts:
        _rollouts(made, lengths)
    if "soak" in parts:
        _soak(made, lengths)


def _calls(made: Report, lengths: Lengths) -> None:
    """Run all that one server is asked, one thing after another."""
    with ExitStack() as stack:
        server = stack.enter_context(predictor(made.folder / "calls"))
        made.memories["calls of every kind"] = stack.enter_context(memory_of(server.process.pid))
        around = stack.enter_context(arena(server))
        made.add(_floor(around, lengths))
        made.add(_added(around, lengths))
        for protocol in curve.protocols():
            for level in curve.levels(protocol):
                step = around.run("step", curve.populations(protocol, level), lengths.step_seconds)
                made.steps.append(Step(protocol, level, step))
        made.add(curve.rows(made.steps))
        best = curve.best(made.steps)
        made.add(overload.rows(overload.run(around, best, lengths.overload_turns, lengths.overload_seconds)))
        for sizes in trouble.SIZES:
            made.add(sizes.rows(around.run("sizes", sizes.populations(), lengths.trouble_seconds)))
        alone = around.run("good", trouble.good(), lengths.trouble_seconds)
        for beside, others in (("slow clients", trouble.slow()), ("clients that leave", trouble.leavers())):
            watched = around.run(beside, [*trouble.good(), *others], lengths.trouble_seconds)
            made.add(trouble.rows(beside, watched, alone, trouble.settled_in_flight(around)))


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
    return [
        Row("swap of a 1280×886 JPEG in the pipeline alone: median, ms", alone),
        *(
            Row(f"what serving over {way} adds to it, median of turns, ms", added.added(taken, way), goal)
            for way in taken
            if way != added.PIPELINE
        ),
    ]


def _rollouts(made: Report, lengths: Lengths) -> None:
    done = rollouts.run(made.folder / "rollouts", lengths.rounds, lambda number: _tell(f"  round {number}"))
    made.add(rollouts.rows(done, lengths.rounds))


def _soak(made: Report, lengths: Lengths) -> None:
    with (
        predictor(made.folder / "soak") as server,
        arena(server) as around,
        memory_of(server.process.pid) as memory,
    ):
        made.memories["soak"] = memory
        made.add(soak.rows(around.run("soak", soak.populations(), lengths.soak_seconds), memory))


def _machine() -> dict[str, object]:
    chosen = sorted(name for name in os.environ if name.startswith("PREDICTOR_"))
    return describe(available_threads()) | {
        "locust": version("locust"),
        "settings": chosen or "default",
        "client": "on the same processors as the server, neither pinned nor niced",
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
