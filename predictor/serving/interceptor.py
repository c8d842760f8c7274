"""Around every gRPC call: its id, its log line and span, and our own words for whatever goes wrong.

KServe's own interceptor turns several of its errors into UNKNOWN (trap T6) and cannot send metadata.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from predictor.errors import BodyTooSlow, InvalidField, NotSupported, PredictorError
from predictor.job import CANCELLED
from predictor.serving.edges import rpc_call
from predictor.serving.limits import check_request_bytes
from predictor.serving.logs import REQUEST_ID
from predictor.serving.middleware import request_id_of
from predictor.serving.statuses import STATUSES, sentence_of

if TYPE_CHECKING:
    from predictor.serving.access import Access
    from predictor.serving.dataplane import Lifecycle
    from predictor.serving.metrics import Requests

_log = logging.getLogger(__name__)
Receive = Callable[[], Awaitable[object]]
"""Returns the message of a call, once it has come; what is no bytes says that there is none."""
_Handler = Callable[[Receive, Any], Awaitable[Any]]
_INFERENCE = "ModelInfer"
_UNKNOWN = "_OTHER"
"""In traces and log lines; a client's own words would be without bounds."""
_LARGEST_QUESTION_BYTES = 64 * 1024
"""A message of any method but inference: names."""
_QUESTIONS_AT_ONCE = 4
"""Are read; how long a message is, gRPC tells once it has taken all of it, and there is no queue for these."""


class Interceptor(aio.ServerInterceptor):
    """Around every call: its id, its log line, and our own words for whatever goes wrong.

    Args:
        requests: What counts them.
        client_seconds: How long the message of a method other than inference may take to come. A message is then read
            when its method asks for it, and stays until then, but for its beginning, where it is: with the client.
            None: messages have come before a method is called.
        lifecycle: Counts answers of inference while they are on their way, where gRPC's own server sends them.
    """

    def __init__(
        self, requests: Requests, client_seconds: float | None = None, lifecycle: Lifecycle | None = None
    ) -> None:
        self._requests = requests
        self._lifecycle = lifecycle
        self._late = client_seconds is not None
        self._questions = _Questions(client_seconds)

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
        if method == _INFERENCE:
            handle = self._counted(cast("_Handler", handler.unary_unary))
        else:
            handle = self._questions.reading(handler)
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

    def _counted(self, handle: _Handler) -> _Handler:
        """Return a method whose answers count as on their way until gRPC has handed all of them on."""
        lifecycle = self._lifecycle
        if lifecycle is None:
            return handle

        def sent(_: aio.ServicerContext[Any, Any]) -> None:
            lifecycle.sending -= 1

        async def call(receive: Receive, context: aio.ServicerContext[Any, Any]) -> object:
            answer = await handle(receive, context)
            lifecycle.sending += 1
            context.add_done_callback(sent)  # type: ignore[arg-type]  # the types ask for a class of theirs
            return answer

        return call

    def _wrapped(self, path: str, handle: _Handler) -> _Handler:
        async def call(receive: Receive, context: aio.ServicerContext[Any, Any]) -> object:
            metadata = metadata_of(context)
            with rpc_call(
                self._requests.tracing, path, metadata, request_id_of(metadata.get("x-request-id"))
            ) as access:
                context.set_trailing_metadata((request_id_trailer(),))
                return await _answer(access, handle, receive, context)

        return call


class _Questions:
    """Reads messages of methods other than inference, few at once."""

    def __init__(self, patience_seconds: float | None) -> None:
        self._patience_seconds = patience_seconds
        self._places = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    def reading(self, handler: grpc.RpcMethodHandler[Any, Any]) -> _Handler:
        """Return a handler that reads its message itself."""
        parse = handler.request_deserializer
        handle = cast("Callable[[Any, Any], Awaitable[object]]", handler.unary_unary)
        assert parse is not None  # noqa: S101  # every method of the protocol has a message

        async def call(receive: Receive, context: aio.ServicerContext[Any, Any]) -> object:
            try:
                request = parse(await self._read(receive))
            except DecodeError:
                raise InvalidField("", "the message is not of the method's form") from None
            return await handle(request, context)

        return call

    async def _read(self, receive: Receive) -> bytes:
        patience = self._patience_seconds
        try:
            async with asyncio.timeout(patience), self._places:
                message = await receive()
                if not isinstance(message, bytes):
                    raise InvalidField("", "there is no message")
                check_request_bytes(len(message), _LARGEST_QUESTION_BYTES)
        except TimeoutError:
            raise BodyTooSlow(patience or 0.0) from None
        return message


def _unknown(path: str) -> _Handler:
    async def refuse(_receive: object, _context: object) -> None:
        raise NotSupported(f"there is no method {path}")

    return refuse


async def _answer(access: Access, handle: _Handler, receive: Receive, context: aio.ServicerContext[Any, Any]) -> object:
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
        await context.abort(status, sentence_of(ours), (request_id_trailer(), ("error-code", ours.code)))
    else:
        access.code, access.status = "ok", grpc.StatusCode.OK.name
        return answer


def metadata_of(context: aio.ServicerContext[Any, Any]) -> dict[str, str]:
    """Return a call's metadata in words, by their names in lower case."""
    return {key.lower(): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def request_id_trailer() -> tuple[str, str]:
    """Return what tells a client the id of its request."""
    return "x-request-id", REQUEST_ID.get()
