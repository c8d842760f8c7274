"""The kinds of client there are: good ones on kept and new connections, slow ones, and those that leave.

A connection is kept or lost, never replaced unseen: what a client library would try again counts as lost here.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol

import grpc
import numpy as np

from predictor.serving.statuses import STATUSES
from tests.load.calls import LEFT, LOST, OK
from tests.load.scenario import Kind
from tests.serving.wire import Ask, GrpcAnswer, GrpcConnection, RestAnswer, RestConnection, RestRequest, grpc_answer

_SLOW_SECONDS = 15.0
"""How long a slow client takes over one body or one answer."""
_SLOW_PARTS = 30
_SMALL_BUFFER_BYTES = 32768
_LONGEST_STAY_SECONDS = 0.6
"""A client that leaves is gone within this time: before, while and after its request is worked on."""
_GRPC_RETRY_SECONDS = 1.0
_ANSWER_SECONDS = 120.0
_CONNECT_SECONDS = 10.0
_random = np.random.default_rng(0)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one call."""

    outcome: str
    status: int
    retry_after_seconds: float = 0.0
    """What the server asked for; 0 where it did not."""


class Client(Protocol):
    """One caller's end."""

    def connect(self) -> None:
        """Connect, where a connection is kept; if there is nobody, the first call will say so."""

    def call(self, message: Any) -> Reply:  # noqa: ANN401  # a RestRequest or gRPC's message
        """Make one call."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a predictor, or the route to one, listens."""

    http: int
    grpc: int


class RestKept:
    """One connection until the server says that it closes it."""

    def __init__(self, ports: Ports) -> None:
        self._port = ports.http
        self._connection: RestConnection | None = None

    def connect(self) -> None:
        """Connect."""
        with suppress(OSError):
            self._connection = RestConnection(self._port)

    def call(self, request: RestRequest) -> Reply:
        """Make one call; a connection on which it failed is given up."""
        try:
            self._connection = self._connection or RestConnection(self._port)
            answer = self._exchange(self._connection, request)
        except (OSError, HTTPException) as error:
            self.close()
            return Reply(f"{LOST}: {type(error).__name__}", 0)
        if answer.headers.get("connection") == "close":
            self.close()
        return rest_reply(answer)

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _exchange(self, connection: RestConnection, request: RestRequest) -> RestAnswer:
        return connection.ask(request)


class RestNew(RestKept):
    """Each call on a connection of its own."""

    def connect(self) -> None:
        """Do nothing yet."""

    def call(self, request: RestRequest) -> Reply:
        """Make one call and hang up."""
        try:
            return super().call(request)
        finally:
            self.close()


class SlowSender(RestNew):
    """Sends its body bit by bit."""

    def _exchange(self, connection: RestConnection, request: RestRequest) -> RestAnswer:
        body = request.body or b""
        size = max(1, -(-len(body) // _SLOW_PARTS))
        connection.send_head(request, len(body))
        try:
            for begin in range(0, len(body), size):
                connection.send_body(body[begin : begin + size])
                time.sleep(_SLOW_SECONDS / _SLOW_PARTS)
        except OSError:
            pass  # the server has lost patience; its answer may be there already
        return connection.answer()


class SlowReader(RestNew):
    """Takes its answer bit by bit, through a small window."""

    def _exchange(self, connection: RestConnection, request: RestRequest) -> RestAnswer:
        http = connection._http
        http.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
        connection.send(request)
        response = http.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        size, parts = int(headers["content-length"]) // _SLOW_PARTS + 1, []
        while part := response.read(size):
            parts.append(part)
            time.sleep(_SLOW_SECONDS / _SLOW_PARTS)
        return RestAnswer(response.status, headers, b"".join(parts))


class RestLeaver:
    """Hangs up at any moment; every other time before its request is whole."""

    def __init__(self, ports: Ports) -> None:
        self._port = ports.http
        self._calls = 0

    def connect(self) -> None:
        """Do nothing yet."""

    def call(self, request: RestRequest) -> Reply:
        """Begin one call and leave."""
        self._calls += 1
        body = request.body or b""
        sent = len(body) if self._calls % 2 else int(_random.integers(0, len(body)))
        try:
            connection = RestConnection(self._port)
            connection.send_head(request, len(body))
            connection.send_body(body[:sent])
        except OSError as error:
            return Reply(f"{LOST}: {type(error).__name__}", 0)
        time.sleep(_random.uniform(0, _LONGEST_STAY_SECONDS))
        connection.close()
        return Reply(LEFT, 0)

    def close(self) -> None:
        """Do nothing: it has left."""


class GrpcKept:
    """One channel for ever, as clients do."""

    def __init__(self, ports: Ports) -> None:
        self._port = ports.grpc
        self._connection: GrpcConnection | None = None

    def connect(self) -> None:
        """Connect."""
        self._connection = GrpcConnection(self._port)
        with suppress(grpc.FutureTimeoutError):
            grpc.channel_ready_future(self._connection.channel).result(_CONNECT_SECONDS)

    def call(self, request: object) -> Reply:
        """Make one call."""
        self._connection = self._connection or GrpcConnection(self._port)
        return self._exchange(self._connection, request)

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _exchange(self, connection: GrpcConnection, request: object) -> Reply:
        return grpc_reply(connection.ask(request, timeout=_ANSWER_SECONDS))


class GrpcNew(GrpcKept):
    """Each call on a channel of its own."""

    def connect(self) -> None:
        """Do nothing yet."""

    def call(self, request: object) -> Reply:
        """Make one call and hang up."""
        try:
            return super().call(request)
        finally:
            self.close()


class GrpcLeaver(GrpcKept):
    """Cancels its call at any moment."""

    def _exchange(self, connection: GrpcConnection, request: object) -> Reply:
        future = connection.start(request, timeout=_ANSWER_SECONDS)
        time.sleep(_random.uniform(0, _LONGEST_STAY_SECONDS))
        return Reply(LEFT, 0) if future.cancel() else grpc_reply(grpc_answer(future))


CLIENTS: Mapping[Kind, Callable[[Ports], Client]] = {
    "rest kept": RestKept,
    "rest new": RestNew,
    "grpc kept": GrpcKept,
    "grpc new": GrpcNew,
    "slow sender": SlowSender,
    "slow reader": SlowReader,
    "rest leaver": RestLeaver,
    "grpc leaver": GrpcLeaver,
}


def message_of(ask: Ask, kind: Kind) -> object:
    """Return what a kind of client sends."""
    return ask.grpc() if kind.startswith("grpc") else ask.rest()


def rest_reply(answer: RestAnswer) -> Reply:
    """Return what an answer over REST means."""
    if answer.status == 200:
        return Reply(OK, answer.status)
    try:
        code = str(answer.json["code"])
    except (ValueError, KeyError, TypeError):
        code = f"http_{answer.status}"
    return Reply(code, answer.status, float(answer.headers.get("retry-after", 0)))


def grpc_reply(answer: GrpcAnswer) -> Reply:
    """Return what the end of a call over gRPC means."""
    if answer.code is grpc.StatusCode.OK:
        return Reply(OK, 200)
    code = answer.trailers.get("error-code")
    if code is None:
        return Reply(f"{LOST}: {answer.code.name} {answer.message}", 0)
    retry = _GRPC_RETRY_SECONDS if code == "overloaded" else 0.0
    return Reply(code, int(STATUSES[code].http), retry)
