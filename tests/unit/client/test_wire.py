"""What the forms on the wire are read as; that swaps are sent and read is the promise of test_calls*."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import httpx
import pytest

from predictor.client.failures import CallFailed, Failure
from predictor.client.wire import Inference, infer_binary, infer_json, predict

INFERENCE = Inference("faceswap-enhance", {"image": [b"me"]})
RESULT = b"\xff\x00result"
PARAMETERS = {"skipped": "[]"}


def http(answer: httpx.Response) -> httpx.Client:
    return httpx.Client(base_url="http://predictor", transport=httpx.MockTransport(lambda _: answer))


def binary(outputs: list[dict[str, Any]], *blobs: bytes) -> httpx.Response:
    for output, blob in zip(outputs, blobs, strict=False):
        output["parameters"] = {"binary_data_size": len(blob)}
    header = json.dumps({"outputs": outputs, "parameters": PARAMETERS}).encode()
    headers = {"Inference-Header-Content-Length": str(len(header))}
    return httpx.Response(200, content=header + b"".join(blobs), headers=headers)


def test_numbers_and_parameters_are_read_from_json() -> None:
    outputs = [
        {"name": "image", "datatype": "BYTES", "data": [base64.b64encode(RESULT).decode()]},
        {"name": "width", "datatype": "INT32", "data": [7, -1]},
    ]

    inferred = infer_json(http(httpx.Response(200, json={"outputs": outputs, "parameters": PARAMETERS})), INFERENCE)

    assert inferred.outputs == {"image": [RESULT], "width": [7, -1]}
    assert inferred.parameters == PARAMETERS


def test_numbers_and_parameters_are_read_from_the_binary_extension() -> None:
    outputs: list[dict[str, Any]] = [
        {"name": "width", "datatype": "INT32"},
        {"name": "image", "datatype": "BYTES"},
        {"name": "height", "datatype": "INT32", "data": [9]},
    ]
    answer = binary(outputs, struct.pack("<2i", 70_000, -1), struct.pack("<I", len(RESULT)) + RESULT)

    inferred = infer_binary(http(answer), INFERENCE)

    assert inferred.outputs == {"width": [70_000, -1], "image": [RESULT], "height": [9]}
    assert inferred.parameters == PARAMETERS


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (
            httpx.Response(429, json={"error": "busy", "code": "overloaded"}, headers={"x-request-id": "r1"}),
            Failure("overloaded", "busy", 429, "r1"),
        ),
        (httpx.Response(404, json={"error": "no such thing"}), Failure("http_404", "no such thing", 404)),
        (httpx.Response(502, text="<html>\n bad\tgateway"), Failure("http_502", "<html> bad gateway", 502)),
        (httpx.Response(503), Failure("http_503", "Service Unavailable", 503)),
        (httpx.Response(302, headers={"location": "/login"}), Failure("http_302", "Found", 302)),
    ],
    ids=["ours", "KServe's", "a proxy's", "an empty one", "a redirect"],
)
def test_a_failure_keeps_what_the_answer_said(answer: httpx.Response, failure: Failure) -> None:
    with pytest.raises(CallFailed) as caught:
        predict(http(answer), "faceswap", {})

    assert caught.value.failure == failure
