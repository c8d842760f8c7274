"""Our server without its listeners: the three models, REST as an ASGI application and gRPC as functions of messages.

`serve` has listeners of its own; in a RayService they are Ray's proxies, and this is what stands behind them.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kserve.model_repository import ModelRepository
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as pb_grpc

from predictor.scaling.context import SIGNATURE, CallAborted
from predictor.serving.dataplane import ClosedRepository, Lifecycle, PredictorDataPlane
from predictor.serving.executor import Executor
from predictor.serving.info_metrics import Info
from predictor.serving.interceptor import Interceptor
from predictor.serving.loading import Loading
from predictor.serving.metrics import Requests, published
from predictor.serving.models import all_models
from predictor.serving.rest import build_app
from predictor.serving.servicer import Servicer
from predictor.serving.tracing import start_tracing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc
    from google.protobuf.message import Message as ProtobufMessage
    from starlette.types import Message, Receive, Scope, Send

    from predictor.scaling.context import CallContext
    from predictor.service import Service
    from predictor.settings import Settings


class Entrance:
    """Serves a service that is ready.

    Args:
        service: What does the work.
        settings: What the operator decided.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        loading = Loading(lambda: service)
        executor = Executor(settings.workers or 1, settings.queue_length, settings.queue_seconds)
        models = all_models(settings.model_name, loading, executor, settings)
        requests = Requests([model.name for model in models], start_tracing(os.environ))
        registered = ModelRepository()
        for model in models:
            model.load()
            registered.update(model)
        dataplane = PredictorDataPlane(registered, Lifecycle())
        shared = dataplane, ClosedRepository(registered), executor, requests, settings
        self._app = build_app(*shared)
        self._methods = _methods(Servicer(*shared))
        self._interceptor = Interceptor(requests)
        with ExitStack() as stack:
            for collector in (Info(loading), requests):
                stack.enter_context(published(collector))
            self._published = stack.pop_all()

    def close(self) -> None:
        """Publish no more."""
        self._published.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one REST request, and sign the answer, so that the proxy knows it from its own."""

        async def send_signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), SIGNATURE]
            elif "body" in message:
                message["body"] = bytes(message["body"])  # a view of it cannot travel
            await send(message)

        await self._app(scope, receive, send_signed)

    async def call(self, message: bytes, context: CallContext) -> ProtobufMessage:
        """Serve one gRPC call; a method that there is not is refused in our words.

        An error stands in the context, and the answer is empty: an exception would lose the trailers on its way.

        Args:
            message: Its request, as it came.
            context: Which method it is, and all else that is known of the call.
        """
        details = _Details(context.method)
        handler: Any = await self._interceptor.intercept_service(self._method, details)
        try:
            return cast("ProtobufMessage", await handler.unary_unary(message, context))
        except CallAborted:
            return cast("ProtobufMessage", pb.ServerLiveResponse())

    async def _method(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._methods.get(details.method)


@dataclass
class _Details:
    """What an interceptor is told: grpc's own is a named tuple of these, made by a function."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


def _methods(servicer: Servicer) -> Mapping[str, grpc.RpcMethodHandler[Any, Any]]:
    """Return the methods of the protocol by their paths."""
    registry = _Registry()
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, registry)
    return registry.methods


class _Registry:
    """As much of a gRPC server as generated code needs to tell its methods."""

    def __init__(self) -> None:
        self.methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Take no notice: the same methods come by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Keep the methods."""
        self.methods |= {f"/{service}/{name}": handler for name, handler in handlers.items()}
