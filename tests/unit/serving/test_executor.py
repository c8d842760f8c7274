"""Order and counts, never milliseconds: work is held by events, and the test says when it ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import DeadlineExceeded, Overloaded
from predictor.job import Job
from predictor.serving.executor import Executor
from tests.unit.serving.executors import LONG, Step, an_executor, request, take_a_worker, turns

# ── order ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_requests_are_served_in_the_order_they_came() -> None:
    async with an_executor() as executor:
        blocker, served = Step(), list[int]()
        first = asyncio.create_task(request(executor, blocker))
        await blocker.has_begun()
        waiting = [asyncio.create_task(request(executor, lambda n=number: served.append(n))) for number in range(5)]  # type: ignore[misc]
        await turns()
        assert served == []

        blocker.end()
        await asyncio.gather(first, *waiting)

        assert served == [0, 1, 2, 3, 4]


async def test_never_more_requests_run_than_there_are_workers() -> None:
    async with an_executor(workers=2) as executor:
        steps = [Step() for _ in range(3)]
        tasks = [asyncio.create_task(request(executor, step)) for step in steps]
        await steps[0].has_begun()
        await steps[1].has_begun()
        await turns()
        assert not steps[2].begun.is_set()

        steps[1].end()
        await steps[2].has_begun()

        steps[0].end()
        steps[2].end()
        assert await asyncio.gather(*tasks) == ["done"] * 3


async def test_a_worker_is_held_over_all_steps_of_a_request() -> None:
    async with an_executor() as executor:
        blocker, order = Step(), list[str]()

        async def three_steps(name: str) -> None:
            async with executor.worker(Job(LONG)) as worker:
                for number in range(3):
                    await worker.run(order.append, f"{name}{number}")

        first = asyncio.create_task(request(executor, blocker))
        await blocker.has_begun()
        both = [asyncio.create_task(three_steps(name)) for name in "ab"]
        blocker.end()
        await asyncio.gather(first, *both)

        assert order == ["a0", "a1", "a2", "b0", "b1", "b2"]


async def test_the_event_loop_stays_free_while_a_step_runs() -> None:
    async with an_executor() as executor:
        step = Step()
        task = asyncio.create_task(request(executor, step))
        await step.has_begun()

        await turns()  # would never come back if the step ran here

        step.end()
        assert await task == "done"


# ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_full_queue_refuses_at_once_and_says_how_long_to_wait() -> None:
    async with an_executor(workers=1, queue_length=1) as executor:
        with executor.admission(), executor.admission(), pytest.raises(Overloaded) as caught, executor.admission():
            pytest.fail("a third was let in")

        assert caught.value.retry_after_seconds == 1
        assert executor.admitted == 0


async def test_without_a_queue_only_the_workers_are_let_in() -> None:
    async with an_executor(workers=2, queue_length=0) as executor:
        with executor.admission(), executor.admission(), pytest.raises(Overloaded), executor.admission():
            pytest.fail("a third was let in")


async def test_a_place_is_free_again_after_a_request_that_failed() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:

        def broken() -> None:
            raise ValueError("broken")

        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                await request(executor, broken)

        assert executor.admitted == 0


async def test_the_expected_wait_grows_with_the_queue_and_with_the_time_requests_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with an_executor(workers=2, queue_length=10) as executor:
        now = [0.0]
        with monkeypatch.context() as patch:
            patch.setattr("predictor.serving.executor.time.monotonic", lambda: now[0])
            async with executor.worker(Job()):
                now[0] += 3.0

        waits = [executor.expected_wait_seconds()]
        with executor.admission(), executor.admission():
            waits.append(executor.expected_wait_seconds())
            with executor.admission(), executor.admission():
                waits.append(executor.expected_wait_seconds())

        # three seconds a request, two at a time: one place in the line is 1.5 s, told in whole seconds
        assert waits == [2, 2, 5]


async def test_who_waits_too_long_is_told_that_the_server_is_busy() -> None:
    async with an_executor(queue_seconds=0.01) as executor:
        blocker = Step()
        first = asyncio.create_task(request(executor, blocker))
        await blocker.has_begun()

        with pytest.raises(Overloaded):
            await request(executor, lambda: pytest.fail("it ran"))

        blocker.end()
        assert await first == "done"
        assert executor.admitted == 0


# ── more workers ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_executor_may_grow_once_it_is_known_what_a_recipe_needs() -> None:
    async with an_executor(workers=1, queue_length=0) as executor:
        executor.grow(3)
        steps = [Step() for _ in range(3)]
        tasks = [asyncio.create_task(request(executor, step)) for step in steps]
        for step in steps:
            await step.has_begun()

        with pytest.raises(Overloaded):
            await request(executor, lambda: pytest.fail("it ran"))

        for step in steps:
            step.end()
        assert await asyncio.gather(*tasks) == ["done"] * 3


# ── deadlines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deadline_that_passes_in_the_queue_is_exceeded_and_nothing_runs() -> None:
    async with an_executor() as executor:
        blocker = Step()
        first = asyncio.create_task(request(executor, blocker))
        await blocker.has_begun()

        with pytest.raises(DeadlineExceeded) as caught:
            await request(executor, lambda: pytest.fail("it ran"), Job(0.01))

        assert caught.value.details == {"timeout_seconds": 0.01}
        blocker.end()
        assert await first == "done"


async def test_a_deadline_that_passes_in_a_step_keeps_the_worker_until_the_step_has_ended() -> None:
    async with an_executor() as executor:
        late, job = Step(), Job(0.05)
        first = asyncio.create_task(request(executor, late, job))
        await late.has_begun()
        second = asyncio.create_task(take_a_worker(executor))

        with pytest.raises(DeadlineExceeded):
            await first

        await turns()
        assert not second.done()  # the thread is still in the first one's step
        with pytest.raises(DeadlineExceeded):
            job.check()  # so that the step's own stages stop
        late.end()
        assert await second == "has one"


async def test_a_deadline_that_has_passed_already_runs_nothing() -> None:
    async with an_executor() as executor:
        with pytest.raises(DeadlineExceeded):
            await request(executor, lambda: pytest.fail("it ran"), Job(0.0))

        assert await request(executor, lambda: "done") == "done"


async def test_an_abandoned_request_gives_up_its_worker_between_two_steps() -> None:
    async with an_executor() as executor:
        job = Job(LONG)
        async with executor.worker(job) as worker:
            await worker.run(job.abandon)
            with pytest.raises(DeadlineExceeded):
                await worker.run(pytest.fail, "it ran")

        assert await request(executor, lambda: "done") == "done"


async def test_what_a_given_up_step_raises_in_the_end_is_nobodys_complaint() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with an_executor() as executor:
        late = Step()
        job = Job(0.05)

        def stages() -> None:
            late()
            job.check()

        with pytest.raises(DeadlineExceeded):
            await request(executor, stages, job)
        late.end()
        assert await request(executor, lambda: "done") == "done"

    gc.collect()
    await turns()
    assert complaints == []


# ── cancelling ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_request_keeps_its_worker_until_its_step_has_ended() -> None:
    async with an_executor() as executor:
        cancelled, job = Step(), Job(LONG)
        first = asyncio.create_task(request(executor, cancelled, job))
        await cancelled.has_begun()
        second = asyncio.create_task(take_a_worker(executor))
        await turns()

        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first

        await turns()
        assert not second.done()
        with pytest.raises(DeadlineExceeded):
            job.check()
        cancelled.end()
        assert await second == "has one"


async def test_a_request_cancelled_in_the_queue_leaves_its_place_to_the_next() -> None:
    async with an_executor() as executor:
        blocker = Step()
        first = asyncio.create_task(request(executor, blocker))
        await blocker.has_begun()
        gone = asyncio.create_task(request(executor, lambda: pytest.fail("it ran")))
        last = asyncio.create_task(request(executor, lambda: "last"))
        await turns()

        gone.cancel()
        blocker.end()

        assert await first == "done"
        assert await last == "last"
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert executor.admitted == 0


# ── around it ─────────────────────────────────────────────────────────────────────────────────────────────────────────

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


async def test_the_thread_knows_the_requests_context() -> None:
    async with an_executor(workers=2) as executor:

        async def named(name: str) -> object:
            NAME.set(name)
            return await request(executor, NAME.get)

        tasks = [asyncio.create_task(named(name)) for name in ("a", "b", "c")]

        assert await asyncio.gather(*tasks) == ["a", "b", "c"]
        assert NAME.get() == "nobody"


async def test_work_lets_the_event_loop_go_first_with_all_the_workers_there_ever_are() -> None:
    def nice() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async with an_executor() as executor:
        executor.grow(2)

        assert await request(executor, nice) == min(19, nice() + 10)
    async with an_executor() as executor:
        assert await request(executor, nice) == min(19, nice() + 10)


async def test_arguments_and_errors_pass_through() -> None:
    async with an_executor() as executor, executor.worker(Job()) as worker:
        assert await worker.run(int, "ff", base=16) == 255
        with pytest.raises(ZeroDivisionError):
            await worker.run(divmod, 1, 0)


class Traffic:
    """Requests that come, end and are cancelled as a schedule says; counts how many run at a time."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._steps: list[Step] = []
        self._tasks: list[asyncio.Task[object]] = []
        self._lock = threading.Lock()
        self._running = 0
        self.peak = 0

    def do(self, event: str) -> None:
        if event.startswith("arrive"):
            self._arrive(broken=event == "arrive broken", timeout_seconds=0.0 if event == "arrive late" else LONG)
        elif event == "end" and self._steps:
            self._steps.pop(0).end()
        elif event == "cancel" and self._tasks:
            self._tasks[len(self._tasks) // 2].cancel()

    async def finish(self) -> None:
        for step in self._steps:
            step.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _arrive(self, *, broken: bool, timeout_seconds: float) -> None:
        step = Step()
        self._steps.append(step)
        work = request(self._executor, lambda: self._counted(step, broken=broken), Job(timeout_seconds))
        self._tasks.append(asyncio.create_task(work))

    def _counted(self, step: Step, *, broken: bool) -> str:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)
        try:
            if broken:
                raise ValueError("broken")
            return step()
        finally:
            with self._lock:
                self._running -= 1


@settings(max_examples=40, deadline=None)
@given(
    workers=st.integers(1, 3),
    queue_length=st.integers(0, 3),
    schedule=st.lists(
        st.sampled_from(["arrive", "arrive late", "arrive broken", "end", "cancel", "turn"]), max_size=30
    ),
)
def test_whatever_happens_no_place_and_no_worker_is_lost(workers: int, queue_length: int, schedule: list[str]) -> None:
    async def play() -> None:
        async with an_executor(workers, queue_length) as executor:
            traffic = Traffic(executor)
            for event in schedule:
                traffic.do(event)
                await turns(3)
                assert executor.admitted <= workers + queue_length
            await traffic.finish()

            assert executor.admitted == 0
            assert traffic.peak <= workers
            await _every_worker_is_free(executor, workers)

    asyncio.run(play())


async def _every_worker_is_free(executor: Executor, workers: int) -> None:
    steps = [Step() for _ in range(workers)]
    tasks = [asyncio.create_task(request(executor, step)) for step in steps]
    for step in steps:
        await step.has_begun()
    for step in steps:
        step.end()
    await asyncio.gather(*tasks)


async def test_closing_lets_go_of_the_threads() -> None:
    executor = Executor(1, 0, LONG)
    async with executor.worker(Job()) as worker:
        thread = await worker.run(threading.current_thread)

    executor.close()

    await asyncio.to_thread(thread.join, LONG)
    assert not thread.is_alive()
