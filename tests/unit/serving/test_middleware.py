from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import MethodNotAllowed, Overloaded
from predictor.serving.dataplane import Lifecycle
from predictor.serving.logs import REQUEST_ID
from predictor.serving.middleware import RequestMiddleware, error_response, request_id_of

Message = MutableMapping[str, Any]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
BODY = {"type": "http.response.body", "body": b"{}"}


@pytest.fixture(autouse=True)
def access_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "predictor.access"):
        yield caplog


def headers_of(message: Message) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in message["headers"]}


async def call(
    app: Callable[..., Any], headers: dict[str, str] | None = None, lifecycle: Lifecycle | None = None, path: str = "/p"
) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    await RequestMiddleware(app, lifecycle or Lifecycle())(scope, receive, send)
    return sent


async def fine(_scope: Message, _receive: object, send: Callable[..., Any]) -> None:
    await send(dict(START))
    await send(BODY)


async def broken(_scope: Message, _receive: object, _send: object) -> None:
    raise RuntimeError("a secret at /home/somebody")


# ── ids ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given_id", ["a", "A-Z_0.9", "x" * 128])
async def test_a_clients_id_comes_back(given_id: str) -> None:
    start, _ = await call(fine, {"x-request-id": given_id})

    assert headers_of(start) == {"content-type": "application/json", "x-request-id": given_id}


@pytest.mark.parametrize("given_id", ["", "x" * 129, "a b", "ä", "a\nb", "a\n", "<script>", "a/b"])
async def test_an_id_that_is_none_is_replaced(given_id: str) -> None:
    start, _ = await call(fine, {"x-request-id": given_id})

    assert UUID.fullmatch(headers_of(start)["x-request-id"])


async def test_ids_made_up_are_never_the_same() -> None:
    ids = {headers_of((await call(fine))[0])["x-request-id"] for _ in range(3)}

    assert len(ids) == 3


@given(st.none() | st.text())
def test_whatever_is_given_the_id_is_valid(given_id: str | None) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", request_id_of(given_id))


async def test_the_id_is_known_inside_the_request_and_forgotten_after_it() -> None:
    seen: list[str] = []

    async def app(scope: Message, receive: object, send: Callable[..., Any]) -> None:
        seen.append(REQUEST_ID.get())
        await fine(scope, receive, send)

    await call(app, {"x-request-id": "mine"})

    assert (seen, REQUEST_ID.get()) == (["mine"], "-")


# ── whatever goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_exception_becomes_an_internal_error_with_the_id_and_without_a_word_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start, body = await call(broken, {"x-request-id": "mine"})

    assert start["status"] == 500
    assert headers_of(start)["x-request-id"] == "mine"
    assert headers_of(start)["content-length"] == str(len(body["body"]))
    answer = orjson.loads(body["body"])
    assert (answer["code"], answer["details"]) == ("internal", {})
    assert b"secret" not in body["body"]
    assert b"somebody" not in body["body"]
    assert "a secret" in caplog.text  # the operator is told


async def test_an_exception_after_the_answer_has_begun_sends_nothing_more() -> None:
    async def app(_scope: Message, _receive: object, send: Callable[..., Any]) -> None:
        await send(dict(START))
        raise RuntimeError("too late")

    sent = await call(app)

    assert [message["type"] for message in sent] == ["http.response.start"]


def test_an_error_carries_the_headers_that_belong_to_it() -> None:
    busy = error_response(Overloaded(7))
    wrong = error_response(MethodNotAllowed("PUT", ["GET", "POST"]))

    assert (busy.status_code, busy.headers["retry-after"]) == (429, "7")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")


# ── draining ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_connections_are_closed_while_draining_and_only_then() -> None:
    lifecycle = Lifecycle()
    before, _ = await call(fine, lifecycle=lifecycle)

    lifecycle.draining = True
    after, _ = await call(fine, lifecycle=lifecycle)
    failed, _ = await call(broken, lifecycle=lifecycle)

    assert "connection" not in headers_of(before)
    assert headers_of(after)["connection"] == "close"
    assert headers_of(failed)["connection"] == "close"


# ── log lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, re.sub(r"[\d.]+ ms", "… ms", record.getMessage())) for record in caplog.records]


async def test_every_request_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    await call(fine, path="/v2/models/faceswap/infer")

    assert lines(caplog) == [(logging.INFO, "POST /v2/models/faceswap/infer 200 … ms")]


@pytest.mark.parametrize("path", ["/", "/metrics", "/v2/health/live", "/v2/health/ready"])
async def test_probes_are_quiet(path: str, caplog: pytest.LogCaptureFixture) -> None:
    await call(fine, path=path)

    assert [level for level, _ in lines(caplog)] == [logging.DEBUG]


async def test_a_path_cannot_write_a_log_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    await call(fine, path="/x\n12:00:00 INFO all is well")
    await call(broken, path="/y\nz")

    assert all("\n" not in text for _, text in lines(caplog))


async def test_what_is_no_http_request_passes_through() -> None:
    seen: list[object] = []

    async def app(scope: object, receive: object, send: object) -> None:
        seen.extend([scope, receive, send])

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None: ...

    scope = {"type": "lifespan"}
    await RequestMiddleware(app, Lifecycle())(scope, receive, send)

    assert seen == [scope, receive, send]
