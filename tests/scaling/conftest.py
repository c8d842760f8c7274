"""Our application on a Ray of two nodes, in a process of its own, and the same settings served without Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from predictor.client.samples import ASTRONAUT, GRACE_HOPPER, fill_folder
from predictor.client.server_process import RunningServer, free_ports, serving
from tests.serving.wire import GrpcConnection, RestConnection

# One provider and one thread everywhere: what runs where must make no difference, and this machine is small.
# Nothing may fail for being slow on it.
SETTINGS: Mapping[str, object] = {
    "provider": "cpu",
    "threads": 1,
    "limit_faces": 6,
    "queue_length": 16,
    "queue_seconds": 300,
}
CONNECTION_SECONDS = 8.0
COPIES = [f"copy_{number}.jpg" for number in range(10)]
_STOP_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class TwoNodes:
    """The application on two nodes."""

    http_port: int
    grpc_port: int
    address: str
    process: subprocess.Popen[str]
    log: Path

    def kill_worker(self) -> list[str]:
        """End the worker node as a machine ends; return what ran on it."""
        return list(self._tell("kill"))

    def batch_sizes(self) -> set[int]:
        """Return how many orders went through a swapper together, two or more."""
        return {int(size) for size in self._tell("sizes")}

    def _tell(self, word: str) -> Any:  # noqa: ANN401  # what JSON holds
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def two_nodes(folder: Path, **settings: object) -> Iterator[TwoNodes]:
    """Run the application on two nodes until the block ends."""
    http_port, grpc_port = free_ports(2)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PREDICTOR_", "RAY_"))},
        "PREDICTOR_RAY_CONNECTION_SECONDS": str(CONNECTION_SECONDS),
        "PYTHONPATH": str(Path.cwd()),
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "predictor.scaling.proxy.middlewares",
        # a busy machine takes its time to start Ray's processes
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }
    log = folder / "two_nodes.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.scaling.two_nodes", str(http_port), str(grpc_port), json.dumps(settings)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, log.read_text()
        yield TwoNodes(http_port, grpc_port, json.loads(said)["address"], process, log)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="module")
def destinations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two portraits, and one of them a few times more."""
    folder = tmp_path_factory.mktemp("destinations")
    fill_folder(folder, (ASTRONAUT, GRACE_HOPPER))
    for name in COPIES:
        (folder / name).write_bytes(GRACE_HOPPER.read())
    return folder


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory, destinations: Path) -> Iterator[TwoNodes]:
    """The application on two nodes, a replica of each stage on each."""
    folder = tmp_path_factory.mktemp("scaled")
    with two_nodes(folder, ray_replicas="2", destinations_dir=str(destinations), **SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, destinations: Path) -> Iterator[RunningServer]:
    """The same without Ray."""
    http_port, grpc_port = free_ports(2)
    settings = {name.upper(): str(value) for name, value in SETTINGS.items()}
    settings |= {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    settings |= {"DESTINATIONS_DIR": str(destinations)}
    with serving(settings, log=tmp_path_factory.mktemp("alone") / "log") as running:
        yield running


@dataclass(frozen=True, eq=False)
class Both:
    """A connection of each protocol to each of the two."""

    scaled: tuple[RestConnection, GrpcConnection]
    alone: tuple[RestConnection, GrpcConnection]


@pytest.fixture
def both(scaled: TwoNodes, alone: RunningServer) -> Iterator[Both]:
    """New connections."""
    ports = int(alone.http_url.rsplit(":", 1)[1]), int(alone.grpc_address.rsplit(":", 1)[1])
    pairs = [
        (RestConnection(http_port), GrpcConnection(grpc_port))
        for http_port, grpc_port in ((scaled.http_port, scaled.grpc_port), ports)
    ]
    yield Both(*pairs)
    for connection in (each for pair in pairs for each in pair):
        connection.close()
