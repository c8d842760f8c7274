"""What makes Ray Serve's proxies ours, by the two places where Ray asks for it.

`middlewares` is called when a proxy starts, if RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH names it; `add_to_server` is a
gRPC servicer function of `grpc_options`. They give every answer its request id and every error our form, also what the
proxy itself has to say; they pass on what Ray leaves out (deadlines, methods that there are not, messages that cannot
be read); and they end connections at PREDICTOR_RAY_CONNECTION_SECONDS: REST by `Connection: close` on the next answer,
gRPC by GOAWAY, behind a relay without which a client that is still reading would lose its answer. For KubeRay lets an
updated cluster's Service point to the new one and deletes the old one after `rayClusterDeletionDelaySeconds` without a
word to its clients, and a kept connection stays where it is.
"""

from __future__ import annotations

import importlib
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
from ray.serve._private.constants import DEFAULT_GRPC_SERVER_OPTIONS  # there is no public way to a proxy's options
from ray.serve._private.grpc_util import gRPCGenericServer
from ray.serve._private.proxy_request_response import gRPCStreamingType  # the type of a proxy's own argument
from starlette.middleware import Middleware

from predictor.errors import DeadlineExceeded, NotReady, Overloaded, PredictorError
from predictor.scaling.context import METHOD, REMAINING, SIGNATURE
from predictor.settings import read_settings
from predictor.sockets.ports import listen
from predictor.sockets.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Handle = Callable[[bytes, Any], Awaitable[bytes]]

_OF_RAY = "/-/"
"""Paths that the proxy answers itself: Kubernetes asks them, and reads Ray's words."""
_ID = b"x-request-id"
_ALL_METHODS = "/inference.GRPCInferenceService/call"
"""The method of the entrance that takes every call."""
_MOST_CLIENTS = 100_000
_RELAYS: list[Relay] = []
"""Of this process, which is a proxy to its end."""


def middlewares() -> list[Middleware]:
    """Return what stands around a proxy's REST; its gRPC server, made a moment later, gets its options here too."""
    settings = read_settings()
    ours = [
        ("grpc.max_connection_age_ms", round(settings.ray_connection_seconds * 1000)),
        # over our limit it is refused in our words, over twice as much by the transport
        ("grpc.max_receive_message_length", min(2 * settings.limit_request_bytes, 2**31 - 1)),
    ]
    threading.Thread(target=_import_words, daemon=True).start()
    gRPCGenericServer.add_insecure_port = _add_port_behind_relay  # type: ignore[method-assign, assignment]
    DEFAULT_GRPC_SERVER_OPTIONS.extend(option for option in ours if option not in DEFAULT_GRPC_SERVER_OPTIONS)
    return [Middleware(Edge, settings.ray_connection_seconds)]


def _add_port_behind_relay(server: gRPCGenericServer, address: str) -> int:
    """Have a proxy's gRPC server listen where only a relay finds it, and the relay where Ray would have had it listen.

    Args:
        server: The proxy's; its event loop runs.
        address: Ends with the port.

    Raises:
        PortTaken: Somebody else has it.
    """
    listener = listen(int(address.rpartition(":")[2]), "grpc_options.port")
    name = f"faceswap-predictor-{uuid4()}"
    super(gRPCGenericServer, server).add_insecure_port(f"unix-abstract:{name}")
    relay = Relay(name, read_settings().client_seconds)
    relay.start(listener)
    _RELAYS.append(relay)
    return int(listener.getsockname()[1])


def _import_words() -> None:
    """Import what errors are told with, which takes seconds: Ray gives a proxy few until it must be there."""
    importlib.import_module("predictor.serving.middleware")


class Edge:
    """Pure ASGI, around all that is Ray's.

    Args:
        app: The proxy.
        connection_seconds: After so many, a connection is closed with its next answer.
        clock: Seconds.
    """

    def __init__(self, app: ASGIApp, connection_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._ages = _Ages(connection_seconds, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_OF_RAY):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, is_last=self._ages.begun(scope))
        await self._app(scope, receive, answer.send)
        if answer.problem is not None:
            await _say(answer.problem, scope, receive, answer.send_ours)


async def _say(problem: PredictorError, scope: Scope, receive: Receive, send: Send) -> None:
    from predictor.serving.middleware import error_response, request_id_of  # noqa: PLC0415  # see `_import_words`

    given = dict(scope["headers"]).get(_ID)
    answer = error_response(problem)
    answer.headers["x-request-id"] = request_id_of(given.decode("latin-1") if given else None)
    await answer(scope, receive, send)


class _Answer:
    """One answer on its way out; what Ray says in its own words is kept back and said in ours."""

    def __init__(self, send: Send, is_last: Callable[[], bool]) -> None:
        self.problem: PredictorError | None = PredictorError("")
        """What there is to say in place of Ray's words, of which there may be none; None once ours went out."""
        self._send = send
        self._is_last = is_last

    async def send(self, message: Message) -> None:
        """Send on what comes from the entrance."""
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if SIGNATURE not in headers:
                self.problem = _in_our_words(int(message["status"]))
                return
            self.problem = None
            message["headers"] = [pair for pair in headers if pair != SIGNATURE]
        if self.problem is None:
            await self.send_ours(message)

    async def send_ours(self, message: Message) -> None:
        """Send an answer of ours: with one id, though Ray adds another that it found or made up."""
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            ids = [pair for pair in headers if pair[0].lower() == _ID]
            message["headers"] = [*(pair for pair in headers if pair not in ids), *ids[:1]]
            if self._is_last():
                message["headers"].append((b"connection", b"close"))
        await self._send(message)


class _Ages:
    """Since when connections are there, told by the addresses of their clients: ASGI knows no connections."""

    def __init__(self, most_seconds: float, clock: Callable[[], float]) -> None:
        self._most_seconds = most_seconds
        self._clock = clock
        self._since: MutableMapping[tuple[str, int], float] = {}

    def begun(self, scope: Scope) -> Callable[[], bool]:
        """Return what tells, when a request is answered, whether its connection is to end; it then counts as ended."""
        client, now = tuple(scope.get("client") or ("", 0)), self._clock()
        since = self._since.setdefault(client, now)
        self._forget_some(now)

        def is_last() -> bool:
            if self._clock() - since < self._most_seconds:
                return False
            self._since.pop(client, None)
            return True

        return is_last

    def _forget_some(self, now: float) -> None:
        """Forget those that have gone without a word: an address that comes again in that time is closed early."""
        if len(self._since) > _MOST_CLIENTS:
            self._since = {each: since for each, since in self._since.items() if now - since < self._most_seconds}


def _in_our_words(status: int) -> PredictorError:
    """Return what Ray means by a status of its own."""
    words: dict[int, PredictorError] = {
        408: DeadlineExceeded(0.0),
        429: Overloaded(1),
        404: NotReady("the application is not deployed yet"),
        503: NotReady("the application is not deployed yet"),
    }
    return words.get(status, PredictorError(""))


def add_to_server(_servicer: object, server: gRPCGenericServer) -> None:
    """Let a proxy's gRPC server take every method there may be, and hand it to the entrance as it came."""
    handle: Handle = server.service_handler_factory(
        service_method=_ALL_METHODS, streaming_type=gRPCStreamingType.UNARY_UNARY
    )
    # Ray's own way to add handlers would put its own in their place, which asks for messages that are parsed already.
    super(gRPCGenericServer, server).add_generic_rpc_handlers((_EveryMethod(handle),))


class _EveryMethod(grpc.GenericRpcHandler):
    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method

        async def call(message: bytes, context: Any) -> bytes:  # noqa: ANN401  # grpc's own
            known = _Context(context, method)
            answer = await self._handle(message, known)
            if not any(key == "x-request-id" for key, _ in context.trailing_metadata()):
                _tell(context, _CODES.get(context.code(), NotReady("the application is not deployed yet")))
            return answer

        return grpc.unary_unary_rpc_method_handler(call)


class _Context:
    """A call as the proxy knows it, with what Ray does not pass on among its metadata."""

    def __init__(self, context: Any, method: str) -> None:  # noqa: ANN401  # grpc's own
        self._context = context
        self._told: list[tuple[str, Any]] = [
            pair for pair in context.invocation_metadata() or () if pair[0] not in (METHOD, REMAINING)
        ]
        self._told.append((METHOD, method))
        if (remaining := context.time_remaining()) is not None:
            self._told.append((REMAINING, repr(remaining)))

    def invocation_metadata(self) -> Sequence[tuple[str, Any]]:
        return self._told

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # grpc's own
        return getattr(self._context, name)


_CODES: dict[object, PredictorError] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded(1),
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded(0.0),
    grpc.StatusCode.INTERNAL: PredictorError(""),
}


def _tell(context: Any, error: PredictorError) -> None:  # noqa: ANN401  # grpc's own
    """Say what Ray said, in our words."""
    from predictor.serving.middleware import request_id_of  # noqa: PLC0415  # see `_import_words`
    from predictor.serving.statuses import STATUSES, sentence_of  # noqa: PLC0415

    given = dict(context.invocation_metadata() or ()).get("x-request-id")
    context.set_code(STATUSES[error.code].grpc)
    context.set_details(sentence_of(error))
    context.set_trailing_metadata((("x-request-id", request_id_of(given)), ("error-code", error.code)))
