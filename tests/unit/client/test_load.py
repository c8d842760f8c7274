"""How calls are handed out, and what is kept of them; connections are fakes that fail on demand."""

from __future__ import annotations

import _thread
import itertools
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest

from predictor.client.connections import Connections
from predictor.client.failures import CallFailed, Failure
from predictor.client.load import Load, Outcome, run
from predictor.client.questions import Answer, Picture, Question

QUESTION = Question("detect", "faceswap-detect", b"me")
FIRST = Answer([Picture("a", b"1")], {})
FAILURE = Failure("overloaded", "busy", 429, "id")


class FakeConnections:
    """Every call asks the test what comes of it; calls are numbered from 0."""

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self._answer = answer
        self._numbers = itertools.count()
        self.opened = self.closed = 0
        self.by_thread: dict[int, int] = {}

    def open(self) -> FakeConnections:
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def ask(self, question: Question) -> Answer:
        assert question is QUESTION
        ident = threading.get_ident()
        self.by_thread[ident] = self.by_thread.get(ident, 0) + 1
        return self._answer(next(self._numbers))


def made(connections: FakeConnections, load: Load, told: Callable[[], object] = lambda: None) -> Outcome:
    return run(cast("Connections", connections), QUESTION, load, told)


def fail(_number: int) -> Answer:
    raise CallFailed(FAILURE)


def test_as_many_calls_are_made_as_were_asked_for_by_so_many_connections() -> None:
    together = threading.Barrier(3, timeout=20)

    def answer(number: int) -> Answer:
        if number < 3:
            together.wait()  # breaks if fewer than three call at a time
        return FIRST

    connections, told = FakeConnections(answer), list[int]()
    outcome = made(connections, Load(10, 3), lambda: told.append(1))

    assert (outcome.calls, len(outcome.answered_seconds), outcome.failures) == (10, 10, [])
    assert (connections.opened, connections.closed, len(connections.by_thread)) == (3, 3, 3)
    assert len(told) == 10
    assert (outcome.first, outcome.stopped) == (FIRST, False)


def test_a_call_that_fails_stops_no_other_and_its_time_does_not_count() -> None:
    def answer(number: int) -> Answer:
        return fail(number) if number % 2 else FIRST

    outcome = made(FakeConnections(answer), Load(5))

    assert (outcome.calls, len(outcome.answered_seconds)) == (5, 3)
    assert outcome.failures == [FAILURE, FAILURE]


def test_times_are_those_of_the_calls_alone() -> None:
    def answer(_number: int) -> Answer:
        time.sleep(0.05)
        return FIRST

    outcome = made(FakeConnections(answer), Load(2, pause_seconds=0.2))

    assert all(0.05 <= seconds < 0.2 for seconds in outcome.answered_seconds)
    assert outcome.seconds >= 0.3


def test_different_answers_are_told_apart_and_the_first_is_kept() -> None:
    def answer(number: int) -> Answer:
        return FIRST if number == 0 else Answer([Picture("a", b"2")], {})

    outcome = made(FakeConnections(answer), Load(5))

    assert (len(outcome.digests), outcome.first) == (2, FIRST)


def test_no_call_is_begun_when_the_time_is_up() -> None:
    connections = FakeConnections(lambda _number: FIRST)

    outcome = made(connections, Load(None, 2, duration_seconds=0.3, pause_seconds=0.02))

    assert 2 < outcome.calls <= 2 * 16
    assert outcome.seconds < 10


def test_an_interrupt_ends_it_after_the_calls_under_way() -> None:
    def answer(number: int) -> Answer:
        if number == 3:
            _thread.interrupt_main()
            time.sleep(0.3)  # still under way
        return FIRST

    outcome = made(FakeConnections(answer), Load(1_000_000, pause_seconds=0.01))

    assert outcome.stopped
    assert 4 <= outcome.calls < 1000
    assert len(outcome.answered_seconds) == outcome.calls


def test_a_fault_of_our_own_is_no_failed_call() -> None:
    def answer(_number: int) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        made(FakeConnections(answer), Load(3))


def test_only_failures_leave_no_answer() -> None:
    outcome = made(FakeConnections(fail), Load(2, 2))

    assert (outcome.first, outcome.answered_seconds, len(outcome.failures)) == (None, [], 2)
