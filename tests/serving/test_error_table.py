"""Every row of the one table of errors, provoked on a running server over REST and over gRPC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import grpc
import pytest

from predictor.client.server_process import RunningServer
from predictor.serving.statuses import STATUSES
from tests.serving.pictures import bomb, portrait
from tests.serving.provocations import GrpcRequest, Provocation, provocation
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest

ID = "row-of-the.table_1"
# No path of a machine, no traceback, no library's name.
FORBIDDEN = re.compile(
    r"Traceback|File \"|\.py\b|\.onnx|/(srv|home|usr|tmp|work|etc|var)/|0x[0-9a-f]{6}|\w(Error|Exception)\b"
    r"|cv2|opencv|pillow|\bPIL\b|numpy|pydantic|starlette|fastapi|uvicorn|kserve|grpc_|onnxruntime",
    re.IGNORECASE,
)
# An unknown method of gRPC is UNIMPLEMENTED by gRPC's own rules, and a method can be called in one way only.
REST_ONLY = ("not_found", "method_not_allowed")
NEXT = Ask("faceswap-detect", portrait())


class Target:
    """The server a provocation needs, with one connection of each kind."""

    def __init__(self, http_port: int, grpc_port: int, strings: Puppet | None) -> None:
        self.rest = RestConnection(http_port)
        self.grpc = GrpcConnection(grpc_port)
        self.puppet = strings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest.close()
        self.grpc.close()


@contextmanager
def target(wanted: Provocation, request: pytest.FixtureRequest, folder: Path) -> Iterator[Target]:
    """The server a provocation needs; one that is still loading has loaded when the block ends."""
    if wanted.server == "real":
        server: RunningServer = request.getfixturevalue("server")
        ports = int(server.http_url.rsplit(":", 1)[1]), int(server.grpc_address.rsplit(":", 1)[1])
        with Target(*ports, None) as reached:
            yield reached
    elif wanted.server == "puppet":
        shared: Puppet = request.getfixturevalue("shared_puppet")
        with Target(shared.http_port, shared.grpc_port, shared) as reached:
            yield reached
    else:
        with (
            puppet(folder, held="load") as loading,
            Target(loading.http_port, loading.grpc_port, loading) as reached,
        ):
            yield reached


@contextmanager
def state(wanted: Provocation, reached: Target) -> Iterator[None]:
    """What must be so while the request is made; afterwards the server is free and ready."""
    if wanted.server == "real":
        yield
        return
    assert reached.puppet is not None
    with wanted.state(reached.puppet):
        yield
    if wanted.server == "loading":
        reached.puppet.stages.arrival().go()
        reached.puppet.wait_until_ready()


@pytest.mark.parametrize("code", STATUSES)
def test_rest_tells_every_error_and_keeps_the_connection_unless_much_of_the_body_is_still_to_come(
    code: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    wanted = provocation(code)

    with target(wanted, request, tmp_path) as reached:
        with state(wanted, reached):
            headers = {**wanted.rest.headers, "x-request-id": ID}
            answer = reached.rest.ask(RestRequest(wanted.rest.method, wanted.rest.path, wanted.rest.body, headers))
        closing = answer.headers.get("connection") == "close"
        if closing:
            reached.rest.reconnect()
        following = reached.rest.ask(NEXT.rest())

    assert (answer.status, answer.json["code"]) == (STATUSES[code].http, code)
    assert closing == (code == "request_too_large")
    assert answer.headers["x-request-id"] == ID
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"error", "code", "details"}
    assert set(wanted.details) <= set(answer.json["details"])
    assert answer.json["error"]
    assert not FORBIDDEN.search(answer.body.decode())
    assert ("retry-after" in answer.headers) == (code == "overloaded")
    assert following.status == 200


@pytest.mark.parametrize("code", [code for code in STATUSES if code not in REST_ONLY])
def test_grpc_tells_every_error_and_keeps_the_channel(
    code: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    wanted = provocation(code)
    assert isinstance(wanted.grpc, GrpcRequest)

    with target(wanted, request, tmp_path) as reached:
        with state(wanted, reached):
            metadata = {**wanted.grpc.metadata, "x-request-id": ID}
            answer = reached.grpc.ask(wanted.grpc.request, wanted.grpc.method, metadata)
        following = reached.grpc.ask(NEXT.grpc())

    assert (answer.code, answer.trailers["error-code"]) == (STATUSES[code].grpc, code)
    assert answer.trailers["x-request-id"] == ID
    assert answer.message
    assert not FORBIDDEN.search(answer.message)
    assert following.code is grpc.StatusCode.OK


def test_a_path_that_is_nearly_right_is_not_found_rather_than_redirected(rest: RestConnection) -> None:
    answer = rest.ask(RestRequest("GET", "/v2/"))

    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_a_picture_that_claims_billions_of_pixels_is_refused_from_its_header(
    server: RunningServer, rest: RestConnection
) -> None:
    small = bomb()
    rest.ask(NEXT.rest())
    before = _peak_memory_bytes(server.process.pid)

    answer = rest.ask(Ask("faceswap-detect", small).rest())

    assert len(small) < 8192
    assert (answer.status, answer.json["code"]) == (413, "image_too_large")
    assert answer.json["details"]["actual"] == 50_000 * 50_000
    assert _peak_memory_bytes(server.process.pid) - before < 32 * 1024 * 1024


def _peak_memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(peak) * 1024
