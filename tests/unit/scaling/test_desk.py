from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence

import pytest

from predictor.errors import DeadlineExceeded, StageFailed
from predictor.scaling import desk
from predictor.scaling.desk import Desk, Order, StageStuck
from predictor.scaling.outcomes import Broken, Done, Dropped, Ticket
from predictor.serving.logs import REQUEST_ID


def nothing() -> None:
    """A stage that is well."""


def order(name: str = "a", seconds: float | None = None, crops: Sequence[int] = ()) -> Order:
    return Order(Ticket(name, seconds), crops)


async def test_an_order_is_worked_on_in_a_thread_that_knows_its_request() -> None:
    seen: list[tuple[str, bool]] = []

    def work(_: Callable[[], None]) -> int:
        seen.append((REQUEST_ID.get(), threading.current_thread() is threading.main_thread()))
        return 7

    outcome = await Desk(nothing).answer(order("request-1"), work)

    assert outcome == Done(7)
    assert seen == [("request-1", False)]


async def test_what_breaks_is_told_in_plain_values_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def work(_: Callable[[], None]) -> None:
        raise StageFailed("swap", "the network's answer is not finite")

    outcome = await Desk(nothing).answer(order(), work)

    assert isinstance(outcome, Broken)
    assert outcome.reason == "swap: the network's answer is not finite"
    assert "StageFailed" in outcome.traceback
    assert caplog.records[-1].levelno == logging.ERROR


async def test_an_order_that_is_late_is_not_begun() -> None:
    began: list[int] = []

    outcome = await Desk(nothing).answer(order(seconds=0.0), lambda _: began.append(1))

    assert (outcome, began) == (Dropped(), [])


async def test_an_order_that_is_taken_back_ends_where_its_work_next_looks() -> None:
    working, taken_back, ended = threading.Event(), threading.Event(), threading.Event()

    def work(check: Callable[[], None]) -> None:
        working.set()
        taken_back.wait(10)
        with pytest.raises(DeadlineExceeded):
            check()
        ended.set()

    bench = Desk(nothing)
    task = asyncio.create_task(bench.answer(order(), work))
    await asyncio.to_thread(working.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    taken_back.set()

    assert await asyncio.to_thread(ended.wait, 10)
    assert await bench.answer(order(), lambda _: "next") == Done("next")


def doubled(orders: Sequence[Order], _: Callable[[], None]) -> list[list[int]]:
    return [[2 * crop for crop in each.arguments[0]] for each in orders]


async def test_orders_are_worked_on_together_where_they_may_be() -> None:
    orders = [order("a", crops=[1]), order("b", crops=[2, 3])]

    together = await Desk(nothing).answer_all(orders, doubled, together=True)
    alone = await Desk(nothing).answer_all(orders, doubled, together=False)

    assert together == [Done([2], 2), Done([4, 6], 2)]
    assert alone == [Done([2]), Done([4, 6])]


async def test_one_that_breaks_does_not_fail_the_others() -> None:
    def work(orders: Sequence[Order], check: Callable[[], None]) -> list[list[int]]:
        if any(13 in each.arguments[0] for each in orders):
            raise ValueError("thirteen")
        return doubled(orders, check)

    orders = [order("a", crops=[1]), order("b", crops=[13]), order("c", crops=[3])]

    outcomes = await Desk(nothing).answer_all(orders, work, together=True)

    assert outcomes[0] == Done([2])
    assert isinstance(outcomes[1], Broken)
    assert outcomes[2] == Done([6])


async def test_orders_that_nobody_waits_for_are_left_out_of_the_company() -> None:
    gone, late = order("a", crops=[1]), order("b", seconds=0.0, crops=[2])
    gone.given_up = True
    orders = [gone, order("c", crops=[3]), late, order("d", crops=[4])]

    outcomes = await Desk(nothing).answer_all(orders, doubled, together=True)

    assert outcomes == [Dropped(), Done([6], 2), Dropped(), Done([8], 2)]


async def test_company_is_worked_for_as_long_as_one_of_it_waits() -> None:
    first, second = order("a", crops=[1]), order("b", crops=[2])
    looks: list[int] = []

    def work(orders: Sequence[Order], check: Callable[[], None]) -> list[list[int]]:
        first.given_up = True
        check()
        looks.append(len(orders))
        second.given_up = True
        check()
        looks.append(len(orders))
        return doubled(orders, check)

    outcomes = await Desk(nothing).answer_all([first, second], work, together=True)

    assert looks == [2]
    assert outcomes == [Dropped(), Dropped()]


async def test_a_stage_that_has_just_worked_is_well_and_another_has_to_prove_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proofs: list[int] = []
    bench = Desk(lambda: proofs.append(1))

    await bench.check_health()
    fresh = list(proofs)
    monkeypatch.setattr(desk, "_FRESH_SECONDS", 0.0)
    await bench.check_health()

    assert (fresh, proofs) == ([], [1])


async def test_a_stage_that_cannot_prove_itself_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise StageFailed("swap", "the network's answer is constant")

    monkeypatch.setattr(desk, "_FRESH_SECONDS", 0.0)

    with pytest.raises(StageFailed):
        await Desk(broken).check_health()


async def test_a_stage_that_works_is_well_unless_it_long_works_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_FRESH_SECONDS", 0.0)
    working, go_on = threading.Event(), threading.Event()

    def work(_: Callable[[], None]) -> None:
        working.set()
        go_on.wait(10)

    bench, wanted = Desk(nothing), order()
    task = asyncio.create_task(bench.answer(wanted, work))
    await asyncio.to_thread(working.wait, 10)
    await bench.check_health()  # somebody waits
    wanted.given_up = True
    await bench.check_health()  # nobody does, since this moment
    await bench.check_health()
    monkeypatch.setattr(desk, "_STUCK_SECONDS", -1.0)
    with pytest.raises(StageStuck):
        await bench.check_health()
    go_on.set()
    await task
    await bench.check_health()
