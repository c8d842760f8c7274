from __future__ import annotations

import socket

import pytest

from predictor.sockets.ports import PortTaken, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_is_reached_at_every_address(host: str) -> None:
    with listen(0, "PREDICTOR_HTTP_PORT") as taken, socket.create_connection((host, taken.getsockname()[1])) as met:
        assert met.getpeername()[1] == taken.getsockname()[1]


def test_a_port_that_somebody_has_is_named_with_its_setting() -> None:
    with listen(0, "PREDICTOR_HTTP_PORT") as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"PREDICTOR_GRPC_PORT: port {port} "):
            listen(port, "PREDICTOR_GRPC_PORT")


def test_a_taken_connection_sends_small_parts_at_once() -> None:
    with listen(0, "PREDICTOR_HTTP_PORT") as taken, socket.create_connection(("localhost", taken.getsockname()[1])):
        met, _ = taken.accept()
        with met:
            assert met.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
