"""gRPC: KServe's servicer with our error codes and request ids in the trailing metadata, deadlines and limits.

KServe's own interceptor turns several of its errors into UNKNOWN (trap T6) and cannot send metadata.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError
from grpc import aio
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as pb_grpc
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer

from predictor.errors import BodyTooSlow, InvalidField, NotSupported, PredictorError
from predictor.job import CANCELLED, Job
from predictor.serving.call import Call
from predictor.serving.edges import rpc_call
from predictor.serving.limits import check_request_bytes, timeout_seconds
from predictor.serving.logs import REQUEST_ID
from predictor.serving.messages import model_of, parse_message
from predictor.serving.metrics import UNKNOWN_MODEL
from predictor.serving.middleware import request_id_of
from predictor.serving.statuses import STATUSES, sentence_of
from predictor.sockets.ports import listen
from predictor.sockets.relay import Relay

if TYPE_CHECKING:
    import socket

    from predictor.serving.access import Access
    from predictor.serving.dataplane import ClosedRepository, PredictorDataPlane
    from predictor.serving.executor import Executor
    from predictor.serving.metrics import Requests
    from predictor.settings import Settings

_log = logging.getLogger(__name__)
_Receive = Callable[[], Awaitable[object]]
"""Returns the message of a call, once it has come; what is no bytes says that there is none."""
_Handler = Callable[[_Receive, Any], Awaitable[Any]]
_INFERENCE = "ModelInfer"
_UNKNOWN = "_OTHER"
"""In traces and log lines; a client's own words would be without bounds."""
# Of the drain delay. gRPC varies ages by a tenth, and routes need a part of the delay to move.
_AGE_SHARE = 0.5
_SETTING = "PREDICTOR_GRPC_PORT"
_LARGEST_QUESTION_BYTES = 64 * 1024
"""A message of any method but inference: names."""
_LARGEST_OPTION = 2**31 - 1  # an option is an int of C


class PredictorGrpcServer(GRPCServer):
    """Serves V2 on gRPC; the transport takes twice our limit, so that what is over ours is refused in our words."""

    def __init__(
        self,
        dataplane: PredictorDataPlane,
        repository: ClosedRepository,
        executor: Executor,
        requests: Requests,
        settings: Settings,
    ) -> None:
        super().__init__(settings.grpc_port, dataplane, repository, kwargs={})
        self._servicer = _Servicer(dataplane, repository, executor, requests, settings)
        self._requests = requests
        self._limit_bytes = settings.limit_request_bytes
        self._drain_delay_seconds = settings.drain_delay_seconds
        self._server: aio.Server | None = None
        self._listener: socket.socket | None = None
        # A name of this server's alone, in the abstract namespace: no file is left behind.
        self._name = f"faceswap-predictor-{uuid4()}"
        self._relay = Relay(self._name, settings.client_seconds)

    def bind(self) -> int:
        """Take the port and return its number.

        Raises:
            PortTaken: Somebody else has it.
        """
        self._listener = listen(self._port, _SETTING)
        self._server = aio.server(
            interceptors=[_Interceptor(self._requests, late=True)],
            options=[
                ("grpc.max_receive_message_length", min(2 * self._limit_bytes, _LARGEST_OPTION)),
                ("grpc.max_send_message_length", -1),
                *_connection_age(self._drain_delay_seconds),
            ],
        )
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(self._servicer, self._server)
        self._server.add_insecure_port(f"unix-abstract:{self._name}")
        return int(self._listener.getsockname()[1])

    async def serve(self) -> None:
        """Serve until stopped."""
        assert self._server is not None  # noqa: S101  # bind comes first
        assert self._listener is not None  # noqa: S101
        await self._server.start()
        self._relay.start(self._listener)
        await self._server.wait_for_termination()

    async def shut_down(self, grace_seconds: float) -> None:
        """Take nothing new (GOAWAY), wait for what runs, cancel what is left after the grace period."""
        await self._relay.stop_listening()
        if self._listener is not None:
            self._listener.close()
        if self._server is not None:
            await self._server.stop(grace_seconds)
        await self._relay.stop()


def _connection_age(drain_delay_seconds: float) -> list[tuple[str, int]]:
    """Return the options that bring every client to a new connection within the drain delay, no call interrupted.

    A server of gRPC's that stops cancels calls which it has received and not begun. An aged connection gets the same
    GOAWAY without that: so at the end of the delay, routes having moved, no client is left that could send such a call.
    """
    if drain_delay_seconds == 0:
        return []
    milliseconds = round(drain_delay_seconds * 1000 * _AGE_SHARE)
    return [("grpc.max_connection_age_ms", min(max(1, milliseconds), _LARGEST_OPTION))]


class _Servicer(InferenceServicer):
    """KServe's servicer, but for inference and the parts of metadata it leaves out."""

    def __init__(
        self,
        dataplane: PredictorDataPlane,
        repository: ClosedRepository,
        executor: Executor,
        requests: Requests,
        settings: Settings,
    ) -> None:
        super().__init__(dataplane, repository)
        self._dataplane = dataplane
        self._executor = executor
        self._requests = requests
        self._settings = settings

    async def ModelInfer(  # noqa: N802  # the protocol's name
        self, receive: _Receive, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelInferResponse:
        """Serve one inference; its message is read once there is a place for it, and parsed once it may be."""
        headers = _metadata(context)
        with ExitStack() as place:
            try:
                job = Job(self._timeout(context, headers))
                place.enter_context(self._executor.admission())
                with job.stage("receive"):
                    message = await self._executor.arrival(self._arriving(receive, job))
                model = model_of(message)
            except BaseException:
                with self._requests.counted(UNKNOWN_MODEL, "grpc"):
                    raise
            with self._requests.counted(model, "grpc"):
                return await self._infer(model, message, job, headers)

    async def _infer(self, model: str, message: bytes, job: Job, headers: dict[str, str]) -> pb.ModelInferResponse:
        check_request_bytes(len(message), self._settings.limit_request_bytes)
        await self._dataplane.get_model(model)
        with self._requests.in_flight(model, job):
            request = await asyncio.to_thread(parse_message, message)
            _require_no_version(request.model_version)
            answer, _ = await self._dataplane.infer(model, Call("grpc", request, job), headers)
        return answer

    async def _arriving(self, receive: _Receive, job: Job) -> bytes:
        """Wait for a message: for so long in all as a body may pause, for nobody sees how much of it has come."""
        patience = self._settings.client_seconds
        remaining = job.remaining_seconds
        try:
            async with asyncio.timeout(patience if remaining is None else min(patience, remaining)):
                message = await receive()
        except TimeoutError:
            job.check()
            raise BodyTooSlow(patience) from None
        if not isinstance(message, bytes):  # the client has ended the call before it sent any
            raise InvalidField("", "there is no message")
        return message

    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelReadyResponse:
        """Return whether a model is ready."""
        _require_no_version(request.version)
        return pb.ModelReadyResponse(ready=await self._dataplane.model_ready(request.name))

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelMetadataResponse:
        """Return what a model takes and gives; its parameters, for which the message has no field, as a trailer."""
        _require_no_version(request.version)
        metadata = await self._dataplane.model_metadata(request.name)
        parameters = json.dumps(metadata.pop("parameters"))  # ASCII, as trailers must be
        context.set_trailing_metadata((_request_id_trailer(), ("model-parameters", parameters)))
        return pb.ModelMetadataResponse(**metadata)

    def _timeout(self, context: aio.ServicerContext[Any, Any], headers: dict[str, str]) -> float:
        header = headers.get("x-request-timeout")
        remaining = cast("float | None", context.time_remaining())  # None without a deadline; the types deny it
        if remaining is None:
            return timeout_seconds(header, self._settings.request_timeout_seconds)
        return max(0.0, min(remaining, timeout_seconds(header, remaining)))


def _require_no_version(version: str) -> None:
    if version:
        raise NotSupported(f"version {version} is not offered; models are served without versions")


class _Interceptor(aio.ServerInterceptor):
    """Around every call: its id, its log line, and our own words for whatever goes wrong.

    Args:
        requests: What counts them.
        late: Whether messages are read when a method asks for its own, rather than before it is called. A message that
            nobody has asked for stays, but for its beginning, where it is: with the client.
    """

    def __init__(self, requests: Requests, *, late: bool = False) -> None:
        self._requests = requests
        self._late = late

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return the handler of a method, wrapped; an unknown method gets one that says so."""
        method = handler_call_details.method.rsplit("/", 1)[-1]
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._handler(self._wrapped(_UNKNOWN, _unknown(handler_call_details.method)), None)
        handle = cast("_Handler", handler.unary_unary) if method == _INFERENCE else _reading(handler)
        return self._handler(self._wrapped(handler_call_details.method, handle), handler.response_serializer)

    def _handler(self, handle: _Handler, serialize: Callable[[Any], bytes] | None) -> grpc.RpcMethodHandler[Any, Any]:
        """Return a handler of bytes: of a message that gRPC itself cannot read, it would tell in its own words."""
        if self._late:  # to gRPC a client that sends one message or many is the same

            async def read(_messages: object, context: aio.ServicerContext[Any, Any]) -> object:
                return await handle(context.read, context)

            return grpc.stream_unary_rpc_method_handler(read, response_serializer=serialize)

        async def given(message: bytes, context: aio.ServicerContext[Any, Any]) -> object:
            async def receive() -> bytes:
                return message

            return await handle(receive, context)

        return grpc.unary_unary_rpc_method_handler(given, response_serializer=serialize)

    def _wrapped(self, path: str, handle: _Handler) -> _Handler:
        async def call(receive: _Receive, context: aio.ServicerContext[Any, Any]) -> object:
            metadata = _metadata(context)
            with rpc_call(
                self._requests.tracing, path, metadata, request_id_of(metadata.get("x-request-id"))
            ) as access:
                context.set_trailing_metadata((_request_id_trailer(),))
                return await _answer(access, handle, receive, context)

        return call


def _reading(handler: grpc.RpcMethodHandler[Any, Any]) -> _Handler:
    """Return a handler that reads a small message itself."""
    parse, handle = handler.request_deserializer, cast("Callable[[Any, Any], Awaitable[object]]", handler.unary_unary)
    assert parse is not None  # noqa: S101  # every method of the protocol has a message

    async def call(receive: _Receive, context: aio.ServicerContext[Any, Any]) -> object:
        message = await receive()
        if not isinstance(message, bytes):
            raise InvalidField("", "there is no message")
        check_request_bytes(len(message), _LARGEST_QUESTION_BYTES)
        try:
            request = parse(message)
        except DecodeError:
            raise InvalidField("", "the message is not of the method's form") from None
        return await handle(request, context)

    return call


def _unknown(path: str) -> _Handler:
    async def refuse(_receive: object, _context: object) -> None:
        raise NotSupported(f"there is no method {path}")

    return refuse


async def _answer(
    access: Access, handle: _Handler, receive: _Receive, context: aio.ServicerContext[Any, Any]
) -> object:
    """Return a call's answer, or end it in our own words."""
    access.code = CANCELLED
    try:
        answer = await handle(receive, context)
    except Exception as error:  # noqa: BLE001  # the last stop: logged with its cause, told without it
        ours = error if isinstance(error, PredictorError) else PredictorError("")
        status = STATUSES[ours.code].grpc
        access.code, access.status = ours.code, status.name
        if ours.code == "internal":
            _log.error("failed", exc_info=error)
        await context.abort(status, sentence_of(ours), (_request_id_trailer(), ("error-code", ours.code)))
    else:
        access.code, access.status = "ok", grpc.StatusCode.OK.name
        return answer


def _metadata(context: aio.ServicerContext[Any, Any]) -> dict[str, str]:
    return {key.lower(): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _request_id_trailer() -> tuple[str, str]:
    return "x-request-id", REQUEST_ID.get()
