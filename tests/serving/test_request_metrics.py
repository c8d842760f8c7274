"""What /metrics says of the requests of the three models, after and while they are served."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from predictor.serving.metrics import UNKNOWN_MODEL
from tests.serving.pictures import flat
from tests.serving.provocations import connected, full, provocation
from tests.serving.puppet import PATIENCE_SECONDS, Puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest, grpc_answer

SWAP, ENHANCE, DETECT = "faceswap", "faceswap-enhance", "faceswap-detect"
Counts = Mapping[tuple[str, ...], float]


def series(puppet: Puppet, name: str, *labels: str) -> Counts:
    """The series of a metric, by the values of their labels."""
    with connected(puppet) as connection:
        page = connection.ask(RestRequest("GET", "/metrics")).body.decode()
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


def ended(puppet: Puppet) -> Counts:
    return series(puppet, "predictor_requests_total", "model", "protocol", "code")


def in_flight(puppet: Puppet) -> dict[str, float]:
    return {model: count for (model,), count in series(puppet, "predictor_requests_in_flight", "model").items()}


def wait_for(puppet: Puppet, expected: Mapping[str, int]) -> None:
    """Wait until so many requests are in flight, no more and no fewer."""
    wanted = {SWAP: 0, ENHANCE: 0, DETECT: 0, **expected}
    until = time.monotonic() + PATIENCE_SECONDS
    while (seen := in_flight(puppet)) != wanted:
        assert time.monotonic() < until, seen


@contextmanager
def counting(puppet: Puppet) -> Iterator[Counter[tuple[str, ...]]]:
    """Gives what was counted in the block, once it has ended; nothing is in flight then."""
    before, counted = ended(puppet), Counter[tuple[str, ...]]()
    yield counted
    wait_for(puppet, {})
    for labels, count in ended(puppet).items():
        counted[labels] = int(count - before.get(labels, 0.0))
    for labels in [labels for labels, count in counted.items() if count == 0]:
        del counted[labels]


@pytest.fixture
def channel(shared_puppet: Puppet) -> Iterator[GrpcConnection]:
    connection = GrpcConnection(shared_puppet.grpc_port)
    yield connection
    connection.close()


def v2(model: str, body: bytes) -> RestRequest:
    return RestRequest("POST", f"/v2/models/{model}/infer", body)


V2_DETECT = b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["%s"]}]}'


def test_every_series_of_what_went_well_is_there_before_the_first_request(shared_puppet: Puppet) -> None:
    assert {(model, protocol, "ok") for model in (SWAP, ENHANCE, DETECT) for protocol in ("v1", "v2", "grpc")} <= set(
        ended(shared_puppet)
    )


def test_the_counter_says_exactly_what_was_sent(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    swap, detect = Ask(image=flat(), destinations=[flat()]), Ask(DETECT, flat())
    image = base64.b64encode(flat())
    with counting(shared_puppet) as counted, connected(shared_puppet) as rest:
        for _ in range(2):
            assert rest.ask(swap.rest()).status == 200
        assert rest.ask(detect.rest()).status == 200
        assert rest.ask(Ask(ENHANCE, flat()).rest()).status == 200
        assert rest.ask(v2(DETECT, V2_DETECT % image)).status == 200
        for _ in range(3):
            assert channel.ask(swap.grpc()).code is grpc.StatusCode.OK
        assert rest.ask(v2(SWAP, b"{no JSON")).status == 400
        assert rest.ask(Ask(image=flat(), options={"source_face_id": 0}).rest()).status == 400
        assert channel.ask(Ask(image=flat(), options={"source_face_id": 0}).grpc()).code is not grpc.StatusCode.OK

    assert counted == {
        (SWAP, "v1", "ok"): 2,
        (DETECT, "v1", "ok"): 1,
        (ENHANCE, "v1", "ok"): 1,
        (DETECT, "v2", "ok"): 1,
        (SWAP, "grpc", "ok"): 3,
        (SWAP, "v2", "invalid_request"): 1,
        (SWAP, "v1", "invalid_request"): 1,
        (SWAP, "grpc", "invalid_request"): 1,
    }


def test_what_is_refused_before_it_is_let_in_counts_too(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    detect = Ask(DETECT, flat())
    versioned = detect.grpc()
    versioned.model_version = "7"
    with counting(shared_puppet) as counted:
        with full(shared_puppet), connected(shared_puppet) as rest:
            for _ in range(2):
                assert channel.ask(detect.grpc()).trailers["error-code"] == "overloaded"
            assert rest.ask(v2(DETECT, b"")).status == 429
        with connected(shared_puppet) as rest:
            rest.send_head(RestRequest("POST", f"/v1/models/{DETECT}:predict"), 10**9)
            assert rest.answer().status == 413
        large = provocation("request_too_large").grpc
        assert large
        assert channel.ask(large.request).trailers["error-code"] == "request_too_large"
        with connected(shared_puppet) as rest:
            assert rest.ask(Ask(DETECT, headers={"x-request-timeout": "soon"}).rest()).status == 400
            assert rest.ask(RestRequest("POST", f"/v2/models/{DETECT}/versions/7/infer", b"{}")).status == 501
        assert channel.ask(versioned).code is grpc.StatusCode.UNIMPLEMENTED

    overloaded = counted.pop((DETECT, "v1", "overloaded"))  # how often the test asked whether the queue is full
    too_large = counted.pop((DETECT, "v1", "request_too_large"))
    assert overloaded >= 1
    assert too_large >= 1
    assert counted == {
        (DETECT, "v1", "ok"): 2,
        (UNKNOWN_MODEL, "grpc", "overloaded"): 2,  # before the message has come, which has the name in it
        (DETECT, "v2", "overloaded"): 1,
        (DETECT, "grpc", "request_too_large"): 1,
        (DETECT, "v1", "invalid_request"): 1,
        (DETECT, "v2", "not_supported"): 1,
        (DETECT, "grpc", "not_supported"): 1,
    }


def test_a_clients_own_words_make_no_series(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    unreadable: Any = channel.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with counting(shared_puppet) as counted, connected(shared_puppet) as rest:
        for name in ("nobody", 'x"}7', "faceswap-other"):
            assert rest.ask(Ask(name, flat()).rest()).status == 404
            assert channel.ask(Ask(name, flat()).grpc()).code is grpc.StatusCode.NOT_FOUND
        assert grpc_answer(unreadable.future(b"\xff\xff", timeout=20)).trailers["error-code"] == "invalid_request"
        assert rest.ask(RestRequest("GET", f"/v1/models/{SWAP}:predict")).status == 405  # no request of a model

    assert counted == {
        ("(unknown)", "v1", "unknown_model"): 3,
        ("(unknown)", "grpc", "unknown_model"): 3,
        ("(unknown)", "grpc", "invalid_request"): 1,
    }


@pytest.mark.parametrize("code", ["internal", "degenerate_face"])
def test_work_that_fails_counts_under_its_code_and_leaves_nothing_in_flight(
    shared_puppet: Puppet, channel: GrpcConnection, code: str
) -> None:
    wanted = provocation(code)
    assert wanted.grpc
    with counting(shared_puppet) as counted, connected(shared_puppet) as rest:
        with wanted.state(shared_puppet):
            assert rest.ask(wanted.rest).json["code"] == code
        with wanted.state(shared_puppet):
            assert channel.ask(wanted.grpc.request).trailers["error-code"] == code

    assert counted == {(SWAP, "v1", code): 1, (SWAP, "grpc", code): 1}


# ── the gauge ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_requests_that_work_wait_or_send_their_body_are_in_flight_and_no_others(shared_puppet: Puppet) -> None:
    with full(shared_puppet), connected(shared_puppet) as refused:  # one works, one is still sending
        assert refused.ask(Ask(SWAP, flat()).rest()).status == 429

        wait_for(shared_puppet, {DETECT: 2})
    wait_for(shared_puppet, {})


def test_each_model_has_a_gauge_of_its_own(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    with counting(shared_puppet) as counted, connected(shared_puppet) as rest:
        shared_puppet.stages.hold("detect")
        rest.send(Ask(image=flat(), destinations=[flat()]).rest())
        stage = shared_puppet.stages.arrival()
        waiting = channel.start(Ask(ENHANCE, flat()).grpc())

        wait_for(shared_puppet, {SWAP: 1, ENHANCE: 1})
        stage.go()

        assert rest.answer().status == 200
        assert grpc_answer(waiting).code is grpc.StatusCode.OK
    assert counted == {(SWAP, "v1", "ok"): 1, (ENHANCE, "grpc", "ok"): 1}


def hang_up_while_working(puppet: Puppet, _channel: GrpcConnection) -> None:
    with connected(puppet) as rest:
        puppet.stages.hold("detect")
        rest.send(Ask(DETECT, flat()).rest())
        stage = puppet.stages.arrival()
        wait_for(puppet, {DETECT: 1})
    wait_for(puppet, {})  # though its stage is still held
    stage.go()


def hang_up_while_sending(puppet: Puppet, _channel: GrpcConnection) -> None:
    with connected(puppet) as rest:
        rest.send_head(RestRequest("POST", f"/v1/models/{DETECT}:predict"), 1000)
        wait_for(puppet, {DETECT: 1})


def cancel_a_grpc_call(puppet: Puppet, channel: GrpcConnection) -> None:
    puppet.stages.hold("detect")
    call = channel.start(Ask(DETECT, flat()).grpc())
    stage = puppet.stages.arrival()
    wait_for(puppet, {DETECT: 1})
    call.cancel()
    wait_for(puppet, {})
    stage.go()


@pytest.mark.parametrize(
    ("leave", "protocol"), [(hang_up_while_working, "v1"), (hang_up_while_sending, "v1"), (cancel_a_grpc_call, "grpc")]
)
def test_a_client_that_goes_is_in_flight_no_more_and_counts_as_cancelled(
    shared_puppet: Puppet, channel: GrpcConnection, leave: Callable[[Puppet, GrpcConnection], None], protocol: str
) -> None:
    with counting(shared_puppet) as counted:
        leave(shared_puppet, channel)

    assert counted == {(DETECT, protocol, "cancelled"): 1}


def test_a_client_that_goes_while_it_waits_is_in_flight_no_more(shared_puppet: Puppet, channel: GrpcConnection) -> None:
    with counting(shared_puppet) as counted, connected(shared_puppet) as working:
        shared_puppet.stages.hold("detect")
        working.send(Ask(DETECT, flat()).rest())
        stage = shared_puppet.stages.arrival()
        with connected(shared_puppet) as waiting:
            waiting.send(Ask(SWAP, flat()).rest())
            wait_for(shared_puppet, {DETECT: 1, SWAP: 1})
        wait_for(shared_puppet, {DETECT: 1})
        call = channel.start(Ask(ENHANCE, flat()).grpc())
        wait_for(shared_puppet, {DETECT: 1, ENHANCE: 1})
        call.cancel()
        wait_for(shared_puppet, {DETECT: 1})
        stage.go()
        assert working.answer().status == 200

    assert counted == {(DETECT, "v1", "ok"): 1, (SWAP, "v1", "cancelled"): 1, (ENHANCE, "grpc", "cancelled"): 1}


def test_a_deadline_that_passes_ends_a_request_for_the_gauge_too(
    shared_puppet: Puppet, channel: GrpcConnection
) -> None:
    with counting(shared_puppet) as counted, connected(shared_puppet) as rest:
        shared_puppet.stages.hold("detect")
        rest.send(Ask(DETECT, flat(), headers={"x-request-timeout": "0.5"}).rest())
        stage = shared_puppet.stages.arrival()
        called = channel.ask(Ask(DETECT, flat()).grpc(), metadata={"x-request-timeout": "0.2"})
        assert called.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert rest.answer().status == 504
        wait_for(shared_puppet, {})
        stage.go()

    assert counted == {(DETECT, "v1", "deadline_exceeded"): 1, (DETECT, "grpc", "deadline_exceeded"): 1}
