"""How to provoke every error of `serving.statuses`, over REST and over gRPC, on which server and in which state."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.pictures import bomb, crowd, flat, portrait
from tests.serving.puppet import Puppet
from tests.serving.puppet_server import DEGENERATE
from tests.serving.wire import Ask, RestConnection, RestRequest

MIB = 1024 * 1024


@dataclass(frozen=True)
class GrpcRequest:
    """One gRPC call."""

    request: object
    method: str = "ModelInfer"
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Provocation:
    """A request that makes one error.

    Args:
        rest: Over REST.
        grpc: Over gRPC; None where that error cannot come there.
        details: The facts the answer holds, by name (api.md).
        server: `real` runs the embedded recipe; `puppet` has stages that can be held and broken; `loading` is a puppet
            that has not loaded yet.
        state: What has to be so while the request is made.
    """

    rest: RestRequest
    grpc: GrpcRequest | None
    details: tuple[str, ...] = ()
    server: Literal["real", "puppet", "loading"] = "real"
    state: Callable[[Puppet], AbstractContextManager[None]] = lambda _: nullcontext()


def provocation(code: str) -> Provocation:
    """Return the provocation of a code; KeyError for one that nobody has thought of a way to provoke."""
    return _PROVOCATIONS[code]()


def _asked(ask: Ask, *details: str) -> Provocation:
    return Provocation(ask.rest(), GrpcRequest(ask.grpc(), metadata=ask.headers), details)


def _invalid_base64() -> Provocation:
    request = Ask("faceswap-detect", b"%%%%").grpc()
    request.inputs[0].parameters["content_type"].string_param = "base64"
    body = json.dumps({"image": "%%%%"}).encode()
    return Provocation(
        RestRequest("POST", "/v1/models/faceswap-detect:predict", body), GrpcRequest(request), ("field",)
    )


def _not_found() -> Provocation:
    return Provocation(RestRequest("GET", "/v3/faces"), None)


def _method_not_allowed() -> Provocation:
    return Provocation(RestRequest("PUT", "/v2/models/faceswap/infer"), None, ("allowed",))


def _not_supported() -> Provocation:
    request = Ask("faceswap-detect", flat()).grpc()
    request.model_version = "7"
    return Provocation(RestRequest("POST", "/v1/models/faceswap:explain", b"{}"), GrpcRequest(request))


def _refused() -> Provocation:
    return Provocation(
        RestRequest("POST", "/v2/repository/models/faceswap/unload"),
        GrpcRequest(pb.RepositoryModelUnloadRequest(model_name="faceswap"), "RepositoryModelUnload"),
    )


def _overloaded() -> Provocation:
    ask = Ask("faceswap-detect", flat())
    return Provocation(ask.rest(), GrpcRequest(ask.grpc()), ("retry_after_seconds",), "puppet", full)


@contextmanager
def full(puppet: Puppet) -> Iterator[None]:
    """Keep the only worker busy and the queue full."""
    request = Ask("faceswap-detect", flat()).rest()
    puppet.stages.hold("detect")
    with connected(puppet) as running, connected(puppet) as waiting:
        running.send(request)
        worker = puppet.stages.arrival()
        waiting.ask(RestRequest("GET", "/v2/health/live"))  # the connection stands: its next bytes are read first
        waiting.send_head(request, len(request.body or b""))
        wait_until_full(puppet)
        yield
        waiting.send_body(request.body or b"")
        worker.go()
        assert (running.answer().status, waiting.answer().status) == (200, 200)


def wait_until_full(puppet: Puppet) -> None:
    """Return when the server refuses for want of a place: then, and only then, those sent before have theirs.

    Each try is a request that leaves its place at once: its announced length is over the limit.
    """
    status = 0
    while status != 429:
        with connected(puppet) as connection:
            connection.send_head(RestRequest("POST", "/v1/models/faceswap-detect:predict"), 10**9)
            status = connection.answer().status


def wait_until_draining(puppet: Puppet) -> None:
    """Return when SIGTERM has been taken note of."""
    puppet.wait_for_line("predictor.serving.server: draining")


@contextmanager
def connected(puppet: Puppet) -> Iterator[RestConnection]:
    """One REST connection to a puppet."""
    connection = RestConnection(puppet.http_port)
    try:
        yield connection
    finally:
        connection.close()


def _internal() -> Provocation:
    ask = Ask(image=flat(), destinations=[flat()])
    return Provocation(ask.rest(), GrpcRequest(ask.grpc()), (), "puppet", _broken)


TROUBLE = "cv2.error: (-215) at /srv/models/swapper.onnx"


@contextmanager
def _broken(puppet: Puppet) -> Iterator[None]:
    """Let the next swap break with words that no client may read."""
    puppet.stages.hold("swap")
    breaker = threading.Thread(target=lambda: puppet.stages.arrival().go(TROUBLE))
    breaker.start()
    yield
    breaker.join()


def _degenerate_face() -> Provocation:
    ask = Ask(image=flat(), destinations=[flat(DEGENERATE)])
    return Provocation(ask.rest(), GrpcRequest(ask.grpc()), ("picture", "faces"), "puppet")


def _not_ready() -> Provocation:
    ask = Ask(image=flat(), destinations=[flat()])
    return Provocation(ask.rest(), GrpcRequest(ask.grpc()), (), "loading")


_PROVOCATIONS: dict[str, Callable[[], Provocation]] = {
    "invalid_request": lambda: _asked(Ask(image=portrait(), options={"source_face_id": 0}), "field"),
    "invalid_base64": _invalid_base64,
    "undecodable_image": lambda: _asked(Ask("faceswap-detect", portrait()[:3000]), "field"),
    "unsupported_image": lambda: _asked(Ask("faceswap-detect", b"%PDF-1.7\n\x80\x81"), "field", "format"),
    "request_too_large": lambda: _asked(Ask("faceswap-detect", bytes(33 * MIB)), "limit", "actual"),
    "image_too_large": lambda: _asked(Ask("faceswap-detect", bomb()), "limit", "actual"),
    "output_too_large": lambda: _asked(
        Ask("faceswap-enhance", flat(width=9_000, height=8), options={"output": {"format": "webp"}}), "limit", "actual"
    ),
    "too_many_items": lambda: _asked(
        Ask(image=flat(), options={"pairs": [{"destination_face_id": n} for n in range(1, 102)]}), "limit", "actual"
    ),
    "too_many_faces": lambda: _asked(Ask("faceswap-detect", crowd()), "limit", "actual"),
    "no_face_found": lambda: _asked(Ask(image=flat(), destinations=[portrait()]), "picture", "faces"),
    "face_index_out_of_range": lambda: _asked(
        Ask(image=portrait(), destinations=[portrait()], options={"destination_face_id": 9}),
        "picture",
        "faces",
    ),
    "degenerate_face": _degenerate_face,
    "unsupported_option": lambda: _asked(
        Ask("faceswap-enhance", flat(), options={"restore": {"model": "gfpgan_1.4"}}), "field", "available"
    ),
    "unknown_destination": lambda: _asked(Ask(image=flat(), options={"destinations": ["nobody.jpg"]})),
    "unknown_model": lambda: _asked(Ask("nobody", flat())),
    "not_found": _not_found,
    "method_not_allowed": _method_not_allowed,
    "not_supported": _not_supported,
    "refused": _refused,
    "overloaded": _overloaded,
    "deadline_exceeded": lambda: _asked(Ask("faceswap-detect", portrait(), headers={"x-request-timeout": "0.001"})),
    "not_ready": _not_ready,
    "internal": _internal,
}
