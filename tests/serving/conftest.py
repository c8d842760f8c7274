"""The running server, and clients of the wire. Servers are started once and shared wherever a test leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor.client.samples import ASTRONAUT, GRACE_HOPPER, fill_folder
from predictor.client.server_process import RunningServer, free_ports, serving
from tests.serving.pictures import flat
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import GrpcConnection, RestConnection

LIMIT_FACES = 6


@pytest.fixture(scope="session")
def destinations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two portraits, a picture of nobody, a truncated one, a text, and a hidden file."""
    folder = tmp_path_factory.mktemp("destinations")
    fill_folder(folder, (ASTRONAUT, GRACE_HOPPER))
    (folder / "nobody.png").write_bytes(flat())
    (folder / "cut.jpg").write_bytes(GRACE_HOPPER.read()[:2000])
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden").write_text("not looked at")
    return folder


@pytest.fixture(scope="session")
def server_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real server writes."""
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="session")
def server(destinations: Path, server_log: Path) -> Iterator[RunningServer]:
    """`python -m predictor serve` with the embedded recipe, as a user runs it."""
    http_port, grpc_port = free_ports(2)
    settings = {
        "HTTP_PORT": str(http_port),
        "GRPC_PORT": str(grpc_port),
        "DESTINATIONS_DIR": str(destinations),
        "LIMIT_FACES": str(LIMIT_FACES),
        "DRAIN_DELAY_SECONDS": "0",
        "LOG_FORMAT": "text",
    }
    with serving(settings, log=server_log) as running:
        yield running


@pytest.fixture
def rest(server: RunningServer) -> Iterator[RestConnection]:
    """One REST connection to the real server."""
    connection = RestConnection(int(server.http_url.rsplit(":", 1)[1]))
    yield connection
    connection.close()


@pytest.fixture
def grpc_connection(server: RunningServer) -> Iterator[GrpcConnection]:
    """One gRPC channel to the real server."""
    connection = GrpcConnection(int(server.grpc_address.rsplit(":", 1)[1]))
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def shared_puppet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    """A server on strings: one worker, room for one more request in the queue."""
    settings = {"WORKERS": "1", "QUEUE_LENGTH": "1"}
    with puppet(tmp_path_factory.mktemp("puppet"), settings) as running:
        yield running
