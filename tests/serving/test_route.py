"""The route of these tests keeps nobody waiting: what ends at one side ends at the other."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.serving.route import Route

NO_LINGER = struct.pack("ii", 1, 0)
"""Closing such a socket resets the connection."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end and a server's, a route between them."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        closing(Route(listener.getsockname()[1])) as route,
        socket.create_connection(("127.0.0.1", route.port), 5) as client,
        listener.accept()[0] as server,
    ):
        client.sendall(b"asked")
        assert server.recv(5) == b"asked"
        yield client, server


def test_a_reset_is_passed_on(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends

    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    server.close()

    assert client.recv(1) == b""


def test_an_end_is_passed_on_behind_what_was_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends

    server.sendall(b"answered")
    server.close()

    assert client.recv(100) == b"answered"
    assert client.recv(1) == b""
