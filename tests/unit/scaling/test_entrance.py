"""The application of a RayService in this process: stages behind handles, REST by ASGI, gRPC by Ray's context."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import pickle
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from ray.serve.grpc_util import RayServegRPCContext

from predictor.errors import StartupError
from predictor.scaling import app, replicas, workshop
from predictor.scaling.app import EntranceReplica, build, settings_of
from predictor.scaling.context import METHOD, REMAINING, SIGNATURE, CallContext
from predictor.scaling.workshop import plain
from predictor.settings import Settings
from tests.serving.pictures import saved
from tests.serving.wire import Ask
from tests.unit.fakes import FakeDetector, face_at
from tests.unit.scaling.here import FakeBuilder, Handle, inside_a_replica

PICTURE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.fixture
async def entrance(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntranceReplica]:  # type: ignore[misc]  # pytest-asyncio's
    inside_a_replica(monkeypatch, FakeBuilder(a_detector=FakeDetector([face_at(20, 30)])))
    monkeypatch.setattr(app, "configure_logging", lambda _: None)
    given = plain(Settings())
    handles = {stage: Handle(kind(given), loop) for stage, kind in replicas.REPLICAS.items()}
    replica = EntranceReplica.__new__(EntranceReplica)
    await replica.__init__(given, **handles)  # type: ignore[misc]  # as Ray does
    yield replica
    replica._entrance.close()


def encoded() -> bytes:
    from PIL import Image  # noqa: PLC0415

    return saved(Image.fromarray(PICTURE), "PNG")


def over_http(replica: EntranceReplica) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(replica.__serve_build_asgi_app__()), base_url="http://nowhere"
    )


async def test_it_is_made_only_when_every_stage_has_answered_a_warm_up(entrance: EntranceReplica) -> None:
    async with over_http(entrance) as http:
        ready = await http.get("/v2/health/ready")

    assert ready.json() == {"ready": True}


async def test_rest_is_our_own_and_every_answer_is_signed(entrance: EntranceReplica) -> None:
    ask = Ask("faceswap-detect", encoded()).rest()
    async with over_http(entrance) as http:
        well = await http.post(ask.path, content=ask.body)
        refused = await http.post(ask.path, content=b"{}", headers={"x-request-id": "mine"})

    assert len(well.json()["faces"]) == 1
    assert refused.json()["code"] == "invalid_request"
    assert refused.headers["x-request-id"] == "mine"
    assert all(answer.headers[SIGNATURE[0].decode()] == "1" for answer in (well, refused))


async def test_requests_are_counted_where_they_come_in(entrance: EntranceReplica) -> None:
    ask = Ask("faceswap-detect", encoded()).rest()
    async with over_http(entrance) as http:
        await http.post(ask.path, content=ask.body)
        await called(entrance, "ModelInfer", Ask("faceswap-detect", encoded()).grpc().SerializeToString())
        page = (await http.get("/metrics")).text

    for protocol in ("v1", "grpc"):
        (line,) = [
            line
            for line in page.splitlines()
            if line.startswith("predictor_requests_total{")
            and all(f'"{label}"' in line for label in ("faceswap-detect", protocol, "ok"))
        ]
        assert line.endswith(" 1.0")


async def test_a_verb_that_there_is_not_is_refused_and_no_prediction(entrance: EntranceReplica) -> None:
    async with over_http(entrance) as http:
        answer = await http.post("/v1/models/faceswap-detect:explain", content=b"{}")

    assert (answer.status_code, answer.json()["code"]) == (501, "not_supported")


async def test_parameters_of_grpc_come_through(entrance: EntranceReplica) -> None:
    request = Ask("faceswap-enhance", encoded()).grpc()
    request.parameters["upscale"].int64_param = 4

    answer, _ = await called(entrance, "ModelInfer", request.SerializeToString())

    (width,) = [output for output in answer.outputs if output.name == "width"]
    assert list(width.contents.int_contents) == [4 * PICTURE.shape[1]]


async def test_what_an_answer_is_made_of_can_travel(entrance: EntranceReplica) -> None:
    ask = Ask("faceswap-enhance", encoded()).rest()
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": ask.path,
        "headers": [],
        "query_string": b"",
        "http_version": "1.1",
    }

    given = iter([{"type": "http.request", "body": ask.body}])

    async def receive() -> dict[str, Any]:
        for each in given:
            return each
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        messages.append(pickle.loads(pickle.dumps(message)))  # noqa: S301  # our own bytes

    await entrance.__serve_build_asgi_app__()(scope, receive, send)  # type: ignore[arg-type]

    body = json.loads(b"".join(message["body"] for message in messages[1:]))
    assert base64.b64decode(body["image_data"])


class GrpcContext:
    """A call as gRPC tells it to Ray's proxy."""

    def __init__(self, method: str, **metadata: str) -> None:
        self._metadata = ((METHOD, f"/inference.GRPCInferenceService/{method}"), *metadata.items())

    def invocation_metadata(self) -> Any:  # noqa: ANN401
        return self._metadata

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def __getattr__(self, _: str) -> Any:  # noqa: ANN401
        return lambda: None


async def called(
    replica: EntranceReplica, method: str, message: bytes, **metadata: str
) -> tuple[Any, RayServegRPCContext]:
    context = pickle.loads(pickle.dumps(RayServegRPCContext(GrpcContext(method, **metadata))))  # noqa: S301  # our own bytes
    answer = await replica.call(message, context)
    return answer, pickle.loads(pickle.dumps(context))  # noqa: S301  # our own bytes


async def test_grpc_is_our_own_too(entrance: EntranceReplica) -> None:
    message = Ask("faceswap-detect", encoded()).grpc().SerializeToString()

    answer, context = await called(entrance, "ModelInfer", message, **{"x-request-id": "mine"})

    assert isinstance(answer, pb.ModelInferResponse)
    assert answer.outputs[0].name == "faces"
    assert context.code() is None
    assert dict(context.trailing_metadata())["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("method", "message", "code", "ours"),
    [
        ("ModelInfer", b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT, "invalid_request"),
        ("Nothing", b"", grpc.StatusCode.UNIMPLEMENTED, "not_supported"),
        (
            "ModelMetadata",
            pb.ModelMetadataRequest(name="nobody").SerializeToString(),
            grpc.StatusCode.NOT_FOUND,
            "unknown_model",
        ),
    ],
)
async def test_an_error_comes_back_in_the_context_with_its_trailers(
    method: str, message: bytes, code: grpc.StatusCode, ours: str, entrance: EntranceReplica
) -> None:
    answer, context = await called(entrance, method, message)

    assert answer.SerializeToString() == b""
    assert context.code() is code
    trailers = dict(context.trailing_metadata())
    assert trailers["error-code"] == ours
    assert trailers["x-request-id"]


def test_what_the_proxy_tells_the_entrance_is_no_metadata_of_the_client() -> None:
    given = RayServegRPCContext(GrpcContext("ModelInfer", **{REMAINING: "5.0", "x-request-id": "mine"}))

    context = CallContext(given)

    assert context.method == "/inference.GRPCInferenceService/ModelInfer"
    assert list(context.invocation_metadata()) == [("x-request-id", "mine")]
    remaining = context.time_remaining()
    assert remaining is not None
    assert 0 < remaining <= 5


async def test_the_deadline_of_a_client_counts(entrance: EntranceReplica) -> None:
    message = Ask("faceswap-detect", encoded()).grpc().SerializeToString()

    _, context = await called(entrance, "ModelInfer", message, **{REMAINING: "0.0"})

    assert context.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_application_is_an_entrance_at_the_head_with_the_stages_behind_it() -> None:
    bound = build({"model_name": "faces", "restorer": "sharpen", "grace_seconds": "90"})
    deployment = bound._bound_deployment

    assert deployment.name == "entrance"
    assert deployment.ray_actor_options == {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}}
    assert deployment.init_args[0]["model_name"] == "faces"
    assert list(deployment.init_kwargs) == list(workshop.STAGES)
    assert deployment._deployment_config.graceful_shutdown_timeout_s == 90.0
    assert inspect.iscoroutinefunction(EntranceReplica.call)


def test_arguments_win_over_the_environment_of_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_MODEL_NAME", "of-the-head")
    monkeypatch.setenv("PREDICTOR_QUEUE_LENGTH", "3")

    settings = settings_of({"model_name": "of-the-arguments"})

    assert (settings.model_name, settings.queue_length) == ("of-the-arguments", 3)
    assert settings.workers == 8


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"worker": 3}, ["worker", "workers"]),
        ({"zzz": 3}, ["zzz"]),
        ({"workers": "many"}, ["PREDICTOR_WORKERS"]),
        ({"http_port": 80}, ["http_port", "http_options"]),
        ({"recipe": "reference"}, ["reference"]),
    ],
)
def test_arguments_that_are_none_are_refused_by_name(args: dict[str, object], words: list[str]) -> None:
    with pytest.raises(StartupError) as caught:
        build(args)

    assert all(word in caught.value.sentence for word in words)
