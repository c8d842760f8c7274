"""`serve --scale ray`: the usual server, its stages behind a Ray of its own, which ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from predictor.client.server_process import RunningServer, free_ports, serving
from tests.scaling.conftest import SETTINGS
from tests.scaling.test_two_nodes import ASKS
from tests.serving.wire import GrpcConnection, RestConnection, RestRequest, grpc_answer

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

_GONE_SECONDS = 60.0


@contextmanager
def one_pod(folder: Path, destinations: Path) -> Iterator[RunningServer]:
    """A server with its stages behind Ray, until the block ends."""
    assert "RAY_ADDRESS" not in os.environ
    http_port, grpc_port = free_ports(2)
    settings = {name.upper(): str(value) for name, value in SETTINGS.items()}
    settings |= {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "1"}
    settings |= {"DESTINATIONS_DIR": str(destinations)}
    with serving(settings, "--scale", "ray", log=folder / "log", timeout_seconds=300) as running:
        yield running


@contextmanager
def connections(server: RunningServer) -> Iterator[tuple[RestConnection, GrpcConnection]]:
    rest, rpc = server.http_url.rpartition(":")[2], server.grpc_address.rpartition(":")[2]
    with closing(RestConnection(int(rest))) as over_rest, closing(GrpcConnection(int(rpc))) as over_grpc:
        yield over_rest, over_grpc


def offspring(pid: int) -> dict[int, str]:
    """The processes that one has started, and they, by their ids, with their names."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    named = {int(child): Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    return named | {pid: name for child in named for pid, name in offspring(child).items()}


def wait_until_gone(processes: Iterable[int]) -> None:
    """Return when all have ended; the test's own time limit bounds it."""
    while any(Path(f"/proc/{each}").exists() for each in processes):
        time.sleep(0.1)


def test_it_gives_the_bytes_of_one_without_ray_and_a_drain_answers_what_is_under_way_and_leaves_nothing(
    tmp_path: Path, destinations: Path, alone: RunningServer
) -> None:
    ask = ASKS["swap"]
    with (
        one_pod(tmp_path, destinations) as server,
        connections(server) as (rest, channel),
        connections(server) as (probing, _),
        connections(alone) as (plain, plain_channel),
    ):
        for each in ASKS.values():
            over_rest = rest.ask(each.rest())
            assert (over_rest.status, over_rest.body) == (200, plain.ask(each.rest()).body)
            over_grpc, without = channel.ask(each.grpc()), plain_channel.ask(each.grpc())
            assert over_grpc.code is grpc.StatusCode.OK
            assert list(over_grpc.response.outputs) == list(without.response.outputs)
        of_ray = offspring(server.process.pid)
        assert "raylet" in of_ray.values()

        rest.send(ask.rest())
        call = channel.start(ask.grpc())
        while b'requests_in_flight{model="faceswap"} 2.0' not in probing.ask(RestRequest("GET", "/metrics")).body:
            pass
        server.process.send_signal(signal.SIGTERM)

        assert rest.answer().body == plain.ask(ask.rest()).body
        assert grpc_answer(call).code is grpc.StatusCode.OK
        assert server.process.wait(_GONE_SECONDS) == 0
        wait_until_gone(of_ray)
    assert "stopped, nothing dropped" in (tmp_path / "log").read_text()


def test_nothing_of_rays_outlives_a_server_that_is_killed(tmp_path: Path, destinations: Path) -> None:
    with one_pod(tmp_path, destinations) as server:
        of_ray = offspring(server.process.pid)
        assert "raylet" in of_ray.values()

        server.process.kill()

        wait_until_gone(of_ray)
