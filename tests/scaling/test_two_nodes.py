"""The application of a RayService on a Ray of two nodes: nothing that a client sees tells it from one without Ray."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor.client.calls import Swap, swap_over_v2_binary, swap_over_v2_json
from predictor.client.samples import ASTRONAUT, GRACE_HOPPER
from predictor.client.server_process import RunningServer
from tests.scaling.conftest import CONNECTION_SECONDS, COPIES, Both, TwoNodes
from tests.serving.test_error_table import FORBIDDEN
from tests.serving.wire import Ask, GrpcAnswer, GrpcConnection, RestAnswer, RestConnection, RestRequest, base64_text

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

_PATIENCE_SECONDS = 300.0
SOURCE, DESTINATION = ASTRONAUT.read(), GRACE_HOPPER.read()
EVERYTHING = {"restore": True, "upscale": 2, "destination_face_id": "all"}
ASKS = {
    "swap": Ask(image=SOURCE, destinations=[DESTINATION, SOURCE], options=EVERYTHING),
    "swap onto preloaded ones": Ask(image=SOURCE),
    "enhance": Ask("faceswap-enhance", SOURCE, options={"upscale": 2}),
    "detect": Ask("faceswap-detect", DESTINATION),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_v1_and_grpc_give_the_same_bytes_as_without_ray(both: Both, ask: Ask) -> None:
    over_rest = [pair[0].ask(ask.rest()) for pair in (both.scaled, both.alone)]
    over_grpc = [pair[1].ask(ask.grpc()) for pair in (both.scaled, both.alone)]

    assert over_rest[0].status == 200
    assert over_rest[0].body == over_rest[1].body
    assert over_grpc[0].code is grpc.StatusCode.OK
    assert list(over_grpc[0].response.outputs) == list(over_grpc[1].response.outputs)


@pytest.mark.parametrize("way", [swap_over_v2_json, swap_over_v2_binary])
def test_v2_gives_the_same_bytes_as_without_ray(
    scaled: TwoNodes, alone: RunningServer, way: Callable[[httpx.Client, Swap], Sequence[object]]
) -> None:
    swap = Swap(SOURCE, [DESTINATION], EVERYTHING)
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{scaled.http_port}", timeout=60) as behind_ray,
        httpx.Client(base_url=alone.http_url, timeout=60) as without,
    ):
        assert way(behind_ray, swap) == way(without, swap)


REFUSED = {
    "no picture": Ask(image=b"no picture", destinations=[DESTINATION]),
    "no face": Ask(image=SOURCE, destinations=[DESTINATION], options={"source_face_id": 7}),
    "unknown field": Ask(image=SOURCE, options={"upscaling": 2}),
    "unknown destination": Ask(image=SOURCE, options={"destinations": ["nobody"]}),
    "unknown model": Ask("nobody", SOURCE),
}


def told(answer: RestAnswer) -> tuple[object, ...]:
    return answer.status, answer.json, answer.headers["x-request-id"], answer.headers["content-type"]


def told_by_grpc(answer: GrpcAnswer) -> tuple[object, ...]:
    trailers = answer.trailers
    return answer.code, answer.message, trailers["error-code"], trailers["x-request-id"]


@pytest.mark.parametrize("ask", REFUSED.values(), ids=REFUSED)
def test_errors_are_told_in_the_same_words_with_the_same_ids(both: Both, ask: Ask) -> None:
    ask = Ask(ask.model, ask.image, ask.destinations, ask.options, {"x-request-id": "two-nodes.1"})
    over_rest = [told(pair[0].ask(ask.rest())) for pair in (both.scaled, both.alone)]
    over_grpc = [told_by_grpc(pair[1].ask(ask.grpc(), metadata=ask.headers)) for pair in (both.scaled, both.alone)]

    assert over_rest[0] == over_rest[1]
    assert over_rest[0][2] == over_grpc[0][3] == "two-nodes.1"
    assert over_grpc[0] == over_grpc[1]
    assert not FORBIDDEN.search(str(over_rest[0]) + str(over_grpc[0]))


def test_a_method_that_there_is_not_and_a_message_that_cannot_be_read_are_refused_in_our_words(both: Both) -> None:
    for method, message in (("Nothing", b""), ("ModelInfer", b"\xff\xff")):
        answers = []
        for _, connection in (both.scaled, both.alone):
            call: Any = connection.channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
            with pytest.raises(grpc.RpcError) as caught:
                call(message, metadata=(("x-request-id", "two-nodes.2"),), timeout=30)
            error: Any = caught.value  # a call too
            trailers = {key: value for key, value in error.trailing_metadata() if key != "request_id"}
            answers.append((error.code(), error.details(), trailers))
        assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "request_",
    [
        ("ServerLive", pb.ServerLiveRequest()),
        ("ServerReady", pb.ServerReadyRequest()),
        ("ServerMetadata", pb.ServerMetadataRequest()),
        ("ModelReady", pb.ModelReadyRequest(name="faceswap-enhance")),
        ("ModelMetadata", pb.ModelMetadataRequest(name="faceswap")),
    ],
    ids=lambda given: given[0],
)
def test_states_are_told_the_same_on_grpc(both: Both, request_: tuple[str, object]) -> None:
    method, message = request_
    answers = [connection.ask(message, method) for _, connection in (both.scaled, both.alone)]

    assert answers[0].response == answers[1].response
    assert answers[0].trailers.get("model-parameters") == answers[1].trailers.get("model-parameters")


@pytest.mark.parametrize("path", ["/v2", "/v2/health/ready", "/v2/models/faceswap", "/v1/models", "/nowhere"])
def test_states_are_told_the_same_on_rest(both: Both, path: str) -> None:
    answers = [connection.ask(RestRequest("GET", path)) for connection, _ in (both.scaled, both.alone)]

    assert (answers[0].status, answers[0].body) == (answers[1].status, answers[1].body)


def test_the_deadline_of_a_grpc_client_crosses_the_proxy(both: Both) -> None:
    connection = both.scaled[1]
    connection.ask(ASKS["detect"].grpc())

    answer = connection.ask(ASKS["swap"].grpc(), metadata={"x-request-timeout": "0.001"})

    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert answer.trailers["error-code"] == "deadline_exceeded"


def test_crops_of_different_requests_go_through_a_stage_together(scaled: TwoNodes) -> None:
    # One picture in which a face is to be found, ten on which it goes: they meet at the swapper.
    call = Calls(scaled, Ask(image=SOURCE, options={"destinations": COPIES}))

    call.many(32, at_once=12)

    assert {outcome for outcome, _ in call.outcomes} == {"OK"}
    assert len({picture for _, picture in call.outcomes}) == 1
    assert max(scaled.batch_sizes(), default=1) > 1


def test_more_than_there_is_room_for_is_refused_with_the_time_to_wait(scaled: TwoNodes) -> None:
    ask = Ask("faceswap-enhance", SOURCE, options={"upscale": 4}).rest()

    def once(_: int) -> RestAnswer:
        connection = RestConnection(scaled.http_port)
        try:
            return connection.ask(ask)
        finally:
            connection.close()

    with ThreadPoolExecutor(48) as threads:
        answers = list(threads.map(once, range(48)))

    assert {answer.status for answer in answers} == {200, 429}
    (refused, *_) = [answer for answer in answers if answer.status == 429]
    assert refused.json["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1


def test_connections_end_at_their_age_and_no_call_is_lost(scaled: TwoNodes) -> None:
    rest, channel = RestConnection(scaled.http_port), GrpcConnection(scaled.grpc_port)
    states: list[grpc.ChannelConnectivity] = []
    channel.channel.subscribe(states.append)
    probe, until = RestRequest("GET", "/v2/health/live"), time.monotonic() + 3 * CONNECTION_SECONDS
    closed = 0

    while time.monotonic() < until:
        answer = rest.ask(probe)
        assert answer.status == 200
        assert channel.ask(pb.ServerLiveRequest(), "ServerLive").code is grpc.StatusCode.OK
        if answer.headers.get("connection") == "close":
            closed += 1
            rest.close()
            rest = RestConnection(scaled.http_port)
        time.sleep(0.1)

    rest.close()
    channel.close()
    assert closed >= 2
    assert Counter(states)[grpc.ChannelConnectivity.READY] >= 2


class Calls:
    """The same call by many threads, half of them over REST, half over gRPC, each on a connection of its own."""

    def __init__(self, scaled: TwoNodes, ask: Ask) -> None:
        self._scaled = scaled
        self._rest, self._grpc = ask.rest(), ask.grpc()
        self._lock = threading.Lock()
        self._left = 0
        self.outcomes: list[tuple[str, str]] = []
        """What became of each call, and the first picture it gave, as base64."""

    def many(self, number: int, at_once: int) -> None:
        """Make so many calls."""
        self._left = number
        with ThreadPoolExecutor(at_once) as threads:
            for each in [threads.submit(self._work, over_rest=thread % 2 == 0) for thread in range(at_once)]:
                each.result()

    def _work(self, *, over_rest: bool) -> None:
        channel = GrpcConnection(self._scaled.grpc_port)
        while self._next():
            outcome = self._over_rest() if over_rest else self._over_grpc(channel)
            with self._lock:
                self.outcomes.append(outcome)
        channel.close()

    def _next(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _over_rest(self) -> tuple[str, str]:
        connection = RestConnection(self._scaled.http_port)
        connection._http.sock.settimeout(_PATIENCE_SECONDS)
        try:
            answer = connection.ask(self._rest)
        finally:
            connection.close()
        if answer.status != 200:
            return answer.body.decode(), ""
        return "OK", answer.json["swapped_images"][0]["image_data"]

    def _over_grpc(self, channel: GrpcConnection) -> tuple[str, str]:
        answer = channel.ask(self._grpc, timeout=_PATIENCE_SECONDS)
        if answer.code is not grpc.StatusCode.OK:
            return f"{answer.code} {answer.message}", ""
        (image,) = [output for output in answer.response.outputs if output.name == "image"]
        return "OK", base64_text(image.contents.bytes_contents[0])  # the first, as above


def test_a_killed_worker_loses_no_accepted_request(scaled: TwoNodes, both: Both, root: Path) -> None:
    ask = Ask(image=SOURCE, destinations=[DESTINATION], options={"restore": True})
    call = Calls(scaled, ask)
    expected = {pair[0].ask(ask.rest()).json["swapped_images"][0]["image_data"] for pair in (both.scaled, both.alone)}
    calling = threading.Thread(target=call.many, args=(240, 12))

    calling.start()
    while len(call.outcomes) < 60:
        assert calling.is_alive()
        time.sleep(0.05)
    before, killed = len(call.outcomes), scaled.kill_worker()
    calling.join()
    retries = retried(scaled)

    outcomes = Counter(outcome for outcome, _ in call.outcomes)
    record = {
        "answered before the kill": before,
        "killed with the worker": killed,
        "outcomes of all calls": outcomes,
        "retries by stage": retries,
    }
    (root / "out" / "ray").mkdir(parents=True, exist_ok=True)
    (root / "out" / "ray" / "kill.json").write_text(json.dumps(record, indent=2))
    assert any("ServeReplica" in name for name in killed)
    assert outcomes == {"OK": 240}
    assert {picture for _, picture in call.outcomes} == expected
    assert len(expected) == 1
    assert sum(retries.values()) > 0


def retried(scaled: TwoNodes) -> dict[str, float]:
    """Return how often each stage's orders were sent again, as /metrics tells."""
    connection = RestConnection(scaled.http_port)
    page = connection.ask(RestRequest("GET", "/metrics")).body.decode()
    connection.close()
    lines = [line for line in page.splitlines() if line.startswith("predictor_stage_retries_total{")]
    return {line.split('stage="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
