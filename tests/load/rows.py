"""The rows of a load run: what was measured, what it shall reach, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure has to be."""

    relation: Literal["<", "≥", "="]
    number: float

    def holds(self, figure: float | None) -> bool:
        """Return whether a figure reaches it; what was not measured does not."""
        if figure is None:
            return False
        if self.relation == "<":
            return figure < self.number
        return figure >= self.number if self.relation == "≥" else figure == self.number

    def __str__(self) -> str:
        return f"{self.relation} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; its unit stands in what it is."""

    what: str
    figure: float | None
    """None where nothing came that could be measured."""
    goal: Goal | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.goal.holds(self.figure)

    def as_json(self) -> dict[str, object]:
        """Return the row of `load.json`."""
        goal = None if self.goal is None else str(self.goal)
        figure = None if self.figure is None else round(self.figure, 2)
        return {"what": self.what, "figure": figure, "goal": goal, "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and lines of a table for a person."""

    columns: Sequence[str]
    lines: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """Return it as Markdown; numbers to three digits at least."""
        head = [f"| {' | '.join(self.columns)} |", "|---" * len(self.columns) + "|"]
        return "\n".join([*head, *(f"| {' | '.join(map(_text, line))} |" for line in self.lines)])


def rows_table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table."""
    verdicts = {True: "yes", False: "**no**", None: "–"}
    lines = [(row.what, row.figure, "–" if row.goal is None else str(row.goal), verdicts[row.holds]) for row in rows]
    return Table(("what", "figure", "goal", "holds"), lines)


def _text(value: object) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float) or value == round(value):
        return f"{value:,.0f}" if isinstance(value, int | float) else str(value)
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}"
