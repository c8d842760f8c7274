"""Connections as a server sees them: how many there are, what they carry, how they end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from predictor.call_arguments import Spoken
from predictor.client.connections import Connections, Target
from predictor.client.failures import CallFailed, Failure
from predictor.client.questions import Question

QUESTION = Question("detect", "faceswap-detect", b"me")
FACES = {"faces": [], "width": 2, "height": 4}
OUTPUTS: list[dict[str, Any]] = [
    {"name": "faces", "datatype": "BYTES", "data": ["[]"]},
    {"name": "width", "datatype": "INT32", "data": [2]},
    {"name": "height", "datatype": "INT32", "data": [4]},
]


class Desk:
    """A server that notes who calls, and answers."""

    def __init__(self) -> None:
        self.callers: list[tuple[str, int]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.behaviour = "answer"
        self.free = threading.Event()
        self.url = ""
        self.blob = b""
        """What follows the JSON of an answer with the binary extension."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A REST server."""
    noted = Desk()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            noted.callers.append(self.client_address)
            noted.headers.append({name.lower(): value for name, value in self.headers.items()})
            noted.paths.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps({"outputs": OUTPUTS} if self.path.startswith("/v2") else FACES).encode()
            if noted.behaviour == "silence":
                noted.free.wait(20)
            if noted.behaviour in {"silence", "hang up"}:
                self.close_connection = True
                return
            if noted.behaviour == "nonsense":
                body = b"<html>"
            self.send_response(200)
            self.send_header("content-length", str(len(body + noted.blob)))
            if self.path.startswith("/v2") and "inference-header-content-length" in noted.headers[-1]:
                self.send_header("Inference-Header-Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body + noted.blob)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    noted.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield noted
    noted.free.set()
    server.shutdown()
    server.server_close()


class Servicer(GRPCInferenceServiceServicer):
    def __init__(self, noted: Desk) -> None:
        self.noted = noted

    def ModelInfer(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802  # kserve's own
        host, _, port = context.peer().rpartition(":")
        self.noted.callers.append((host, int(port)))
        self.noted.headers.append({key: str(value) for key, value in context.invocation_metadata()})
        if self.noted.behaviour == "silence":
            self.noted.free.wait(20)
        if self.noted.behaviour == "refuse":
            context.set_trailing_metadata((("error-code", "overloaded"), ("x-request-id", "r1")))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
        contents = [pb.InferTensorContents(bytes_contents=[b"[]"])]
        contents += [pb.InferTensorContents(int_contents=[number]) for number in (2, 4)]
        outputs = [
            pb.ModelInferResponse.InferOutputTensor(
                name=one["name"], datatype=one["datatype"], shape=[1], contents=content
            )
            for one, content in zip(OUTPUTS, contents, strict=True)
        ]
        return pb.ModelInferResponse(outputs=outputs[1:] if self.noted.behaviour == "nonsense" else outputs)


@pytest.fixture
def grpc_desk() -> Iterator[Desk]:
    """A gRPC server."""
    noted = Desk()
    server = grpc.server(ThreadPoolExecutor(4))
    add_GRPCInferenceServiceServicer_to_server(Servicer(noted), server)
    noted.url = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield noted
    noted.free.set()
    server.stop(None).wait()


def failure_of(target: Target) -> Failure:
    connection = Connections(target).open()
    with pytest.raises(CallFailed) as caught:
        connection.ask(QUESTION)
    connection.close()
    return caught.value.failure


def ask(target: Target, times: int = 1) -> None:
    connection = Connections(target).open()
    for _ in range(times):
        assert dict(connection.ask(QUESTION).facts) == FACES
    connection.close()


@pytest.fixture(params=["v1", "v2", "v2-raw", "grpc"])
def spoken(request: pytest.FixtureRequest) -> tuple[Spoken, Desk]:
    return request.param, request.getfixturevalue("grpc_desk" if request.param == "grpc" else "desk")


def test_a_connection_is_kept_for_the_next_call(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken

    ask(Target(desk.url, protocol), times=3)

    assert (len(desk.callers), len(set(desk.callers))) == (3, 1)


def test_every_call_has_a_new_connection_where_that_is_wanted(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken

    ask(Target(desk.url, protocol, kept=False), times=3)

    assert (len(desk.callers), len(set(desk.callers))) == (3, 3)


def test_two_connections_to_one_address_are_two(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken
    connections = Connections(Target(desk.url, protocol))
    opened = [connections.open() for _ in range(2)]

    for connection in opened:
        connection.ask(QUESTION)

    assert len(set(desk.callers)) == 2
    for connection in opened:
        connection.close()


def test_the_token_and_the_host_are_sent(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken

    ask(Target(desk.url, protocol, host="faces.example.com", token="s3cret"))  # noqa: S106  # the test's own

    assert desk.headers[0]["authorization"] == "Bearer s3cret"
    if protocol != "grpc":  # gRPC's servers in Python do not tell the authority
        assert desk.headers[0]["host"] == "faces.example.com"


def test_the_host_is_grpcs_authority() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target(f"127.0.0.1:{server.getsockname()[1]}", "grpc", 20.0, "faces.example.com")
        asking = threading.Thread(target=failure_of, args=(target,))
        asking.start()
        with server.accept()[0] as client:
            client.settimeout(20)
            client.sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # HTTP/2: settings, none
            sent = b""
            while b"faces.example.com" not in sent:
                part = client.recv(65536)
                assert part, sent
                sent += part
        asking.join()


def test_without_a_token_none_is_sent(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken

    ask(Target(desk.url, protocol))

    assert "authorization" not in desk.headers[0]


def test_a_token_is_never_shown() -> None:
    assert "s3cret" not in repr(Target("http://predictor", token="s3cret"))  # noqa: S106  # the test's own


def test_a_path_before_the_servers_own_is_kept(desk: Desk) -> None:
    ask(Target(f"{desk.url}/serving/faceswap/"))

    assert desk.paths == ["/serving/faceswap/v1/models/faceswap-detect:predict"]


def test_a_server_that_does_not_answer_is_given_up(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken
    desk.behaviour = "silence"

    failure = failure_of(Target(desk.url, protocol, timeout_seconds=0.3))

    assert failure == Failure("timeout", "no answer within 0.3 s")


def test_nobody_there_is_told(spoken: tuple[Spoken, Desk]) -> None:
    protocol, _ = spoken
    with socket.socket() as taken:  # bound, so that nobody else is; not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        failure = failure_of(Target(address if protocol == "grpc" else f"http://{address}", protocol))

    assert failure.code == ("grpc_unavailable" if protocol == "grpc" else "unreachable")
    assert "refused" in failure.sentence


def test_a_connection_that_ends_before_the_answer_is_told(desk: Desk) -> None:
    desk.behaviour = "hang up"

    failure = failure_of(Target(desk.url))

    assert failure.code == "connection_lost"
    assert failure.sentence.startswith("the connection ended before the answer: ")


def test_what_is_no_answer_is_told(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken
    desk.behaviour = "nonsense"

    assert failure_of(Target(desk.url, protocol)).code == "unreadable_answer"


def test_a_tensor_that_is_cut_short_is_no_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: dict[str, Any] = {"name": "faces", "datatype": "BYTES", "parameters": {"binary_data_size": 2}}
    monkeypatch.setitem(globals(), "OUTPUTS", [cut, *OUTPUTS[1:]])
    desk.blob = b"\x07\x00"

    assert failure_of(Target(desk.url, "v2-raw")).code == "unreadable_answer"


def test_an_error_of_grpc_keeps_the_servers_code_and_request_id(grpc_desk: Desk) -> None:
    grpc_desk.behaviour = "refuse"

    assert failure_of(Target(grpc_desk.url, "grpc")) == Failure("overloaded", "busy", "RESOURCE_EXHAUSTED", "r1")


def test_the_next_call_after_a_failure_is_made_all_the_same(spoken: tuple[Spoken, Desk]) -> None:
    protocol, desk = spoken
    connection = Connections(Target(desk.url, protocol, timeout_seconds=0.5)).open()
    desk.behaviour = "silence"
    with pytest.raises(CallFailed):
        connection.ask(QUESTION)
    desk.behaviour = "answer"
    desk.free.set()

    assert dict(connection.ask(QUESTION).facts) == FACES
    connection.close()
