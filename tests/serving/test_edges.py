"""The edges of the protocols: what is no HTTP, the wrong method, a version, an upgrade, a misspelt setting."""

from __future__ import annotations

import json
import socket

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as pb_grpc

from tests.serving.provocations import connected
from tests.serving.puppet import Puppet
from tests.serving.wire import RestRequest, grpc_answer


def sent_raw(port: int, data: bytes) -> tuple[dict[str, str], bytes]:
    """Send bytes, and return status line and headers, and the body of what comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return {"status": status} | dict(line.lower().split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # how TLS begins
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
    ],
    ids=["TLS", "two lengths", "a zero in the path"],
)
def test_bytes_that_are_no_http_are_told_so_in_our_words(shared_puppet: Puppet, data: bytes) -> None:
    headers, body = sent_raw(shared_puppet.http_port, data)

    assert headers["status"] == "HTTP/1.1 400 Bad Request"
    assert json.loads(body)["code"] == "invalid_request"
    assert headers["x-request-id"]
    assert (headers["connection"], int(headers["content-length"])) == ("close", len(body))


def test_an_upgrade_to_websocket_is_an_ordinary_request(shared_puppet: Puppet) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "a"}

    with connected(shared_puppet) as connection:
        answer = connection.ask(RestRequest("GET", "/nothing", headers=upgrade))

    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("path", ["/v1/models/faceswap:predict", "/v2/models/faceswap/infer"])
def test_a_model_is_asked_by_post_only(shared_puppet: Puppet, method: str, path: str) -> None:
    with connected(shared_puppet) as connection:
        answer = connection.ask(RestRequest(method, path))

    assert (answer.status, answer.json["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    "path", ["/", "/v2/health/live", "/v2/health/ready", "/v2/models/faceswap/ready", "/v1/models/faceswap", "/metrics"]
)
def test_head_is_answered_like_get_but_without_the_body(shared_puppet: Puppet, path: str) -> None:
    with connected(shared_puppet) as connection:
        head, get = (connection.ask(RestRequest(method, path)) for method in ("HEAD", "GET"))

    assert (head.status, get.status) == (200, 200)
    assert head.headers["content-type"] == get.headers["content-type"]
    assert (head.body, bool(get.body)) == (b"", True)


def test_head_tells_of_an_unready_model_and_of_an_unknown_one(shared_puppet: Puppet) -> None:
    with connected(shared_puppet) as connection:
        unknown = connection.ask(RestRequest("HEAD", "/v2/models/nobody/ready"))

    assert (unknown.status, unknown.body) == (404, b"")


def test_grpc_has_no_versions_either(shared_puppet: Puppet) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{shared_puppet.grpc_port}") as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        calls = [
            (stub.ModelReady, pb.ModelReadyRequest(name="faceswap", version="7")),
            (stub.ModelMetadata, pb.ModelMetadataRequest(name="faceswap", version="7")),
            (stub.ModelInfer, pb.ModelInferRequest(model_name="faceswap", model_version="7")),
        ]
        answers = [grpc_answer(method.future(request, timeout=20)) for method, request in calls]

    for answer in answers:
        assert answer.code is grpc.StatusCode.UNIMPLEMENTED
        assert answer.trailers["error-code"] == "not_supported"
