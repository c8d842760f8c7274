"""The parts of a load run as files, and the report that is put together from them.

Each part keeps a file of its own, so that one of them can be run again without the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predictor.bench.table import described
from tests.load.rows import Row, Table, rows_table

HEADINGS = {"calls": "Calls of every kind", "rollouts": "SIGTERM under load", "soak": "Soak"}
"""The parts, in their order."""


@dataclass(slots=True)
class Part:
    """What has come out of one part so far."""

    name: str
    machine: dict[str, object]
    rows: list[Row] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    """By heading, beside that of the rows."""


def write(part: Part, folder: Path) -> None:
    """Write a part, then `load.json` and `load.md` with every part that is there."""
    shown = {
        "machine": part.machine,
        "rows": [row.as_json() for row in part.rows],
        "tables": {heading: {"columns": table.columns, "lines": table.lines} for heading, table in part.tables.items()},
        "markdown": _markdown(part),
    }
    _dump(folder / f"{part.name}.json", shown)
    _put_together(folder)


def forget(folder: Path, parts: Sequence[str]) -> None:
    """Remove what earlier runs of these parts have left."""
    for name in parts:
        (folder / f"{name}.json").unlink(missing_ok=True)


def _put_together(folder: Path) -> None:
    parts: dict[str, Any] = {
        name: json.loads(path.read_text("utf-8")) for name in HEADINGS if (path := folder / f"{name}.json").exists()
    }
    rows = [row for part in parts.values() for row in part["rows"]]
    machines = {name: part["machine"] for name, part in parts.items()}
    tables = {heading: table for part in parts.values() for heading, table in part["tables"].items()}
    _dump(folder / "load.json", {"machine": machines, "rows": rows, "tables": tables})
    (folder / "load.md").write_text("\n\n".join(part["markdown"] for part in parts.values()) + "\n", "utf-8")


def _markdown(part: Part) -> str:
    tables = [f"### {heading}\n\n{table.markdown()}" for heading, table in part.tables.items()]
    machine = "\n".join(described(part.machine))
    return "\n\n".join([f"## {HEADINGS[part.name]}", machine, rows_table(part.rows).markdown(), *tables])


def _dump(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
