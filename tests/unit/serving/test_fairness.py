"""Who goes first among those that wait; every clock is the test's own."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.serving.fairness import Experience, Line, Work

MIB = 1024 * 1024
LONGEST = 15.0


async def served(line: Line, waiting: list[tuple[str, float, float]]) -> list[str]:
    """In which order those in line get the only worker, by name, time of arrival and expected seconds."""
    order: list[str] = []

    async def wait(name: str, now: float, expected_seconds: float) -> None:
        await line.turn(now, expected_seconds)
        order.append(name)
        line.give_back()

    await line.turn(0.0, 0.0)
    tasks = []
    for one in waiting:
        tasks.append(asyncio.create_task(wait(*one)))
        await asyncio.sleep(0)
    line.give_back()
    await asyncio.gather(*tasks)
    return order


async def test_what_takes_equally_long_is_served_in_the_order_it_came() -> None:
    order = await served(Line(1, LONGEST), [(str(number), float(number), 2.0) for number in range(5)])

    assert order == ["0", "1", "2", "3", "4"]


async def test_what_was_never_seen_is_served_in_the_order_it_came_even_in_the_same_instant() -> None:
    order = await served(Line(1, LONGEST), [(str(number), 0.0, 0.0) for number in range(12)])

    assert order == [str(number) for number in range(12)]


async def test_small_ones_pass_a_large_one_that_came_a_little_before() -> None:
    waiting = [("large", 0.0, 2.0), ("small", 1.0, 0.1), ("another", 2.0, 0.1)]

    assert await served(Line(1, LONGEST), waiting) == ["small", "another", "large"]


async def test_a_large_one_is_passed_only_by_what_comes_soon_after_it() -> None:
    waiting = [("large", 0.0, 2.0), ("soon", 7.0, 0.1), ("late", 8.0, 0.1)]  # due after four times its own time

    assert await served(Line(1, LONGEST), waiting) == ["soon", "large", "late"]


async def test_however_large_it_is_it_is_passed_for_no_longer_than_the_bound() -> None:
    waiting = [("huge", 0.0, 1000.0), ("soon", 14.0, 0.1), ("late", 15.1, 0.1)]

    assert await served(Line(1, LONGEST), waiting) == ["soon", "huge", "late"]


async def test_a_free_worker_is_taken_at_once() -> None:
    line = Line(2, LONGEST)

    await line.turn(0.0, 1000.0)
    await line.turn(0.0, 1000.0)
    third = asyncio.create_task(line.turn(0.0, 0.0))
    await asyncio.sleep(0)

    assert not third.done()
    line.give_back()
    await third


async def test_more_workers_let_those_in_line_go_on() -> None:
    line = Line(1, LONGEST)
    await line.turn(0.0, 0.0)
    waiting = [asyncio.create_task(line.turn(0.0, 0.0)) for _ in range(3)]
    await asyncio.sleep(0)

    line.add(2)
    await asyncio.sleep(0)

    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


async def test_a_turn_that_comes_in_the_moment_it_is_given_up_goes_to_the_next() -> None:
    line = Line(1, LONGEST)
    await line.turn(0.0, 0.0)
    first, second = (asyncio.create_task(line.turn(0.0, 0.0)) for _ in range(2))
    await asyncio.sleep(0)

    line.give_back()
    first.cancel()

    with pytest.raises(asyncio.CancelledError):
        await first
    await second


async def test_whoever_gives_up_leaves_the_line() -> None:
    line = Line(1, LONGEST)
    await line.turn(0.0, 0.0)
    first, second = (asyncio.create_task(line.turn(0.0, 0.0)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    line.give_back()

    await second
    assert first.cancelled()


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 100)), max_size=20))
def test_nobody_is_passed_by_what_came_later_than_the_bound(asked: list[tuple[float, float]]) -> None:
    arrivals = sorted(asked)
    waiting = [(str(number), now, expected) for number, (now, expected) in enumerate(arrivals)]

    order = [int(name) for name in asyncio.run(served(Line(1, LONGEST), waiting))]

    assert sorted(order) == list(range(len(arrivals)))
    for place, number in enumerate(order):
        assert all(arrivals[before][0] <= arrivals[number][0] + LONGEST for before in order[:place])


# ── what is expected ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_expected_of_what_was_never_seen() -> None:
    experience = Experience()
    experience.learn(Work("enhance", MIB), 3.0)

    assert experience.expected_seconds(Work("detect", MIB)) == 0.0


def test_larger_bodies_are_expected_to_take_longer_each_kind_at_its_own_rate() -> None:
    experience = Experience()
    experience.learn(Work("enhance", MIB), 3.0)
    experience.learn(Work("detect", MIB), 0.1)

    small, large = (experience.expected_seconds(Work("enhance", size)) for size in (MIB, 4 * MIB))
    assert small == pytest.approx(3.0)
    assert large > 3 * small
    assert experience.expected_seconds(Work("detect", 4 * MIB)) < small


def test_what_was_seen_lately_counts_more() -> None:
    experience = Experience()
    for _ in range(30):
        experience.learn(Work("swap", MIB), 9.0)
    for _ in range(30):
        experience.learn(Work("swap", MIB), 1.0)

    assert experience.expected_seconds(Work("swap", MIB)) == pytest.approx(1.0, abs=0.1)


def test_an_empty_body_is_not_expected_to_cost_nothing() -> None:
    experience = Experience()
    experience.learn(Work("swap", 0), 2.0)

    assert experience.expected_seconds(Work("swap", 0)) == pytest.approx(2.0)
