"""Bytes on the connection that are hardly HTTP: refused in our words or dropped, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time

import pytest

from tests.hostile.files import small
from tests.hostile.health import MOST_RESIDENT_BYTES, Target
from tests.serving.wire import base64_text

DETECT = b"POST /v1/models/faceswap-detect:predict HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
BODY = json.dumps({"image": base64_text(small()["png"])}).encode()
LENGTH = f"content-length: {len(BODY)}\r\n".encode()
PATIENCE_SECONDS = 60.0


def said(target: Target, *parts: bytes) -> bytes:
    """Send bytes as long as somebody takes them, and return what comes back until the other side ends."""
    received = b""
    with socket.create_connection(("127.0.0.1", target.http_port), timeout=PATIENCE_SECONDS) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    return received


def statuses(received: bytes) -> list[int]:
    """The status of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


@pytest.mark.parametrize(
    "data",
    [
        DETECT + b"content-length: -1\r\n\r\n" + BODY,
        DETECT + b"content-length: 0x10\r\n\r\n" + BODY,
        DETECT + b"content-length: 99999999999999999999999999\r\n\r\n" + BODY,
        DETECT + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + BODY,
        DETECT + LENGTH + b"transfer-encoding: chunked\r\n\r\n" + BODY,
        DETECT + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + BODY,
        DETECT + b"transfer-encoding: chunked\r\n\r\n-1\r\n" + BODY,
        DETECT + b"transfer-encoding: chunked\r\n\r\nxyz\r\n" + BODY,
        DETECT + b"na me: x\r\n\r\n",
        DETECT + b"name\0: x\r\n\r\n",
        DETECT + b"name: a\r\n b\r\n\r\n",
        b"POST /v1/models/faceswap-detect:predict HTTP/9.9\r\n\r\n",
        b"\0" * 100_000,
        b"A" * 100_000,
        b"\r\n" * 100_000 + b"X",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        DETECT + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
        DETECT + b"".join(b"x%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(target: Target, data: bytes) -> None:
    received = said(target, data)

    assert all(400 <= status < 500 for status in statuses(received)), received[:300]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (DETECT + LENGTH + b"\r\n" + BODY, 200),
        (
            DETECT
            + b"transfer-encoding: chunked\r\n\r\n"
            + b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in BODY)
            + b"0\r\n\r\n",
            200,
        ),
        (DETECT + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (DETECT + b"content-length: 0\r\n\r\n", 400),
        (DETECT + LENGTH + b"content-encoding: gzip\r\n\r\n" + BODY, 200),
        (DETECT + LENGTH + b"content-type: text/plain; charset=utf-16\r\n\r\n" + BODY, 200),
        (DETECT + LENGTH + b"x-request-id: " + b"\xff" * 100 + b"\r\n\r\n" + BODY, 200),
        (DETECT + LENGTH + b"x-request-timeout: nan\r\n\r\n" + BODY, 400),
        (DETECT + LENGTH + b"x-request-timeout: 1e999\r\n\r\n" + BODY, 400),
        (DETECT + LENGTH + b"x-request-timeout: \xb2\r\n\r\n" + BODY, 400),
        (b"GET /v1/models/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
        (b"GET /v1/models/%00%0d%0aset-cookie:%20a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
        (b"GET /v2/models/%ff%fe/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
        (b"GET //v2//health//live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
        (b"BREW /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"PURGE /v2/health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 405),
        (b"GET http://metadata.example.com/latest HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404),
    ],
)
def test_an_odd_request_is_answered_like_any_other(target: Target, data: bytes, status: int) -> None:
    received = said(target, data)

    assert statuses(received)[:1] == [status], received[:300]
    assert b"set-cookie" not in received.lower().split(b"\r\n\r\n")[0]


def test_a_body_that_ends_early_is_nobodys_business(target: Target) -> None:
    with socket.create_connection(("127.0.0.1", target.http_port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(DETECT + LENGTH + b"\r\n" + BODY[:-10])
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(65536) == b""


def test_a_hundred_requests_at_once_on_one_connection_are_answered_in_order(target: Target) -> None:
    good, bad = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n", b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n"

    with socket.create_connection(("127.0.0.1", target.http_port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall((good + bad) * 50)
        received = b""
        while len(statuses(received)) < 100:
            part = connection.recv(65536)
            assert part, statuses(received)
            received += part

    assert statuses(received) == [200, 404] * 50


@pytest.mark.parametrize("behind", ["a head", "the chunks"])
def test_headers_without_end_take_no_memory(target: Target, behind: str) -> None:
    before = target.peak_bytes()
    beginning = DETECT if behind == "a head" else DETECT + b"transfer-encoding: chunked\r\n\r\n0\r\n"
    line = b"".join(b"x%d: %s\r\n" % (number, b"y" * 1000) for number in range(1000))

    received = said(target, beginning, *[line] * 100)

    assert all(400 <= status < 500 for status in statuses(received))
    assert target.peak_bytes() < before + 50 * 2**20


def test_a_body_beyond_the_limit_is_refused_while_it_comes(target: Target) -> None:
    before = target.peak_bytes()
    part = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"

    received = said(target, DETECT + b"transfer-encoding: chunked\r\n\r\n", *[part] * 200)

    assert statuses(received)[:1] in ([413], [])  # where the connection ends first, the system may say so first
    assert target.peak_bytes() < before + 150 * 2**20


def test_after_all_of_them_the_server_is_as_healthy_as_before(target: Target) -> None:
    began = time.monotonic()

    target.check()

    assert time.monotonic() - began < PATIENCE_SECONDS
    assert target.peak_bytes() < MOST_RESIDENT_BYTES
