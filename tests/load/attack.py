"""The process that calls: locust's users, each with a client of ours, one stage after another.

A `Stage` comes in as a pickle on stdin, a `Ran` goes out on stdout. Locust decides who runs when, tells of every call
through its event `request`, and is imported first: it turns all of Python's waiting into gevent's.
"""

import gevent  # type: ignore[import-untyped]  # ships none
import locust

# Else a call of gRPC would stop every other user; and each takes a thread of gevent's pool for as long as it lasts, so
# that with gevent's ten the eleventh would wait for one of them, and every new connection too.
from grpc.experimental import gevent as grpc_gevent

grpc_gevent.init_gevent()
gevent.get_hub().threadpool.maxsize = 256

import gc  # noqa: E402  # as everything below: it has to find Python patched
import pickle  # noqa: E402
import select  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import redirect_stdout  # noqa: E402
from itertools import count  # noqa: E402
from typing import Any, BinaryIO  # noqa: E402

from locust.env import Environment  # noqa: E402
from locust.event import Events  # noqa: E402
from locust.runners import LocalRunner  # noqa: E402
from locust.user.wait_time import poisson  # noqa: E402

from tests.load.calls import OK, Call, Ran  # noqa: E402
from tests.load.clients import CLIENTS, Ports, Reply, message_of  # noqa: E402
from tests.load.scenario import Population, Stage  # noqa: E402

_PATIENCE_SECONDS = 90
"""For calls that are under way when a stage ends."""
_BEAT_SECONDS = 0.1
"""More often, and it would take as much time from the server as a third of the calls do."""
_USERS_A_SECOND = 100  # locust warns of more


class _CallFailed(Exception):
    """What locust is told of a call that was not answered well."""


class _Caller(locust.User):
    """One user of locust's: makes the calls of its population."""

    abstract = True
    population: Population
    messages: list[object]
    ports: Ports
    numbers: Any

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._client = CLIENTS[self.population.kind](self.ports)
        self._turn = next(self.numbers)
        self._pause = 0.0
        every = self.population.every_seconds
        self._drawn = None if every is None else poisson(1 / every)

    def on_start(self) -> None:
        self._client.connect()
        if self._drawn:  # else all would begin at once
            time.sleep(self._drawn(self))

    def on_stop(self) -> None:
        self._client.close()

    def wait_time(self) -> float:
        return self._drawn(self) if self._drawn else self._pause

    @locust.task
    def call(self) -> None:
        message = self.messages[self._turn % len(self.messages)]
        self._turn += 1
        began, reply = time.monotonic(), Reply("interrupted", 0)
        reply = self._client.call(message)
        seconds = time.monotonic() - began
        self._pause = reply.retry_after_seconds
        self.environment.events.request.fire(
            request_type=self.population.kind,
            name=self.population.name,
            response_time=seconds * 1000,
            response_length=0,
            exception=None if reply.outcome == OK else _CallFailed(reply.outcome),
            context=Call(self.population.name, began, seconds, reply.outcome, reply.status),
        )


def _user(population: Population, ports: Ports) -> type[_Caller]:
    """Return a class of users for a population: locust counts users by their class."""
    fields = {
        "population": population,
        "messages": [message_of(ask, population.kind) for ask in population.asks],
        "ports": ports,
        "numbers": count(),
        "fixed_count": population.count,
    }
    return type(population.name.title().replace(" ", ""), (_Caller,), fields)


class _Timer(threading.Thread):
    """Notes how late it wakes, for as long as the block lasts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.late_seconds: list[float] = []
        self._stopping = threading.Event()

    def __enter__(self) -> list[float]:
        self.start()
        return self.late_seconds

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        due = time.monotonic() + _BEAT_SECONDS
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            self.late_seconds.append(max(0.0, now - due))
            due = now + _BEAT_SECONDS


def run(stage: Stage, wait: Callable[[float], object] = time.sleep) -> Ran:
    """Let all populations call for the stage's time, then await the calls under way.

    Args:
        stage: Who calls.
        wait: Returns after so many seconds, or earlier where the stage shall end earlier.
    """
    calls: list[Call] = []
    events = Events()  # type: ignore[no-untyped-call]  # locust has types, but not for all of it
    events.request.add_listener(  # type: ignore[no-untyped-call]
        lambda context, **_: calls.append(context)
    )
    ports = Ports(stage.http_port, stage.grpc_port)
    users: list[type[locust.User]] = [_user(population, ports) for population in stage.populations]
    environment = Environment(user_classes=users, events=events, stop_timeout=_PATIENCE_SECONDS)
    runner: LocalRunner = environment.create_local_runner()
    before, began = time.process_time(), time.monotonic()
    with _Timer() as late_seconds:
        runner.start(sum(population.count for population in stage.populations), _USERS_A_SECOND)
        wait(stage.seconds)
        ended = time.monotonic()
    runner.stop()  # which closes connections, for tens of milliseconds at a time
    runner.quit()
    return Ran(calls, began, ended, time.process_time() - before, late_seconds)


def main(stages: BinaryIO, answers: BinaryIO) -> None:
    """Run the stages that come in, until there are no more; any message in between ends the stage that runs."""

    def wait(seconds: float) -> None:
        if select.select([stages], [], [], seconds)[0]:
            pickle.load(stages)  # noqa: S301  # from the process that started this one

    gc.collect()
    gc.freeze()  # else a collection in the middle of a stage would stop all callers, and be taken for the server's time
    while True:
        try:
            stage = pickle.load(stages)  # noqa: S301  # as above
        except EOFError:
            return
        pickle.dump(run(stage, wait), answers)
        answers.flush()


if __name__ == "__main__":
    own = sys.stdout.buffer
    with redirect_stdout(sys.stderr):  # locust prints
        main(sys.stdin.buffer, own)
