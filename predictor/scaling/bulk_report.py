"""What a run tells: a line for every picture, those set aside once more by themselves, and the count of each."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import IO

    from predictor.scaling.bulk_places import Place
    from predictor.scaling.bulk_records import Record
    from predictor.scaling.bulk_worker import State

REPORT, REJECTED, SUMMARY = "report.jsonl", "rejected.jsonl", "summary.json"


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of all pictures."""

    done: int
    """In this run."""
    before: int
    """In an earlier run, and not again."""
    set_aside: int
    seconds: float
    stopped: bool
    """Whether the run ended before it had seen all pictures."""
    output: str

    @property
    def complete(self) -> bool:
        """Whether there is a result of every picture."""
        return not self.stopped and not self.set_aside

    def as_text(self) -> str:
        """Return it for a person."""
        total = self.done + self.before + self.set_aside
        rate = self.done / self.seconds if self.seconds else 0.0
        counts = f"{self.done:,} done, {self.before:,} done before, {self.set_aside:,} set aside"
        why = f", {REJECTED} why some were set aside" if self.set_aside else ""
        lines = [
            f"{_counted(total)}: {counts}, in {self.seconds:.1f} s ({rate:.2f} a second)",
            f"{self.output}: {REPORT} tells of each{why}",
        ]
        if self.stopped:
            lines.append("stopped; the same command again goes on from here")
        return "\n".join(lines)


class Report:
    """The files of a run's report, open while it runs; on a bucket they appear when it ends.

    Args:
        output: Where they lie.
    """

    def __init__(self, output: Place) -> None:
        self._output = output
        self._counts: Counter[State] = Counter()
        self._began = time.monotonic()
        self._stack = ExitStack()
        self._stopped = True

    def __enter__(self) -> Self:
        self._output.remove(SUMMARY)  # of an earlier run: who finds one finds this one's
        self._all = self._stack.enter_context(self._output.open(REPORT))
        self._rejected = self._stack.enter_context(self._output.open(REJECTED))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped = kind is not None
        try:
            with self._output.translated(REPORT, "cannot be written"):
                self._stack.close()
        finally:
            self._output.write(SUMMARY, (json.dumps(asdict(self.summary)) + "\n").encode())

    @property
    def summary(self) -> Summary:
        """The counts so far."""
        seconds = round(time.monotonic() - self._began, 3)
        done, before, set_aside = (self._counts[state] for state in ("done", "before", "set_aside"))
        return Summary(done, before, set_aside, seconds, self._stopped, self._output.shown)

    def add(self, state: State, record: Record) -> None:
        """Tell of one picture."""
        self._counts[state] += 1
        told = asdict(record)
        line = {"input": told.pop("input"), "output": told.pop("output"), "state": state, **told}
        self._write(REPORT, self._all, line)
        if state == "set_aside":
            why = {name: line[name] for name in ("input", "code", "reason", "again", "sha256")}
            self._write(REJECTED, self._rejected, why)

    def _write(self, name: str, file: IO[bytes], line: Mapping[str, object]) -> None:
        with self._output.translated(name, "cannot be written"):
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()


def _counted(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
