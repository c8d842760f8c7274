"""A rolling update: one server drains while its route moves to the next, and no call of any kind of client fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import grpc
import pytest

from tests.serving.pictures import flat
from tests.serving.provocations import wait_until_draining
from tests.serving.puppet import PATIENCE_SECONDS, puppet
from tests.serving.route import Route
from tests.serving.wire import Ask, GrpcConnection, RestConnection

CALLS_BEFORE_THE_ROUTE_MOVES = 5


@pytest.mark.parametrize("round_number", range(2))
def test_no_call_fails_while_the_route_moves_from_a_draining_server_to_the_next(
    tmp_path: Path, round_number: int
) -> None:
    settings = {"WORKERS": "2", "QUEUE_LENGTH": "100", "DRAIN_DELAY_SECONDS": "2", "GRACE_SECONDS": "30"}
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with (
        puppet(tmp_path / "old", settings) as old,
        puppet(tmp_path / "new", settings) as new,
        routed(old.http_port) as rest,
        routed(old.grpc_port) as grpc_route,
    ):
        clients = [RestOnce(rest), RestKept(rest), GrpcOnce(grpc_route), GrpcKept(grpc_route)]
        wait_for_more_calls(clients)

        old.terminate()
        wait_until_draining(old)
        wait_for_more_calls(clients)
        rest.target_port, grpc_route.target_port = new.http_port, new.grpc_port
        new.stages.wait_for_colours({client.colour for client in clients})

        # Everybody has moved while the old server still took whatever came: it has nobody left to cut off.
        assert "taking nothing new" not in old.log.read_text()
        assert old.exit_code() == 0
        assert "stopped, nothing dropped" in old.log.read_text()
        assert [client.lost for client in clients] == [[]] * 4, f"round {round_number}"
        wait_for_more_calls(clients)
        for client in clients:
            client.stop()
        assert [client.lost for client in clients] == [[]] * 4, f"round {round_number}"


class Client(threading.Thread):
    """Calls again and again, and notes every call that was not answered well."""

    colour: tuple[int, int, int]
    """Of the picture it sends: tells servers' calls apart."""

    def __init__(self, route: Route) -> None:
        super().__init__(daemon=True)
        self._ask = Ask("faceswap-detect", flat(self.colour))
        self._route = route
        self._stopping = threading.Event()
        self._served = threading.Condition()
        self.served = 0
        self.lost: list[str] = []
        self.start()

    def call(self) -> str:
        """Call once and return OK, or what went wrong."""
        raise NotImplementedError

    def run(self) -> None:
        """Call until stopped."""
        while not self._stopping.is_set():
            outcome = self.call()
            with self._served:
                if outcome == "OK":
                    self.served += 1
                else:
                    self.lost.append(outcome)
                self._served.notify_all()

    def wait_for(self, served: int) -> None:
        """Wait until so many calls were served; a lost one ends the wait too."""
        with self._served:
            assert self._served.wait_for(lambda: self.served >= served or self.lost, PATIENCE_SECONDS)

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stopping.set()
        self.join()


class RestOnce(Client):
    """Each call on a connection of its own."""

    colour = (10, 0, 0)

    def call(self) -> str:
        connection = RestConnection(self._route.port)
        try:
            return rest_outcome(connection, self._ask)[0]
        finally:
            connection.close()


class RestKept(Client):
    """One connection until the server says that it closes it."""

    colour = (20, 0, 0)

    _connection: RestConnection | None = None

    def call(self) -> str:
        connection = self._connection or RestConnection(self._route.port)
        outcome, closing = rest_outcome(connection, self._ask)
        if closing:
            connection.close()
        self._connection = None if closing else connection
        return outcome

    def stop(self) -> None:
        super().stop()
        if self._connection:
            self._connection.close()


class GrpcOnce(Client):
    """Each call on a channel of its own."""

    colour = (30, 0, 0)

    def call(self) -> str:
        channel = GrpcConnection(self._route.port)
        try:
            return grpc_outcome(channel, self._ask)
        finally:
            channel.close()


class GrpcKept(Client):
    """One channel for ever, as clients do."""

    colour = (40, 0, 0)

    def __init__(self, route: Route) -> None:
        self._channel = GrpcConnection(route.port)
        super().__init__(route)

    def call(self) -> str:
        return grpc_outcome(self._channel, self._ask)

    def stop(self) -> None:
        super().stop()
        self._channel.close()


def rest_outcome(connection: RestConnection, ask: Ask) -> tuple[str, bool]:
    """Call, and return what became of it and whether the server closes the connection."""
    try:
        answer = connection.ask(ask.rest())
    except (OSError, HTTPException) as error:
        return repr(error), True
    return "OK" if answer.status == 200 else answer.body.decode(), answer.headers.get("connection") == "close"


def grpc_outcome(channel: GrpcConnection, ask: Ask) -> str:
    """Call, and return what became of it."""
    answer = channel.ask(ask.grpc())
    return "OK" if answer.code is grpc.StatusCode.OK else f"{answer.code} {answer.message}"


def wait_for_more_calls(clients: list[Client]) -> None:
    """Wait until each client was served a few times more."""
    for client, served in [(client, client.served) for client in clients]:
        client.wait_for(served + CALLS_BEFORE_THE_ROUTE_MOVES)


@contextmanager
def routed(port: int) -> Iterator[Route]:
    """A route to a port."""
    route = Route(port)
    try:
        yield route
    finally:
        route.close()
