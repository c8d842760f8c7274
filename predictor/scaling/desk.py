"""Where a replica works: one thread that runs its stage, call by call or several together, and how it is.

One thread, because a network takes all of a replica's processors or its share of a GPU: more at a time is more
replicas.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from predictor.errors import DeadlineExceeded
from predictor.scaling.outcomes import Broken, Done, Dropped
from predictor.serving.logs import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.scaling.outcomes import Ticket

    Outcome = Done[Any] | Broken | Dropped
    Check = Callable[[], None]

_R = TypeVar("_R")
_log = logging.getLogger(__name__)
_FRESH_SECONDS = 60.0
"""A stage that gave an answer within this time is well; else it is asked for one."""
_STUCK_SECONDS = 60.0
"""Work that goes on for nobody looks up between its parts and ends; what does not within this time never will."""


class StageStuck(Exception):
    """The thread of a replica has long worked for nobody; Ray puts another replica in its place."""


class Order:
    """One call, from its arrival at a replica.

    Args:
        ticket: What came with it.
        arguments: What the stage's method takes, each as long as the others.
    """

    def __init__(self, ticket: Ticket, *arguments: Sequence[Any]) -> None:
        self.ticket = ticket
        self.arguments = arguments
        seconds = ticket.remaining_seconds
        self._until = None if seconds is None else time.monotonic() + seconds
        self.given_up = False
        """Whether its caller has taken it back."""

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.given_up and (self._until is None or time.monotonic() < self._until)

    def check(self) -> None:
        """Raise DeadlineExceeded where nobody waits any more."""
        if not self.is_waited_for:
            raise DeadlineExceeded(self.ticket.remaining_seconds or 0.0)


class Desk:
    """The one thread of a replica.

    Args:
        prove: Runs the stage once on something small; raises where it does not work.
    """

    def __init__(self, prove: Callable[[], None]) -> None:
        self._prove = prove
        self.sizes: Counter[int] = Counter()
        """How often so many orders were worked on together."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._busy = 0
        self._well = time.monotonic()
        self._order: Order | None = None
        self._unwanted_since: tuple[Order, float] | None = None

    async def answer(self, order: Order, work: Callable[[Check], object]) -> Outcome:
        """Work on one order; a caller that takes it back ends the work where the stage next looks."""
        try:
            return await self._run(lambda: self._outcome(order, work))
        finally:
            order.given_up = True

    async def answer_all(
        self, orders: Sequence[Order], work: Callable[[Sequence[Order], Check], list[_R]], *, together: bool
    ) -> list[Outcome]:
        """Work on several orders, and return an outcome for each.

        Args:
            orders: In order of arrival.
            work: Returns an answer for each order it is given.
            together: Whether it may be given several at once.
        """
        return await self._run(lambda: self._outcomes(orders, work, together=together))

    async def check_health(self) -> None:
        """Return while the stage works or has just worked; else let it prove that it still does.

        Raises:
            StageStuck: It works for nobody and does not come back.
            Exception: Whatever else was wrong; Ray puts another replica in its place.
        """
        if self._busy:
            self._require_progress(time.monotonic())
        elif time.monotonic() - self._well >= _FRESH_SECONDS:
            await self._run(self._prove)
            self._well = time.monotonic()

    def _require_progress(self, now: float) -> None:
        order = self._order
        if order is None or order.is_waited_for:
            self._unwanted_since = None
        elif self._unwanted_since is None or self._unwanted_since[0] is not order:
            self._unwanted_since = order, now
        elif now - self._unwanted_since[1] > _STUCK_SECONDS:
            raise StageStuck

    async def _run(self, function: Callable[[], _R]) -> _R:
        context = contextvars.copy_context()
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, context.run, function)
        finally:
            self._busy -= 1

    def _outcomes(
        self, orders: Sequence[Order], work: Callable[[Sequence[Order], Check], list[_R]], *, together: bool
    ) -> list[Outcome]:
        waiting = [order for order in orders if order.is_waited_for]
        if together and len(waiting) > 1:
            outcome = self._outcome(waiting[0], lambda _: work(waiting, lambda: _any_waits(waiting)))
            if isinstance(outcome, Done):
                self.sizes[len(waiting)] += 1
                values = iter(outcome.value)
                return [Done(next(values), len(waiting)) if order in waiting else Dropped() for order in orders]
            # One of them may be at fault, and shall not fail the others.
        return [self._outcome(order, lambda check, one=order: work([one], check)[0]) for order in orders]  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def _outcome(self, order: Order, work: Callable[[Check], object]) -> Outcome:
        token = REQUEST_ID.set(order.ticket.request_id)
        self._order = order
        try:
            order.check()
            value = work(order.check)
        except DeadlineExceeded:
            return Dropped()
        except Exception as error:  # noqa: BLE001  # whatever it was, the caller is told in plain values
            _log.exception("failed")
            return Broken(str(error), traceback.format_exc())
        else:
            self._well = time.monotonic()
            return Done(value)
        finally:
            self._order = None
            REQUEST_ID.reset(token)


def _any_waits(orders: Sequence[Order]) -> None:
    if not any(order.is_waited_for for order in orders):
        orders[0].check()
