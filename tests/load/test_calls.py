from __future__ import annotations

import pytest

from tests.load.calls import LEFT, OVERLOADED, Call, Ran, answered_per_second, lost, outcomes, quantile, seconds_of


def call(began: float, seconds: float = 1.0, outcome: str = "ok", status: int = 200) -> Call:
    return Call("callers", began, seconds, outcome, status)


def ran(calls: list[Call], began: float = 0.0, ended: float = 10.0) -> Ran:
    return Ran(calls, began, ended, 1.0, [])


@pytest.mark.parametrize(
    ("outcome", "status", "lost"),
    [
        ("ok", 200, False),
        (OVERLOADED, 429, False),
        ("no_face_found", 422, False),
        (LEFT, 0, False),
        ("lost: ConnectionResetError", 0, True),
        ("not_ready", 503, True),
        ("internal", 500, True),
        ("deadline_exceeded", 504, True),
    ],
)
def test_what_was_not_answered_or_blames_the_server_is_lost(outcome: str, status: int, lost: bool) -> None:  # noqa: FBT001
    assert call(0.0, outcome=outcome, status=status).lost is lost


def test_a_rate_counts_good_answers_within_the_time_alone() -> None:
    calls = [call(0.0), call(8.5), call(9.5), call(3.0, outcome=OVERLOADED, status=429)]

    assert ran(calls).answered_per_second == pytest.approx(0.2)


def test_the_rate_of_several_runs_is_of_all_their_time() -> None:
    assert answered_per_second([ran([call(0.0)]), ran([call(20.0)] * 3, 20.0, 50.0)]) == pytest.approx(0.1)


def test_offered_is_what_was_begun_in_time_whatever_came_of_it() -> None:
    calls = [call(0.0), call(9.9, 5.0), call(5.0, outcome=OVERLOADED, status=429), call(10.0)]

    assert ran(calls).offered_per_second == pytest.approx(0.3)


def test_the_beginning_is_left_out() -> None:
    settled = ran([call(0.0), call(1.0), call(5.0)]).settled()

    assert settled.began == 2.5
    assert settled.calls == [call(5.0)]
    assert settled.answered_per_second == pytest.approx(1 / 7.5)


def test_a_percentile_is_a_time_that_occurred() -> None:
    calls = [call(0.0, number / 1000) for number in range(1, 101)] + [call(0.0, 9.0, OVERLOADED, 429)]

    assert quantile(seconds_of(calls), "p50") == pytest.approx(50.0)
    assert quantile(seconds_of(calls), "p99") == pytest.approx(99.0)
    assert quantile(seconds_of(calls, OVERLOADED), "max") == pytest.approx(9000.0)
    assert quantile([], "p99") is None


def test_lost_calls_are_listed_by_stage() -> None:
    calls = [call(101.0), call(103.0, 2.0, "lost: x", 0), call(104.0, outcome=OVERLOADED, status=429)]

    assert lost({"soak": [ran(calls, 100.0, 110.0)]}) == [("soak", "callers", 3.0, 2.0, "lost: x")]


def test_outcomes_are_told_the_most_frequent_first() -> None:
    assert outcomes([call(0.0, outcome="a"), call(0.0), call(0.0)]) == "ok 2, a 1"
