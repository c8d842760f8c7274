"""The jobs of the bench with their goals, and the table of what came out."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.bench.measure import Cost


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    job: str
    task: str
    goal: float | None = None
    """How many times faster than the reference it shall be, stated for 2 cores with AMX; None for a single stage."""
    side: str = "ours"
    quick: bool = True
    """Whether the short form runs it."""


ROWS = (
    Row("detect, 1280×886", "detect_one"),
    Row("embed one face", "embed_one"),
    Row("swap one face, crop to crop", "swap_crop"),
    Row("source: detect and embed; destination: detect", "detect", 8),
    Row("swap six faces, JPEG to JPEG", "swap_six", 7),
    Row("swap six faces and restore them, JPEG to JPEG", "swap_and_restore_six", 15, quick=False),
    Row("paste-back of one face, 1920×1080", "paste_back_1080p", 18),
    Row("paste-back of one face, 3840×2160", "paste_back_4k", 18),
    Row("restore one aligned face, network only", "restore_network", 10),
    Row("×4 of 512×512, x4v3", "enlarge_4x_512", 10),
    Row("×4 of 1024×1024, x4v3", "enlarge_4x_1024", 10, quick=False),
    Row("×2 of 1024×1024, x4v3", "enlarge_2x_1024", 11, quick=False),
    Row("swap six faces and restore them, ours in fp32", "swap_and_restore_six", 2.4, side="ours_fp32", quick=False),
)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one row: all runs of both sides, the warm-up left out."""

    row: Row
    reference: Sequence[Cost]
    ours: Sequence[Cost]
    floor_ms: float | None = None
    """What our side's networks compute, at the best rate this machine reached; None where no network runs."""

    @property
    def ratio(self) -> float:
        """How many times faster ours is, by medians."""
        return median(c.milliseconds for c in self.reference) / median(c.milliseconds for c in self.ours)

    def as_json(self) -> dict[str, object]:
        """Return the row of `bench.json`."""
        reference, ours = _summary(self.reference), _summary(self.ours)
        reference_ms = float(reference["ms"])
        return {
            "job": self.row.job,
            "reference_ms": reference["ms"],
            "ours_ms": ours["ms"],
            "ratio": round(self.ratio, 2),
            "goal": self.row.goal,
            "rounds": len(self.ours),
            "reference": reference,
            "ours": ours,
            "floor_ms": None if self.floor_ms is None else round(self.floor_ms, 1),
            "floor_ratio": None if self.floor_ms is None else round(reference_ms / self.floor_ms, 1),
        }


def markdown(machine: Mapping[str, object], results: Sequence[Result]) -> str:
    """Return the table for a person, with the machine above it."""
    head = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    lines = [_line(result.as_json()) for result in results]
    return "\n".join([*described(machine), "", *head, *lines, "", _LEGEND])


def described(machine: Mapping[str, object]) -> list[str]:
    """Return the machine as lines of a list, to stand above a table."""
    return [f"- {name.replace('_', ' ')}: {_text(value)}" for name, value in machine.items()]


_COLUMNS = (
    "job", "rounds", "reference, ms", "ours, ms", "times faster", "goal", "floor, ms", "at the floor",
    "processor time, ms", "memory of the job, MiB",
)  # fmt: skip
_LEGEND = """\
Medians (least to most of all runs), in turns in one run, after one warm-up of each side. The reference is insightface,
GFPGANer and RealESRGANer as their users call them. Floor: what our side's networks compute, at the best rate that a
convolution or a whole job of that side reached in this run (computed, not run); "at the floor" is how many times faster
than the reference that would be. Goals were set for 2 cores with AMX. Processor time, and memory
beyond what was resident before the run: reference → ours.
"""


def _line(row: dict[str, object]) -> str:
    reference, ours = row["reference"], row["ours"]
    if not isinstance(reference, dict) or not isinstance(ours, dict):
        raise TypeError("a row holds two summaries")

    def spread(one: dict[str, float]) -> str:
        return f"{one['ms']:,.1f} ({one['least_ms']:,.1f}–{one['most_ms']:,.1f})"

    return (
        f"| {row['job']} | {row['rounds']} | {spread(reference)} | {spread(ours)} | **{row['ratio']}** "
        f"| {_text(row['goal'])} | {_text(row['floor_ms'])} | {_text(row['floor_ratio'])} "
        f"| {reference['cpu_ms']:,.0f} → {ours['cpu_ms']:,.0f} "
        f"| {reference['own_mib']:,.0f} → {ours['own_mib']:,.0f} |"
    )


def _summary(costs: Sequence[Cost]) -> dict[str, float]:
    times = [cost.milliseconds for cost in costs]
    return {
        "ms": round(median(times), 2),
        "least_ms": round(min(times), 2),
        "most_ms": round(max(times), 2),
        "cpu_ms": round(median(cost.cpu_milliseconds for cost in costs), 2),
        "peak_mib": round(max(cost.peak_mib for cost in costs), 1),
        "own_mib": round(median(cost.own_mib for cost in costs), 1),
    }


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
