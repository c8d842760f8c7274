"""SIGTERM: what is under way and what still arrives is answered, then nothing new is taken, then the process ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.pictures import flat
from tests.serving.provocations import connected
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest, grpc_answer

DETECT = Ask("faceswap-detect", flat())
READY = RestRequest("GET", "/v2/health/ready")


def test_what_was_accepted_and_what_still_arrives_is_answered(tmp_path: Path) -> None:
    settings = {"WORKERS": "4", "DRAIN_DELAY_SECONDS": "3", "GRACE_SECONDS": "60"}
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


@pytest.mark.parametrize("round_number", range(3))
def test_no_call_is_lost_under_load(tmp_path: Path, round_number: int) -> None:
    settings = {"WORKERS": "2", "QUEUE_LENGTH": "100", "DRAIN_DELAY_SECONDS": "1", "GRACE_SECONDS": "30"}
    with puppet(tmp_path, settings) as server:
        clients = [Client(server, call) for call in (call_kept_rest, call_new_rest, call_grpc, call_new_grpc)]
        for client in clients:
            client.wait_until_served()

        server.terminate()
        for client in clients:
            client.join()

        assert server.exit_code() == 0
    assert [client.lost for client in clients] == [[], [], [], []], f"round {round_number}"
    assert all(client.served for client in clients)
    assert "stopped, nothing dropped" in server.log.read_text()


class NotAccepted(Exception):
    """The server did not take the call; the client may send it elsewhere."""


class Client(threading.Thread):
    """Calls again and again until it is not taken any more, and notes every call that was taken and not answered."""

    def __init__(self, server: Puppet, call: Callable[[Puppet, dict[str, object]], str]) -> None:
        super().__init__(daemon=True)
        self._server, self._call = server, call
        self._first = threading.Event()
        self.served = 0
        self.lost: list[str] = []
        self.start()

    def wait_until_served(self) -> None:
        assert self._first.wait(30), self.lost

    def run(self) -> None:
        kept: dict[str, object] = {}
        while True:
            try:
                outcome = self._call(self._server, kept)
            except NotAccepted:
                return
            if outcome != "OK":
                self.lost.append(outcome)
                return
            self.served += 1
            self._first.set()


def call_new_rest(server: Puppet, _: dict[str, object]) -> str:
    """Each call on a connection of its own."""
    connection = connected_rest(server)
    try:
        return rest_said(connection)[0]
    finally:
        connection.close()


def call_kept_rest(server: Puppet, kept: dict[str, object]) -> str:
    """Keep a connection until the server says close."""
    connection = kept.pop("rest", None) or connected_rest(server)
    assert isinstance(connection, RestConnection)
    outcome, closing = rest_said(connection)
    if closing:
        connection.close()
    else:
        kept["rest"] = connection
    return outcome


def connected_rest(server: Puppet) -> RestConnection:
    try:
        return RestConnection(server.http_port)
    except ConnectionRefusedError as error:
        raise NotAccepted from error


def rest_said(connection: RestConnection) -> tuple[str, bool]:
    """Call, and return what became of it and whether the server closes the connection."""
    try:
        answer = connection.ask(DETECT.rest())
    except (OSError, HTTPException) as error:
        return repr(error), True
    return "OK" if answer.status == 200 else answer.body.decode(), answer.headers.get("connection") == "close"


def call_grpc(server: Puppet, kept: dict[str, object]) -> str:
    """Keep a channel, as clients do."""
    channel = kept.setdefault("grpc", GrpcConnection(server.grpc_port))
    assert isinstance(channel, GrpcConnection)
    return grpc_said(channel)


def call_new_grpc(server: Puppet, _: dict[str, object]) -> str:
    """Each call on a channel of its own."""
    channel = GrpcConnection(server.grpc_port)
    try:
        return grpc_said(channel)
    finally:
        channel.close()


def grpc_said(channel: GrpcConnection) -> str:
    answer = channel.ask(DETECT.grpc())
    if answer.code is grpc.StatusCode.UNAVAILABLE:
        if "error-code" in answer.trailers or "connect" in answer.message or "GOAWAY" in answer.message:
            raise NotAccepted
        return f"{answer.code} {answer.message}"
    return "OK" if answer.code is grpc.StatusCode.OK else f"{answer.code} {answer.message}"


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
        call = channel.start(DETECT.grpc()) if protocol == "grpc" else rest.send(DETECT.rest())
        server.stages.arrival()

        server.terminate()

        assert server.exit_code() == 1
        del call  # a call that nobody holds is cancelled
        channel.close()
    assert "stopped, requests dropped: 1" in server.log.read_text()


def wait_until_draining(server: Puppet) -> None:
    server.wait_for_line("predictor.serving.server: draining")


def wait_until_refused(server: Puppet) -> None:
    """Return when no new connection is taken any more."""
    while True:
        try:
            RestConnection(server.http_port).close()
        except ConnectionRefusedError:
            return
