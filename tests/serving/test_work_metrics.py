"""What /metrics says of the work inside requests, while a server does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.pictures import flat
from tests.serving.provocations import connected
from tests.serving.puppet import PATIENCE_SECONDS, Puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest, grpc_answer

SWAP = Ask(image=flat(), destinations=[flat(), flat()], options={"restore": True, "upscale": 2})
DETECT = Ask("faceswap-detect", flat())
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def page(puppet: Puppet) -> str:
    with connected(puppet) as connection:
        return connection.ask(RestRequest("GET", "/metrics")).body.decode()


def series(puppet: Puppet) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page(puppet))
        for sample in family.samples
    }


def value(puppet: Puppet, name: str, **labels: str) -> float:
    return series(puppet).get((name, frozenset(labels.items())), 0.0)


def wait_for(puppet: Puppet, expected: float, name: str, **labels: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while (seen := value(puppet, name, **labels)) != expected:
        assert time.monotonic() < until, seen


@contextmanager
def counting(puppet: Puppet) -> Iterator[dict[str, float]]:
    """Gives by how much the counters of the models rose in the block, bytes and times left out."""
    before, rose = series(puppet), dict[str, float]()
    yield rose
    for (name, labels), now in series(puppet).items():
        told = name.startswith("predictor_") and name.endswith(("_total", "_count")) and "bytes" not in name
        if told and now != before.get((name, labels), 0.0):
            rest = {key: label for key, label in labels if key not in ("model", "protocol")}
            rose[f"{name}{rest}"] = now - before.get((name, labels), 0.0)


@pytest.fixture
def channel(shared_puppet: Puppet) -> Iterator[GrpcConnection]:
    connection = GrpcConnection(shared_puppet.grpc_port)
    yield connection
    connection.close()


def test_the_same_request_counts_the_same_over_rest_and_grpc(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    with counting(shared_puppet) as by_rest, connected(shared_puppet) as rest:
        assert rest.ask(SWAP.rest()).status == 200
    with counting(shared_puppet) as by_grpc:
        assert channel.ask(SWAP.grpc()).response

    edge = "predictor_stage_duration_seconds_count{'stage': '%s'}"
    only_rest = {edge % "send", edge % "receive"}
    assert {name: number for name, number in by_rest.items() if name not in only_rest} == {
        name: number for name, number in by_grpc.items() if name not in only_rest
    }
    assert by_rest["predictor_faces_found_total{}"] == 3.0
    assert by_rest["predictor_faces_swapped_total{}"] == by_rest["predictor_faces_restored_total{}"] == 2.0
    assert by_rest["predictor_encoded_pixels_total{}"] == 4 / 3 * by_rest["predictor_decoded_pixels_total{}"] * 2
    assert by_rest[edge % "restore"] == 2.0
    assert by_rest["predictor_request_wait_seconds_count{}"] == 1.0


def test_bytes_are_those_of_bodies_and_messages(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    def count() -> tuple[float, float]:
        names = ("predictor_request_bytes_total", "predictor_response_bytes_total")
        first, second = (value(shared_puppet, name, model="faceswap-detect") for name in names)
        return first, second

    request, message = DETECT.rest(), DETECT.grpc()
    before = count()
    with connected(shared_puppet) as rest:
        answer = rest.ask(request)
    between = count()
    response = channel.ask(message).response
    after = count()

    assert request.body
    assert (between[0] - before[0], between[1] - before[1]) == (len(request.body), len(answer.body))
    assert (after[0] - between[0], after[1] - between[1]) == (message.ByteSize(), response.ByteSize())


def test_who_waits_is_queued_until_a_worker_is_free(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    labels = {"model": "faceswap-detect"}
    shared_puppet.stages.hold("detect")
    with connected(shared_puppet) as working:
        working.send(SWAP.rest())
        stage = shared_puppet.stages.arrival()

        waiting = channel.start(DETECT.grpc())
        wait_for(shared_puppet, 1.0, "predictor_requests_queued", **labels)
        assert value(shared_puppet, "predictor_requests_queued", model="faceswap") == 0.0
        stage.go()

        assert working.answer().status == 200
        assert grpc_answer(waiting).response
    wait_for(shared_puppet, 0.0, "predictor_requests_queued", **labels)


def test_who_gives_up_waiting_is_queued_no_more(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    labels = {"model": "faceswap-detect"}
    shared_puppet.stages.hold("detect")
    with connected(shared_puppet) as working:
        working.send(SWAP.rest())
        stage = shared_puppet.stages.arrival()
        waiting = channel.start(DETECT.grpc())
        wait_for(shared_puppet, 1.0, "predictor_requests_queued", **labels)

        waiting.cancel()

        wait_for(shared_puppet, 0.0, "predictor_requests_queued", **labels)
        stage.go()
        assert working.answer().status == 200


def test_work_that_goes_on_for_nobody_counts_when_it_ends(shared_puppet: Puppet) -> None:
    labels = {"model": "faceswap-detect", "stage": "detect"}
    name = "predictor_stage_duration_seconds_count"
    before = value(shared_puppet, name, **labels)
    shared_puppet.stages.hold("detect")
    with connected(shared_puppet) as connection:
        connection.send(DETECT.rest())
        stage = shared_puppet.stages.arrival()
    wait_for(shared_puppet, 0.0, "predictor_requests_in_flight", model="faceswap-detect")
    assert value(shared_puppet, name, **labels) == before

    stage.go()

    wait_for(shared_puppet, before + 1, name, **labels)


def test_the_page_has_the_servers_memory_and_no_series_twice(shared_puppet: Puppet) -> None:
    text = page(shared_puppet)

    lines = [line.rsplit(" ", 1)[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert value(shared_puppet, "process_resident_memory_bytes") > 10 * 1024 * 1024
    assert not [line for line in lines if line.startswith("predictor_") and "_created" in line]
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP ") and len(line.split()) > 3}
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")} == told
