from __future__ import annotations

import json
from pathlib import Path

from tests.load import report
from tests.load.report import Part
from tests.load.rows import Goal, Row, Table


def test_a_part_that_is_run_again_leaves_the_others(tmp_path: Path) -> None:
    report.write(Part("soak", {"date": "one"}, [Row("growth, %", 1.0, Goal("<", 5))]), tmp_path)
    report.write(
        Part("calls", {"date": "two"}, [Row("lost", 0, Goal("=", 0))], {"Curve": Table(("a",), [[1]])}), tmp_path
    )
    report.write(Part("soak", {"date": "three"}, [Row("growth, %", 6.0, Goal("<", 5))]), tmp_path)

    written = json.loads((tmp_path / "load.json").read_text())

    assert written["rows"] == [
        {"what": "lost", "figure": 0, "goal": "= 0", "holds": True},
        {"what": "growth, %", "figure": 6.0, "goal": "< 5", "holds": False},
    ]
    assert written["machine"] == {"calls": {"date": "two"}, "soak": {"date": "three"}}
    assert written["tables"] == {"Curve": {"columns": ["a"], "lines": [[1]]}}


def test_every_part_stands_under_its_machine(tmp_path: Path) -> None:
    report.write(Part("soak", {"load_average_at_start": 0.5}, [Row("growth, %", 1.5)]), tmp_path)

    assert (tmp_path / "load.md").read_text() == (
        "## Soak\n\n- load average at start: 0.5\n\n"
        "| what | figure | goal | holds |\n|---|---|---|---|\n| growth, % | 1.50 | – | – |\n"
    )


def test_what_is_run_anew_is_forgotten_first(tmp_path: Path) -> None:
    report.write(Part("soak", {}, [Row("old", 1)]), tmp_path)
    report.forget(tmp_path, ["soak", "calls"])
    report.write(Part("rollouts", {}, [Row("new", 2)]), tmp_path)

    assert [row["what"] for row in json.loads((tmp_path / "load.json").read_text())["rows"]] == ["new"]
