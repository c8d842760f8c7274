"""What clients get from Ray's proxies: ids, errors in our words, connections that end at their age, gRPC as it came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from ray.serve._private import grpc_util
from ray.serve._private.constants import DEFAULT_GRPC_SERVER_OPTIONS
from ray.serve._private.http_util import configure_http_middlewares
from ray.serve.config import HTTPOptions, gRPCOptions

from predictor.client.server_process import free_ports
from predictor.scaling import proxy
from predictor.scaling.context import METHOD, REMAINING, SIGNATURE
from predictor.scaling.proxy import Edge

Message = dict[str, Any]
Ray = Callable[[Any, Any, Any], Awaitable[None]]


def ray_says(status: int | None, *headers: tuple[bytes, bytes], body: bytes = b"Ray's own words") -> Ray:
    """A proxy that gives this answer, or none at all."""

    async def app(_scope: object, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        if status is not None:
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            await send({"type": "http.response.body", "body": body})

    return app


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def ask(edge: Edge, path: str = "/v2", headers: tuple[tuple[bytes, bytes], ...] = (), port: int = 1) -> Message:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "client": ("127.0.0.1", port)}
    await edge(scope, None, send)  # type: ignore[arg-type]  # nobody receives here
    start, *bodies = sent
    return {**start, "headers": start["headers"], "body": b"".join(each["body"] for each in bodies)}


def named(answer: Message, name: bytes) -> list[bytes]:
    return [value for key, value in answer["headers"] if key == name]


async def test_an_answer_of_ours_goes_through_unsigned_with_the_id_that_it_has() -> None:
    ours, rays = (b"x-request-id", b"ours"), (b"x-request-id", b"bad id!")
    edge = Edge(ray_says(200, ours, SIGNATURE, rays, body=b"made"), 30.0)

    answer = await ask(edge)

    assert (answer["status"], answer["body"]) == (200, b"made")
    assert named(answer, b"x-request-id") == [b"ours"]
    assert SIGNATURE not in answer["headers"]


@pytest.mark.parametrize("same", [b"an-id"])
async def test_an_id_that_both_found_stays_once(same: bytes) -> None:
    edge = Edge(ray_says(200, (b"x-request-id", same), SIGNATURE, (b"x-request-id", same)), 30.0)

    assert named(await ask(edge), b"x-request-id") == [same]


@pytest.mark.parametrize(
    ("rays", "status", "code"),
    [
        (404, 503, "not_ready"),
        (503, 503, "not_ready"),
        (429, 429, "overloaded"),
        (408, 504, "deadline_exceeded"),
        (500, 500, "internal"),
        (None, 500, "internal"),
    ],
)
async def test_what_ray_says_itself_is_said_in_our_words_under_the_clients_id(
    rays: int | None, status: int, code: str
) -> None:
    edge = Edge(ray_says(rays, (b"x-request-id", b"made-up-by-ray")), 30.0)

    answer = await ask(edge, headers=((b"x-request-id", b"the.clients-own"),))

    assert answer["status"] == status
    assert json.loads(answer["body"])["code"] == code
    assert b"Ray" not in answer["body"]
    assert named(answer, b"x-request-id") == [b"the.clients-own"]
    assert named(answer, b"retry-after") == ([b"1"] if status == 429 else [])


async def test_kubernetes_reads_rays_own_words() -> None:
    answer = await ask(Edge(ray_says(200, body=b"success"), 30.0), path="/-/healthz")

    assert (answer["status"], answer["body"]) == (200, b"success")


async def test_a_connection_ends_with_the_first_answer_past_its_age_and_not_before() -> None:
    clock = Clock()
    edge = Edge(ray_says(200, SIGNATURE), 30.0, clock)

    async def closed(port: int = 1) -> bool:
        return named(await ask(edge, port=port), b"connection") == [b"close"]

    assert not await closed()
    clock.now = 29.0
    assert not await closed()
    assert not await closed(port=2)
    clock.now = 31.0
    assert await closed()
    assert not await closed()  # the same address, another connection
    assert not await closed(port=2)


async def test_a_connection_that_becomes_old_while_a_request_is_worked_on_ends_with_its_answer() -> None:
    clock = Clock()
    answer = ray_says(200, SIGNATURE)

    async def works_long(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's
        clock.now = 31.0
        await answer(scope, receive, send)

    assert named(await ask(Edge(works_long, 30.0, clock)), b"connection") == [b"close"]


async def test_errors_in_our_words_end_old_connections_too() -> None:
    clock = Clock()
    edge = Edge(ray_says(None), 30.0, clock)

    await ask(edge)
    clock.now = 31.0

    assert named(await ask(edge), b"connection") == [b"close"]


async def test_addresses_of_clients_that_have_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    edge = Edge(ray_says(200, SIGNATURE), 30.0, clock)
    monkeypatch.setattr(proxy, "_MOST_CLIENTS", 3)

    for port in range(5):
        clock.now = 10.0 * port
        await ask(edge, port=port)

    assert set(edge._ages._since) == {("127.0.0.1", port) for port in (2, 3, 4)}


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The options of Ray's gRPC servers; they, and how those take a port, are put back in the end."""
    before = list(DEFAULT_GRPC_SERVER_OPTIONS)
    port_taking = grpc_util.gRPCGenericServer.add_insecure_port
    monkeypatch.setattr(grpc_util.gRPCGenericServer, "add_insecure_port", port_taking)
    yield DEFAULT_GRPC_SERVER_OPTIONS
    DEFAULT_GRPC_SERVER_OPTIONS[:] = before


def test_a_proxy_gets_all_by_the_callback_that_ray_asks_for(
    options: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ray.serve._private.http_util.RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH", "predictor.scaling.proxy.middlewares"
    )
    monkeypatch.setenv("PREDICTOR_RAY_CONNECTION_SECONDS", "12")
    monkeypatch.setenv("PREDICTOR_LIMIT_REQUEST_BYTES", "1000")

    once, again = (configure_http_middlewares(HTTPOptions(middlewares=[])) for _ in range(2))

    assert [middleware.cls for each in (once, again) for middleware in each.middlewares] == [Edge, Edge]
    assert options.count(("grpc.max_connection_age_ms", 12_000)) == 1
    assert options[-1] == ("grpc.max_receive_message_length", 2000)


class Proxy:
    """Ray's own gRPC server, with our functions on it and a fake entrance behind it."""

    def __init__(self) -> None:
        self.told: list[tuple[bytes, dict[str, str]]] = []
        self.answer: Callable[[Any], bytes] = lambda _: b""

    def factory(self, service_method: str, streaming_type: object) -> Callable[..., Awaitable[bytes]]:
        assert streaming_type

        async def handle(message: bytes, context: Any) -> bytes:  # noqa: ANN401
            assert service_method.endswith("/call") or "ray.serve" in service_method
            self.told.append((message, dict(context.invocation_metadata())))
            return self.answer(context)

        return handle


async def served(behind: Proxy, call: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> Any:  # noqa: ANN401
    (port,) = free_ports(1)
    _, server = await grpc_util.start_grpc_server(
        behind.factory,
        gRPCOptions(port=port, grpc_servicer_functions=["predictor.scaling.proxy.add_to_server"]),
        event_loop=asyncio.get_running_loop(),
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            return await call(channel)
    finally:
        await server.stop(0)


async def test_every_method_and_message_comes_to_the_entrance_as_it_was_with_its_deadline() -> None:
    behind = Proxy()

    def answer(context: Any) -> bytes:  # noqa: ANN401
        context.set_trailing_metadata((("x-request-id", "ours"),))
        return b"\xffanswer"

    behind.answer = answer

    async def call(channel: grpc.aio.Channel) -> bytes:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        given: bytes = await method(b"\xffmessage", timeout=5, metadata=((REMAINING, "1e9"), ("x-request-id", "a")))
        return given

    assert await served(behind, call) == b"\xffanswer"
    ((message, metadata),) = behind.told
    assert message == b"\xffmessage"
    assert metadata[METHOD] == "/inference.GRPCInferenceService/ModelInfer"
    assert metadata["x-request-id"] == "a"
    assert 0 < float(metadata[REMAINING]) <= 5.01  # on the wire gRPC rounds a deadline up, to hundredths


@pytest.mark.parametrize(
    ("rays", "code", "ours"),
    [
        (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE, "not_ready"),
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, "not_ready"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded"),
        (grpc.StatusCode.INTERNAL, grpc.StatusCode.INTERNAL, "internal"),
    ],
)
async def test_what_ray_says_itself_on_grpc_is_said_in_our_words(
    rays: grpc.StatusCode, code: grpc.StatusCode, ours: str
) -> None:
    behind = Proxy()

    def answer(context: Any) -> bytes:  # noqa: ANN401
        context.set_code(rays)
        context.set_details("a traceback: /srv/ray/serve/replica.py")
        return b""

    behind.answer = answer

    async def call(channel: grpc.aio.Channel) -> grpc.aio.AioRpcError:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"", metadata=(("x-request-id", "the.clients-own"),))
        return caught.value

    error = await served(behind, call)

    assert error.code() is code
    assert "/srv" not in error.details()
    trailers = dict(error.trailing_metadata())
    assert (trailers["error-code"], trailers["x-request-id"]) == (ours, "the.clients-own")


@pytest.mark.usefixtures("options")
async def test_a_proxys_grpc_server_is_reached_through_a_relay_alone() -> None:
    proxy.middlewares()
    behind, peers = Proxy(), []

    def answer(context: Any) -> bytes:  # noqa: ANN401
        peers.append(context.peer())
        context.set_trailing_metadata((("x-request-id", "ours"),))
        return bytes(2**20)

    behind.answer = answer

    async def call(channel: grpc.aio.Channel) -> bytes:
        method: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        given: bytes = await method(b"")
        return given

    assert await served(behind, call) == bytes(2**20)
    assert [peer.partition(":")[0] for peer in peers] == ["unix"]
    await proxy._RELAYS.pop().stop()


async def test_rays_own_health_service_stays_rays() -> None:
    behind = Proxy()

    async def call(channel: grpc.aio.Channel) -> None:
        method: Any = channel.unary_unary("/ray.serve.RayServeAPIService/Healthz")
        await method(b"")

    await served(behind, call)

    assert METHOD not in behind.told[0][1]
