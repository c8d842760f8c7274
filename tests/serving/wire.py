"""Requests as they are on the wire, and connections that are kept or lost, but never replaced unseen."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RestRequest:
    """One REST request."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RestAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever JSON holds
        """The body as JSON."""
        return json.loads(self.body)


class RestConnection:
    """One TCP connection; a request after the server has closed it fails instead of opening another."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._http.connect()
        self._http.auto_open = 0

    def send(self, request: RestRequest) -> None:
        """Send a request and return without waiting for the answer."""
        self._http.request(request.method, request.path, request.body, dict(request.headers))

    def send_head(self, request: RestRequest, content_length: int | None) -> None:
        """Send a request without its body, whose length may be left open."""
        self._http.putrequest(request.method, request.path)
        length = {} if content_length is None else {"content-length": str(content_length)}
        for name, value in {**request.headers, **length}.items():
            self._http.putheader(name, value)
        self._http.endheaders()

    def send_body(self, body: bytes) -> None:
        """Send the body of a request whose head is sent."""
        self._http.send(body)

    def answer(self) -> RestAnswer:
        """Wait for the answer."""
        response = self._http.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return RestAnswer(response.status, headers, response.read())

    def status_alone(self) -> int:
        """Wait for the beginning of the answer, and leave the rest of it unread."""
        return self._http.getresponse().status

    def ask(self, request: RestRequest) -> RestAnswer:
        """Send a request and wait for the answer."""
        self.send(request)
        return self.answer()

    def reconnect(self) -> None:
        """Hang up, and connect again."""
        self._http.close()
        self._http.connect()

    def close(self) -> None:
        """Hang up."""
        self._http.close()


@dataclass(frozen=True)
class GrpcAnswer:
    """How a call ended."""

    code: grpc.StatusCode
    message: str
    trailers: Mapping[str, str]
    response: Any = None


class GrpcConnection:
    """One channel."""

    def __init__(self, port: int) -> None:
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),  # else channels to one port share a connection
        ]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self.stub = GRPCInferenceServiceStub(self.channel)

    def ask(
        self,
        request: object,
        method: str = "ModelInfer",
        metadata: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> GrpcAnswer:
        """Call a method and wait for how it ends."""
        call = getattr(self.stub, method)
        try:
            response, ended = call.with_call(request, timeout=timeout, metadata=tuple((metadata or {}).items()))
        except grpc.RpcError as error:
            return _ended(error)
        return _ended(ended, response)

    def start(
        self,
        request: object,
        method: str = "ModelInfer",
        metadata: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Any:  # noqa: ANN401  # grpc's future, which has no type
        """Call a method and return at once."""
        call = getattr(self.stub, method)
        return call.future(request, timeout=timeout, metadata=tuple((metadata or {}).items()))

    def close(self) -> None:
        """Hang up."""
        self.channel.close()


def grpc_answer(future: Any) -> GrpcAnswer:  # noqa: ANN401  # grpc's future, which has no type
    """Wait for how a call ends."""
    return _ended(future, None if future.exception() else future.result())


def _ended(call: Any, response: object = None) -> GrpcAnswer:  # noqa: ANN401  # as above
    trailers = {key: value for key, value in call.trailing_metadata() or () if isinstance(value, str)}
    return GrpcAnswer(call.code(), call.details() or "", trailers, response)


@dataclass(frozen=True)
class Ask:
    """A request that both protocols can carry."""

    model: str = "faceswap"
    image: bytes = b""
    destinations: Sequence[bytes] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def rest(self) -> RestRequest:
        """As V1."""
        body: dict[str, Any] = {"image": base64_text(self.image), **self.options}
        if self.destinations:
            body["destinations"] = [
                {"name": f"destination_{number}", "image": base64_text(picture)}
                for number, picture in enumerate(self.destinations, start=1)
            ]
        return RestRequest("POST", f"/v1/models/{self.model}:predict", json.dumps(body).encode(), self.headers)

    def grpc(self) -> pb.ModelInferRequest:
        """As V2 gRPC with typed contents."""
        tensors = [("image", [self.image]), ("options", [json.dumps(dict(self.options)).encode()])]
        if self.destinations:
            tensors.append(("destination", list(self.destinations)))
        return pb.ModelInferRequest(
            model_name=self.model,
            inputs=[
                pb.ModelInferRequest.InferInputTensor(
                    name=name,
                    datatype="BYTES",
                    shape=[len(rows)],
                    contents=pb.InferTensorContents(bytes_contents=rows),
                )
                for name, rows in tensors
            ],
        )


def base64_text(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()
