from __future__ import annotations

import pytest

from tests.load.rows import Goal, Row, rows_table


@pytest.mark.parametrize(
    ("goal", "figure", "holds"),
    [
        (Goal("<", 50), 49.99, True),
        (Goal("<", 50), 50.0, False),
        (Goal("≥", 95), 95.0, True),
        (Goal("≥", 95), 94.9, False),
        (Goal("=", 0), 0, True),
        (Goal("=", 0), 1, False),
        (Goal("<", 50), None, False),
    ],
)
def test_a_goal_holds_or_not_and_never_by_nothing(goal: Goal, figure: float | None, holds: bool) -> None:  # noqa: FBT001
    assert Row("what", figure, goal).holds is holds


def test_a_row_of_the_json_has_four_fields() -> None:
    assert Row("p99, ms", 12.345, Goal("<", 50)).as_json() == {
        "what": "p99, ms",
        "figure": 12.35,
        "goal": "< 50",
        "holds": True,
    }
    assert Row("p99, ms", None).as_json() == {"what": "p99, ms", "figure": None, "goal": None, "holds": None}


def test_the_table_says_what_does_not_hold() -> None:
    rows = [
        Row("lost", 0, Goal("=", 0)),
        Row("p99, ms", 1234.5, Goal("<", 50)),
        Row("p50, ms", 1.25),
        Row("none", None),
    ]

    lines = rows_table(rows).markdown().splitlines()

    assert lines[2:] == [
        "| lost | 0 | = 0 | yes |",
        "| p99, ms | 1,234.5 | < 50 | **no** |",
        "| p50, ms | 1.25 | – | – |",
        "| none | – | – | – |",
    ]
