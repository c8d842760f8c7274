"""Clients that send slowly, or not at all: they hold nothing that others wait for, and are told, or cut off."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.pictures import flat
from tests.serving.provocations import MIB, connected, full
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, RestConnection, RestRequest

DETECT = Ask("faceswap-detect", flat())
PREDICT = RestRequest("POST", "/v1/models/faceswap-detect:predict")
NOWHERE = RestRequest("POST", "/v1/models/nobody:predict")


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    """A server that waits for no client longer than half a second."""
    settings = {"CLIENT_SECONDS": "0.5", "QUEUE_LENGTH": "1"}
    with puppet(tmp_path_factory.mktemp("hurried"), settings) as running:
        yield running


@pytest.mark.parametrize("begun", [b"", b'{"image":'], ids=["nothing of it", "its beginning"])
def test_a_body_that_stops_coming_is_refused_and_gives_its_place_back(hurried: Puppet, begun: bytes) -> None:
    for _ in range(3):  # more than there are places
        with connected(hurried) as connection:
            connection.send_head(PREDICT, 1000)
            connection.send_body(begun)
            answer = connection.answer()

        assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")
        assert answer.json["error"] == "the body did not come: nothing of it within 0.5 s"
        assert answer.json["details"] == {"timeout_seconds": 0.5}
    with connected(hurried) as connection:
        assert connection.ask(DETECT.rest()).status == 200


def test_a_body_that_keeps_coming_may_take_longer(hurried: Puppet) -> None:
    request = DETECT.rest()
    body = request.body or b""
    with connected(hurried) as connection:
        connection.send_head(request, len(body) + 8)
        for _ in range(8):  # longer than one silence may be, and each silence is short
            connection.send_body(b" ")
            time.sleep(0.1)
        connection.send_body(body)

        assert connection.answer().status == 200


def test_a_connection_that_asks_nothing_is_closed_and_that_is_logged(hurried: Puppet) -> None:
    with socket.create_connection(("127.0.0.1", hurried.http_port), timeout=20) as connection:
        assert connection.recv(1) == b""

    hurried.wait_for_line("a request that does not come: connection closed after 0.5 s")


def test_slow_bodies_keep_no_place_from_others(tmp_path: Path) -> None:
    with puppet(tmp_path, {"QUEUE_LENGTH": "0"}) as server:
        slow = RestConnection(server.http_port)
        slow.send_head(PREDICT, 1000)

        status = 0
        while status != 200:  # 429 until the place is free again; the test's own time limit bounds it
            with connected(server) as connection:
                status = connection.ask(DETECT.rest()).status
        slow.close()


# ── refused while the body is on its way ──────────────────────────────────────────────────────────────────────────────


def test_who_is_refused_in_the_middle_of_a_large_body_is_told_to_stop_and_finds_the_answer(
    shared_puppet: Puppet,
) -> None:
    with full(shared_puppet), connected(shared_puppet) as connection:
        connection.send_head(PREDICT, 32 * MIB)
        for _ in range(8):  # as clients do that look for an answer only when all is sent
            connection.send_body(bytes(MIB))
        answer = connection.answer()

    assert (answer.status, answer.headers["connection"]) == (429, "close")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("request_", [PREDICT, NOWHERE], ids=["refused", "nowhere"])
def test_who_is_refused_in_the_middle_of_a_small_body_keeps_the_connection(
    shared_puppet: Puppet, request_: RestRequest
) -> None:
    with full(shared_puppet), connected(shared_puppet) as connection:
        connection.send_head(request_, 1000)
        first = connection.answer()
        connection.send_body(bytes(1000))
        second = connection.ask(RestRequest("GET", "/v2/health/live"))

    assert first.status in {404, 429}
    assert "connection" not in first.headers
    assert second.status == 200


def test_a_body_over_the_limit_is_refused_from_its_announced_length_and_closes(shared_puppet: Puppet) -> None:
    with connected(shared_puppet) as connection:
        connection.send_head(PREDICT, 33 * MIB)
        answer = connection.answer()

    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_body_of_unknown_length_is_read_up_to_the_limit_and_no_further(shared_puppet: Puppet) -> None:
    with connected(shared_puppet) as connection:
        connection.send_head(RestRequest("POST", PREDICT.path, headers={"transfer-encoding": "chunked"}), None)
        part = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
        for _ in range(33):
            connection.send_body(part)
        answer = connection.answer()

    assert (answer.status, answer.json["code"]) == (413, "request_too_large")
    assert answer.headers["connection"] == "close"
    assert answer.json["details"]["actual"] < 34 * MIB
