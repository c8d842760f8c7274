"""SIGTERM: what is under way and what still arrives is answered, then nothing new is taken, then the process ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Queue

import grpc
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.pictures import flat, png
from tests.serving.provocations import connected, wait_until_draining
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest, grpc_answer

DETECT = Ask("faceswap-detect", flat())
LONG = 60.0
READY = RestRequest("GET", "/v2/health/ready")


def test_what_was_accepted_and_what_still_arrives_is_answered(tmp_path: Path) -> None:
    settings = {"WORKERS": "4", "DRAIN_DELAY_SECONDS": "2", "GRACE_SECONDS": "60"}
    with puppet(tmp_path, settings) as server, connected(server) as running, connected(server) as kept:
        channel, kept_channel = GrpcConnection(server.grpc_port), GrpcConnection(server.grpc_port)
        assert kept.ask(DETECT.rest()).headers.get("connection") is None
        assert kept_channel.ask(DETECT.grpc()).code is grpc.StatusCode.OK
        server.stages.hold("detect", 2)
        running.send(DETECT.rest())
        call = channel.start(DETECT.grpc())
        stages = [server.stages.arrival(), server.stages.arrival()]

        server.terminate()

        # During the delay: not ready at once, yet everybody is served.
        with connected(server) as probing:
            wait_until_draining(server)
            unready = probing.ask(READY)
        assert (unready.status, unready.json["code"]) == (503, "not_ready")
        ready = kept_channel.ask(pb.ModelReadyRequest(name="faceswap"), "ModelReady")
        assert (ready.code, ready.response.ready) == (grpc.StatusCode.OK, False)
        with connected(server) as new:
            for connection in (kept, new):
                answer = connection.ask(DETECT.rest())
                assert (answer.status, answer.headers["connection"]) == (200, "close")
        new_channel = GrpcConnection(server.grpc_port)
        for called in (kept_channel, new_channel):
            assert called.ask(DETECT.grpc()).code is grpc.StatusCode.OK

        # After it: nothing new, but the models stay for those under way.
        wait_until_refused(server)
        assert grpc_answer(new_channel.start(DETECT.grpc())).code is grpc.StatusCode.UNAVAILABLE
        for stage in stages:
            stage.go()
        answer = running.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert grpc_answer(call).code is grpc.StatusCode.OK
        assert server.exit_code() == 0
        for used in (channel, kept_channel, new_channel):
            used.close()
    assert "stopped, nothing dropped" in server.log.read_text()


def test_a_channel_stays_connected_until_it_is_told_to_connect_anew_in_the_drain(tmp_path: Path) -> None:
    states: Queue[grpc.ChannelConnectivity] = Queue()
    with puppet(tmp_path, {"DRAIN_DELAY_SECONDS": "4"}) as server:
        channel = GrpcConnection(server.grpc_port)
        channel.channel.subscribe(states.put)
        assert channel.ask(DETECT.grpc()).code is grpc.StatusCode.OK
        while states.get(timeout=LONG) is not grpc.ChannelConnectivity.READY:
            pass

        time.sleep(2.5)  # an age within the delay would be over
        assert channel.ask(DETECT.grpc()).code is grpc.StatusCode.OK
        assert states.empty()

        server.terminate()
        assert states.get(timeout=LONG) is grpc.ChannelConnectivity.IDLE
        assert "taking nothing new" not in server.log.read_text()
        channel.close()


def test_a_connection_made_just_before_the_listener_closes_is_served(tmp_path: Path) -> None:
    with puppet(tmp_path, {"DRAIN_DELAY_SECONDS": "0.5"}) as server, connected(server) as fresh:
        server.terminate()
        wait_until_refused(server)

        answer = fresh.ask(DETECT.rest())

        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert server.exit_code() == 0


def test_a_stage_that_runs_for_nobody_does_not_keep_the_process(tmp_path: Path) -> None:
    with puppet(tmp_path) as server, connected(server) as impatient:
        server.stages.hold("detect")
        impatient.send(Ask("faceswap-detect", flat(), headers={"x-request-timeout": "0.2"}).rest())
        server.stages.arrival()
        assert impatient.answer().status == 504

        server.terminate()

        assert server.exit_code() == 0
    assert "stopped, nothing dropped" in server.log.read_text()


def test_a_second_signal_ends_the_process_at_once_and_says_what_was_dropped(tmp_path: Path) -> None:
    with puppet(tmp_path, {"DRAIN_DELAY_SECONDS": "30", "GRACE_SECONDS": "60"}) as server, connected(server) as running:
        server.stages.hold("detect")
        running.send(DETECT.rest())
        server.stages.arrival()

        server.terminate()
        wait_until_draining(server)
        server.terminate()

        assert server.exit_code() == 1
    assert "stopped, requests dropped: 1" in server.log.read_text()


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_what_outlasts_the_grace_period_is_dropped_and_counted(tmp_path: Path, protocol: str) -> None:
    with puppet(tmp_path, {"DRAIN_DELAY_SECONDS": "0.1", "GRACE_SECONDS": "1.1"}) as server, connected(server) as rest:
        channel = GrpcConnection(server.grpc_port)
        server.stages.hold("detect")
        call = channel.start(DETECT.grpc()) if protocol == "grpc" else None
        if protocol == "rest":
            rest.send(DETECT.rest())
        server.stages.arrival()

        server.terminate()

        assert server.exit_code() == 1
        del call  # a call that nobody holds is cancelled
        channel.close()
    assert "stopped, requests dropped: 1" in server.log.read_text()


def test_an_answer_that_its_client_does_not_read_is_dropped_and_counted(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    noise = png(rng.integers(0, 256, (2300, 2300, 3), np.uint8))  # more than the system takes for who does not read
    settings = {"DRAIN_DELAY_SECONDS": "0.1", "GRACE_SECONDS": "1.1"}
    with puppet(tmp_path, settings) as server, connected(server) as reading_nothing:
        reading_nothing.send(Ask(image=flat(), destinations=[noise]).rest())
        assert reading_nothing.status_alone() == 200

        server.terminate()

        assert server.exit_code() == 1
    assert "stopped, requests dropped: 1" in server.log.read_text()


def test_an_answer_over_grpc_that_its_client_does_not_read_is_dropped_and_counted(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    noise = png(rng.integers(0, 256, (2300, 2300, 3), np.uint8))
    settings = {"DRAIN_DELAY_SECONDS": "0.1", "GRACE_SECONDS": "1.1"}
    with (
        puppet(tmp_path, settings) as server,
        clogged(server.grpc_port) as (port, is_clogged),
        closing(GrpcConnection(port)) as channel,
    ):
        _call = channel.start(Ask(image=flat(), destinations=[noise]).grpc())  # one that nobody holds is cancelled
        assert is_clogged.wait(LONG)

        server.terminate()

        assert server.exit_code() == 1
    assert "stopped, requests dropped: 1" in server.log.read_text()


def test_an_answer_over_grpc_whose_client_has_gone_is_nobodys_loss(tmp_path: Path, rng: np.random.Generator) -> None:
    noise = png(rng.integers(0, 256, (2300, 2300, 3), np.uint8))
    settings = {"DRAIN_DELAY_SECONDS": "0.1", "GRACE_SECONDS": "20"}
    with puppet(tmp_path, settings) as server:
        with clogged(server.grpc_port) as (port, is_clogged), closing(GrpcConnection(port)) as channel:
            _call = channel.start(Ask(image=flat(), destinations=[noise]).grpc())
            assert is_clogged.wait(LONG)

        server.terminate()

        assert server.exit_code() == 0
    assert "stopped, nothing dropped" in server.log.read_text()


@contextmanager
def clogged(port: int) -> Iterator[tuple[int, threading.Event]]:
    """A port before another that hands on all questions and only the first 64 KiB of answers; and when it stopped."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(("127.0.0.1", port)) as server,
        ThreadPoolExecutor(2) as threads,
    ):
        is_clogged = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                asking = threads.submit(hand_on, client, server, None)
                hand_on(server, client, 64 * 1024)
                is_clogged.set()
                asking.result()

        serving = threads.submit(serve)
        yield listener.getsockname()[1], is_clogged
        serving.result()


def hand_on(source: socket.socket, target: socket.socket, most: int | None) -> None:
    """Hand on what comes, until it ends or so many bytes have come."""
    with suppress(OSError):
        while (most is None or most > 0) and (part := source.recv(64 * 1024)):
            target.sendall(part)
            most = None if most is None else most - len(part)


def wait_until_refused(server: Puppet) -> None:
    """Return when no new connection is taken any more."""
    while True:
        try:
            RestConnection(server.http_port).close()
        except ConnectionRefusedError:
            return
