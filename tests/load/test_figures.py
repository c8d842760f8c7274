"""From calls, probes and memory to rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from tests.load import curve, overload, plots, rollouts, soak, trouble
from tests.load.added import PIPELINE, added, added_at_best
from tests.load.arena import ECHO, Memory, Watched, refusals
from tests.load.calls import OVERLOADED, Call, Ran
from tests.load.curve import Step
from tests.load.probes import Probed
from tests.load.processes import LoadFailed
from tests.load.rollouts import Rollouts
from tests.load.rows import Row
from tests.load.scenario import Population
from tests.load.trouble import SIZES


def watched(
    answered: int, *, refused: int = 0, population: str = "good", seconds: float = 100.0, failed: tuple[str, ...] = ()
) -> Watched:
    """So many answers of a second each and refusals of 10 ms, spread over a stage; health takes 5 ms, an echo 1 ms."""
    pace = seconds / max(1, answered)
    calls = [Call(population, number * pace, 0.1, "ok", 200) for number in range(answered)]
    calls += [Call(population, number * 0.01, 0.01, OVERLOADED, 429) for number in range(refused)]
    probed = Probed({"live": [0.005] * 50, "ready": [0.005] * 50, ECHO: [0.001] * 100}, list(failed))
    return Watched(Ran(calls, 0.0, seconds, 10.0, [0.009]), probed, 50.0, [0.003])


def figures(rows: list[Row]) -> list[float | None]:
    return [row.figure for row in rows]


def test_the_best_step_is_the_one_of_most_answers_over_both_protocols() -> None:
    steps = [
        Step("REST", 1, watched(900)),
        Step(curve.TOGETHER, 2, watched(200)),
        Step(curve.TOGETHER, 4, watched(400)),
    ]

    assert curve.best(steps) is steps[2]
    assert curve.rate(steps[2]) == pytest.approx(4.0, rel=0.02)
    assert curve.rows(steps)[0].what.endswith("at 4 callers")


def test_a_machine_that_answers_nothing_in_a_step_is_told_so() -> None:
    with pytest.raises(LoadFailed, match="too busy"):
        curve.best([Step(curve.TOGETHER, 2, watched(0))])

    assert overload.rows(overload.Overload([watched(0)], [watched(10)]))[0].holds is False


def test_every_level_has_its_callers() -> None:
    for protocol in curve.protocols():
        for level in curve.levels(protocol):
            assert sum(one.count for one in curve.populations(protocol, level)) == level
    assert curve.levels(curve.TOGETHER)[0] == 2


def test_a_line_of_the_curve() -> None:
    line = curve.table([Step("REST", 8, watched(400, refused=30))]).lines[0]

    assert line[:2] == ["REST", 8]
    assert line[3:8] == [100.0, 100.0, 100.0, 300, 0]
    assert line[8] == "0.50 / 0.10"


def test_overload_is_held_against_the_best_level() -> None:
    few = [Call("few", 60.0, 0.1, "ok", 200), Call("few", 70.0, 0.012, OVERLOADED, 429)]
    while_it_closes = Call("few", 99.99, 0.05, OVERLOADED, 429)
    witnessed = Ran([*few, while_it_closes], 0, 100, 1, [0.002])
    overloaded = replace(watched(383, refused=30, failed=("live: 503", "echo: 500")), witnessed=witnessed)

    rows = overload.rows(overload.Overload([watched(400)], [overloaded]))

    assert rows[0].figure == pytest.approx(96.0, abs=0.5)
    assert rows[0].what.startswith("overload, 1.0 times")
    assert figures(rows[1:]) == [12.0, 12.0, 2.0, 3.0, 0, 5.0, 1.0, 1]
    assert [row.what.partition(":")[2] for row in rows[1:2] + rows[4:6]] == [
        " slowest of 1 refusals, ms",
        " slowest of all 1 refusals by the server's own log, ms",
        " answers 5xx or none, of 416",
    ]
    assert [row.holds for row in rows] == [True, True, None, None, True, True, True, None, False]


def test_the_servers_log_tells_how_long_refusals_took() -> None:
    log = [
        b'{"message": "POST", "code": "overloaded", "seconds": 0.002}\n',
        b'{"message": "POST", "code": "ok", "seconds": 2.0}\n',
        b'{"message": "overloaded since then"}\n',
        b"no JSON\n",
    ]

    assert refusals(log) == [0.002]


class FakeArena:
    """Answers four calls a second at its best; notes the pauses of those who call, by stage."""

    def __init__(self) -> None:
        self.pauses: list[tuple[str, float | None]] = []

    def run(
        self, name: str, populations: Sequence[Population], seconds: float, witnesses: Sequence[Population] = ()
    ) -> Watched:
        self.pauses.append((name, populations[0].every_seconds))
        assert {one.every_seconds for one in (*populations, *witnesses)} == {populations[0].every_seconds}
        return watched(round(4 * seconds), seconds=seconds)


def test_an_overload_is_of_what_the_best_level_gets_in_its_turns_not_of_one_lucky_step() -> None:
    arena = FakeArena()

    overload.run(arena, Step(curve.TOGETHER, 4, watched(600)), 3, 100.0)  # type: ignore[arg-type]  # all it has to be

    def pause(capacity: float) -> float | None:
        return overload.callers(capacity)[0].every_seconds

    assert [name for name, _ in arena.pauses] == ["best", "overload", "overload", "best", "best", "overload"]
    pauses = [found for name, found in arena.pauses if name == "overload"]
    assert pauses == [pytest.approx(pause(expected), rel=0.02) for expected in (5.0, 5.0, 4.5)]


def test_the_callers_of_an_overload_make_four_times_as_many_calls_as_can_be_answered() -> None:
    capacity, callers = 5.0, overload.callers(5.0)

    waiting = 17 / capacity
    per_call = [one.every_seconds + waiting / 4 for one in callers if one.every_seconds is not None]
    assert sum(one.count for one in callers) / per_call[0] == pytest.approx(4 * capacity)


def test_large_bodies_are_as_large_as_is_said() -> None:
    small = SIZES[0].populations()
    bodies = {one.name: len(one.asks[0].rest().body or b"") for one in small}

    assert 3.9 * 2**20 < bodies["largest, REST"] <= 4 * 2**20
    assert bodies["large, REST"] <= 2**20
    rows = SIZES[0].rows(watched(100, population="small, REST"))
    assert figures(rows) == [5.0, 1.0, 0, 100.0, None, 0]


def test_the_good_are_compared_with_themselves_alone() -> None:
    rows = trouble.rows("slow clients", watched(100, refused=3), watched(200), 2.0)

    assert rows[0].figure == 0
    assert rows[1].figure == 3
    assert rows[2].figure == pytest.approx(50.0, abs=1.0)
    assert rows[3].holds is False


def test_a_soak_has_a_goal_if_it_is_long_enough() -> None:
    memory = Memory([float(second) for second in range(600)], [100.0] * 60 + [500.0] * 480 + [530.0] * 60)

    long, short = soak.rows(watched(10, seconds=600.0), memory), soak.rows(watched(10, seconds=120.0), memory)

    assert long[0].figure == pytest.approx(6.0)
    assert (long[0].holds, short[0].holds) == (False, None)
    assert long[1].figure == 530.0
    assert short[0].figure == pytest.approx(0.0)


def test_a_soak_of_less_than_a_minute_tells_nothing_of_growth() -> None:
    assert soak.rows(watched(10, seconds=20.0), Memory([1.0], [100.0]))[0].figure is None


def test_whatever_is_no_good_answer_of_a_rollout_is_lost() -> None:
    calls = [
        Call("kept", 0.0, 1.0, "ok", 200),
        Call("kept", 0.0, 1.0, "not_ready", 503),
        Call("new", 0.0, 1.0, "lost: x", 0),
        Call("new", 0.0, 1.0, OVERLOADED, 429),
    ]
    done = Rollouts(Ran(calls, 0.0, 1.0, 0.0, []), ["log: exit code 1"])

    rows = rollouts.rows(done, 20)

    assert figures(rows) == [3, 1, 1000.0]
    assert "ok 1, not_ready 1, lost: x 1" in rows[0].what


def test_what_is_added_is_the_median_of_the_turns_differences() -> None:
    more, error = added({PIPELINE: [100.0, 200.0, 300.0], "V1": [105.0, 204.0, 399.0]}, "V1")
    _, little = added({PIPELINE: [100.0] * 16, "V1": [104.0, 106.0] * 8}, "V1")

    assert more == 5.0
    assert error > 10
    assert little == pytest.approx(0.46, abs=0.01)
    assert added_at_best({PIPELINE: [200.0, 100.0], "V1": [109.0, 300.0]}, "V1") == 9.0


def test_plots_are_pictures(tmp_path: Path) -> None:
    steps = [Step("REST", level, watched(100)) for level in (1, 2, 4)] + [Step("gRPC", 1, watched(0))]

    plots.plot_latency(steps, tmp_path / "latency.png")
    plots.plot_memory({"soak": Memory([0.0, 60.0], [100.0, 200.0]), "nothing yet": Memory()}, tmp_path / "memory.png")

    for name, size in (("latency", (900, 700)), ("memory", (900, 400))):
        with PillowImage.open(tmp_path / f"{name}.png") as picture:
            assert picture.size == size
