"""Around a request: its line, its ids, what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from predictor.job import Countable, Job, StageRun
from predictor.serving.access import ACCESS, Access
from predictor.serving.edges import rest_request, rpc_call
from predictor.serving.logs import REQUEST_ID
from predictor.serving.tracing import NO_TRACING, Attribute, Incoming

METHOD = "/inference.GRPCInferenceService/"


class Recorder:
    """A tracing that remembers what it is told; it is its own only span."""

    def __init__(self) -> None:
        self.incoming: list[Incoming] = []
        self.told: dict[str, Attribute] = {}
        self.name: str | None = None
        self.failure: str | None = None

    @contextmanager
    def request(self, incoming: Incoming) -> Iterator[Recorder]:
        self.incoming.append(incoming)
        yield self

    def shut_down(self, timeout_seconds: float) -> None: ...
    def began(self, stage: str) -> None: ...
    def ran(self, run: StageRun) -> None: ...
    def counted(self, what: Countable, number: int, label: str) -> None: ...

    def tell(self, attributes: Mapping[str, Attribute], name: str | None = None) -> None:
        self.told |= attributes
        self.name = name

    def fail(self, error_type: str) -> None:
        self.failure = error_type


def scope(path: str = "/v1/models/faceswap:predict", method: str = "POST", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"type": "http", "path": path, "method": method, "headers": [(b"traceparent", b"00-1-2-01")], **more}


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "predictor.access")


def fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = caplog.records
    told: dict[str, Any] = record.fields  # type: ignore[attr-defined]
    return told


def test_a_line_tells_model_protocol_code_seconds_and_stages(caplog: pytest.LogCaptureFixture) -> None:
    with rest_request(NO_TRACING, scope(), "/v1/models/faceswap:predict", "mine") as access:
        assert (ACCESS.get(), REQUEST_ID.get()) == (access, "mine")
        access.model, access.protocol, access.job = "faceswap", "v1", Job()
        access.job.add(StageRun("swap", 1.0, 0.25))
        access.job.add(StageRun("swap", 2.0, 0.5))
        access.answers(200)

    told = fields(caplog)
    assert told.pop("seconds") >= 0.0
    assert told["stages"].pop("send") >= 0.0
    assert told == {"code": "ok", "model": "faceswap", "protocol": "v1", "stages": {"swap": 0.75}}
    assert caplog.messages[0].startswith("POST /v1/models/faceswap:predict 200 ")
    assert REQUEST_ID.get() == "-"
    with pytest.raises(LookupError):
        ACCESS.get()


def test_what_was_no_inference_has_no_model_and_what_was_not_let_in_no_stages(caplog: pytest.LogCaptureFixture) -> None:
    with rest_request(NO_TRACING, scope("/nothing"), "/nothing", "mine") as access:
        access.code = "not_found"
        access.answers(404)

    assert set(fields(caplog)) == {"code", "seconds"}


@pytest.mark.parametrize(
    ("method", "path", "is_quiet"),
    [
        ("GET", "/", True),
        ("GET", "/metrics", True),
        ("GET", "/v2/health/live", True),
        ("GET", "/v2/health/ready", True),
        ("GET", "/v1/models/faceswap", True),
        ("HEAD", "/v2/models/faceswap/ready", True),
        ("GET", "/v2/models/faceswap", False),
        ("GET", "/v1/models", False),
        ("POST", "/v1/models/faceswap:predict", False),
    ],
)
def test_probes_are_quiet_and_untraced(
    method: str, path: str, caplog: pytest.LogCaptureFixture, *, is_quiet: bool
) -> None:
    tracing = Recorder()

    with rest_request(tracing, scope(path, method), path, "mine"):
        pass

    assert [record.levelno for record in caplog.records] == [logging.DEBUG if is_quiet else logging.INFO]
    assert (tracing.incoming == []) is is_quiet


@pytest.mark.parametrize(
    ("method", "level", "is_traced"),
    [("ModelInfer", logging.INFO, True), ("ModelMetadata", logging.DEBUG, True), ("ModelReady", logging.DEBUG, False)],
)
def test_of_grpc_only_inference_is_worth_a_line(
    method: str, level: int, caplog: pytest.LogCaptureFixture, *, is_traced: bool
) -> None:
    tracing = Recorder()

    with rpc_call(tracing, METHOD + method, {}, "mine") as access:
        access.status = "OK"

    assert [record.levelno for record in caplog.records] == [level]
    assert caplog.messages[0].startswith(f"gRPC {method} OK ")
    assert bool(tracing.incoming) is is_traced


def test_a_span_begins_with_what_was_asked_and_ends_with_what_was_answered() -> None:
    tracing = Recorder()
    asked = scope(
        http_version="1.1", scheme="https", client=("10.0.0.1", 5), route=type("Route", (), {"path": "/r/{x}"})
    )

    with rest_request(tracing, asked, "/r/1", "mine") as access:
        access.code, access.model = "no_face_found", "faceswap"
        access.answers(422)

    (incoming,) = tracing.incoming
    assert (incoming.name, incoming.headers) == ("POST", {"traceparent": "00-1-2-01"})
    assert incoming.attributes == {
        "http.request.method": "POST",
        "url.path": "/r/1",
        "url.scheme": "https",
        "network.protocol.version": "1.1",
        "client.address": "10.0.0.1",
    }
    assert (tracing.name, tracing.failure) == ("POST /r/{x}", None)
    assert tracing.told == {
        "http.route": "/r/{x}",
        "http.response.status_code": 422,
        "predictor.code": "no_face_found",
        "predictor.model": "faceswap",
        "predictor.request_id": "mine",
    }


@pytest.mark.parametrize(("status", "fails"), [(200, False), (499, False), (500, True), (503, True), (None, True)])
def test_on_rest_what_is_the_servers_fault_fails_the_span(status: int | None, *, fails: bool) -> None:
    tracing = Recorder()

    with rest_request(tracing, scope(), "/", "mine") as access:
        access.code = "internal"
        if status is not None:
            access.answers(status)

    assert tracing.failure == ("internal" if fails else None)


@pytest.mark.parametrize(
    ("status", "fails"),
    [("OK", False), ("INVALID_ARGUMENT", False), ("RESOURCE_EXHAUSTED", False), ("INTERNAL", True), (None, False)],
)
def test_on_grpc_what_is_the_servers_fault_fails_the_span(status: str | None, *, fails: bool) -> None:
    tracing = Recorder()

    with rpc_call(tracing, METHOD + "ModelInfer", {}, "mine") as access:
        access.status = status

    assert bool(tracing.failure) is fails
    assert tracing.told["rpc.response.status_code"] == (status or "CANCELLED")


def test_a_method_of_nobody_is_no_name_of_a_span() -> None:
    tracing = Recorder()

    with rest_request(tracing, scope(method="MAKE-SWAPS"), "/", "mine"):
        pass

    (incoming,) = tracing.incoming
    assert (incoming.name, incoming.attributes["http.request.method"]) == ("HTTP", "_OTHER")


@pytest.mark.parametrize("edge", ["rest", "grpc"])
def test_what_breaks_inside_leaves_a_line_and_no_trace_of_itself(edge: str, caplog: pytest.LogCaptureFixture) -> None:
    around = (
        rest_request(NO_TRACING, scope(), "/v1", "mine")
        if edge == "rest"
        else rpc_call(NO_TRACING, METHOD + "ModelInfer", {}, "mine")
    )

    with suppress(ValueError), around:
        raise ValueError

    assert len(caplog.records) == 1
    assert ACCESS.get(None) is None


def test_an_access_alone_tells_that_all_is_well() -> None:
    assert Access().fields(1.0) == {"code": "ok", "seconds": 1.0}
