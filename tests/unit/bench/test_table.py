from __future__ import annotations

import json

import pytest

from predictor.bench.floor import MULTIPLY_ACCUMULATES, with_floors
from predictor.bench.measure import Cost
from predictor.bench.table import ROWS, Result, Row, markdown


def _costs(*milliseconds: float) -> list[Cost]:
    return [Cost(one, one * 2, 100.0 + one, one) for one in milliseconds]


ROW = Row("swap", "swap_six", 7)


def test_a_ratio_is_of_medians_and_no_outlier_moves_it() -> None:
    assert Result(ROW, _costs(80, 100, 9000), _costs(1, 10, 12), None).ratio == 10.0


def test_a_row_for_programs_holds_what_bench_json_promises() -> None:
    row = Result(ROW, _costs(90, 100, 110), _costs(10, 20, 30), 5.0).as_json()

    assert row.items() >= {"job": "swap", "reference_ms": 100.0, "ours_ms": 20.0, "ratio": 5.0, "goal": 7}.items()
    assert row["ours"] == {
        "ms": 20.0,
        "least_ms": 10.0,
        "most_ms": 30.0,
        "cpu_ms": 40.0,
        "peak_mib": 130.0,
        "own_mib": 20.0,
    }
    assert (row["rounds"], row["floor_ms"], row["floor_ratio"]) == (3, 5.0, 20.0)
    json.dumps(row)


def test_a_table_for_people_has_a_line_a_job_under_the_machine() -> None:
    results = [Result(ROW, _costs(100), _costs(10), 4.0), Result(Row("paste", "p"), _costs(8), _costs(2), None)]

    text = markdown({"processor": "abacus", "packages": {"numpy": "2"}, "flags": ["amx_bf16"]}, results)

    lines = text.splitlines()
    assert lines[:3] == ["- processor: abacus", "- packages: numpy 2", "- flags: amx_bf16"]
    assert (
        "| swap | 1 | 100.0 (100.0–100.0) | 10.0 (10.0–10.0) | **10.0** | 7 | 4.0 | 25.0 | 200 → 20 | 100 → 10 |"
        in lines
    )
    assert "| paste | 1 | 8.0 (8.0–8.0) | 2.0 (2.0–2.0) | **4.0** | – | – | – | 16 → 4 | 8 → 2 |" in lines
    widths = {line.count("|") for line in lines if line.startswith("|")}
    assert len(widths) == 1  # or it renders as no table


@pytest.mark.parametrize("task", sorted({row.task for row in ROWS}))
def test_every_task_has_its_floor(task: str) -> None:
    macs = MULTIPLY_ACCUMULATES[task]

    (result,) = with_floors([Result(Row(task, task), _costs(1e9), _costs(1e9))], {"ours": 1e12})

    assert result.floor_ms == (None if macs is None else pytest.approx(macs / 1e9))


def test_no_floor_is_above_what_a_job_of_the_side_took() -> None:
    fast = Result(Row("swap", "swap_crop"), _costs(1e9), _costs(100.0, 90.0))
    other = Result(Row("restore", "restore_network"), _costs(1e9), _costs(1e9))
    in_fp32 = Result(Row("swap", "swap_crop", side="ours_fp32"), _costs(1e9), _costs(1e9))

    fast, other, in_fp32 = with_floors([fast, other, in_fp32], {"ours": 1.0, "ours_fp32": 1e12})

    assert fast.floor_ms == pytest.approx(90.0)
    assert other.floor_ms == pytest.approx(90.0 * 197.8 / 174.6)
    assert in_fp32.floor_ms == pytest.approx(174.6)
