"""Bodies, tensors and messages that are wrong in every way we could think of, each refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hostile.bodies import MESSAGES, PATH_TRICKS, UNICODE, V1, V2, Body, fields, named
from tests.hostile.health import Target
from tests.serving.provocations import GrpcRequest
from tests.serving.wire import RestRequest


def assert_refused(target: Target, path: str, body: Body) -> None:
    answer = target.ask(RestRequest("POST", path, body.read(), body.headers))

    assert answer.status != 200
    assert answer.status < 500
    assert answer.json["code"] == body.code, answer.body[:500]
    assert body.field is None or answer.json["details"]["field"] == body.field, answer.body[:500]
    assert len(answer.body) < 10_000


@pytest.mark.parametrize("name", V1)
def test_a_body_of_v1_is_refused(target: Target, name: str) -> None:
    assert_refused(target, "/v1/models/faceswap:predict", V1[name])


@pytest.mark.parametrize("name", V2)
def test_a_body_of_v2_is_refused(target: Target, name: str) -> None:
    assert_refused(target, "/v2/models/faceswap-detect/infer", V2[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_refused_in_our_words(target: Target, name: str) -> None:
    make, code = MESSAGES[name]
    connection = target.grpc()

    try:
        answer = connection.ask(GrpcRequest(make()).request)
    finally:
        connection.close()

    assert answer.trailers.get("error-code", "ok") == code, answer.message[:300]
    assert len(answer.message) <= 500


@pytest.mark.parametrize("data", [b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01", b"\x0a\x02\xff\xfe"])
def test_bytes_that_are_no_message_are_refused_in_our_words(target: Target, data: bytes) -> None:
    connection = target.grpc()
    call: Any = connection.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

    try:
        future = call.future(data, timeout=60)
        trailers = dict(future.trailing_metadata())
    finally:
        connection.close()

    assert trailers["error-code"] in {"invalid_request", "unknown_model"}


def test_names_are_an_echo_and_nothing_else(target: Target) -> None:
    names = [*PATH_TRICKS, *UNICODE]

    answer = target.ask(
        RestRequest(
            "POST", "/v1/models/faceswap:predict", fields(destinations=named(*names), destination_face_id="all")
        )
    )

    assert answer.status in {200, 422}, answer.body[:500]
    assert answer.status == 422 or [one["destination_name"] for one in answer.json["swapped_images"]] == names


def test_after_all_of_them_the_server_is_as_healthy_as_before(target: Target) -> None:
    target.check()
