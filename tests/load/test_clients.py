"""What each kind of client does on the wire, against a server of a few lines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import grpc
import pytest

from tests.load import clients
from tests.load.clients import CLIENTS, Ports, Reply, RestKept, SlowReader, SlowSender, grpc_reply, rest_reply
from tests.serving.wire import GrpcAnswer, RestAnswer, RestRequest

ASK = RestRequest("POST", "/", b"x" * 300)


def answer(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(ASK.body or b""):
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on which each connection is handled, one after another."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        try:
            while True:
                with listener.accept()[0] as connection:
                    handle(connection)
        except OSError:
            pass

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_kept_connection_that_breaks_is_a_lost_call_and_no_second_try() -> None:
    seen = []

    def once(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer())
        seen.append(read_request(connection))  # and hangs up

    with listening(once) as port, closing(RestKept(Ports(port, 0))) as client:
        assert client.call(ASK) == Reply("ok", 200)
        assert client.call(ASK) == Reply("lost: RemoteDisconnected", 0)
    assert len(seen) == 2


def test_a_connection_that_the_server_closes_in_words_is_made_anew() -> None:
    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer("200 OK", b"{}", "connection: close"))

    with listening(once) as port, closing(RestKept(Ports(port, 0))) as client:
        assert [client.call(ASK).outcome for _ in range(3)] == ["ok"] * 3


def test_a_slow_sender_sends_in_parts_and_still_reads_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_SLOW_SECONDS", 0.3)
    parts = []

    def patient(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        while len(data.partition(b"\r\n\r\n")[2]) < 300:
            parts.append(connection.recv(65536))
            data += parts[-1]
        connection.sendall(answer())

    with listening(patient) as port:
        assert SlowSender(Ports(port, 0)).call(ASK) == Reply("ok", 200)
    assert len(parts) > 10


def test_a_slow_sender_hears_that_the_server_has_lost_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_SLOW_SECONDS", 0.3)

    def impatient(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer("504 Gateway Timeout", b'{"code": "deadline_exceeded"}', "connection: close"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # what is on its way is read, so that the answer is not lost to a reset
            pass

    with listening(impatient) as port:
        assert SlowSender(Ports(port, 0)).call(ASK) == Reply("deadline_exceeded", 504)


def test_a_slow_reader_gets_all_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_SLOW_SECONDS", 0.3)

    def send(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer("422 Unprocessable", b'{"code": "no_face_found"}' + b" " * 500_000))

    with listening(send) as port:
        assert SlowReader(Ports(port, 0)).call(ASK) == Reply("no_face_found", 422)


def test_a_leaver_leaves_whole_requests_and_broken_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_LONGEST_STAY_SECONDS", 0.01)
    bodies = []

    def read(connection: socket.socket) -> None:
        bodies.append(read_request(connection).partition(b"\r\n\r\n")[2])

    with listening(read) as port:
        client = CLIENTS["rest leaver"](Ports(port, 0))
        assert [client.call(ASK).outcome for _ in range(4)] == ["left"] * 4
        client.close()
    assert [len(body) == 300 for body in bodies] == [True, False, True, False]


def test_nobody_there_is_a_lost_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert RestKept(Ports(port, 0)).call(ASK).outcome == "lost: ConnectionRefusedError"
    assert CLIENTS["rest leaver"](Ports(port, 0)).call(ASK).outcome == "lost: ConnectionRefusedError"


def test_refusals_are_told_by_the_servers_code() -> None:
    refused = RestAnswer(429, {"retry-after": "3"}, b'{"code": "overloaded"}')
    foreign = RestAnswer(502, {}, b"<html>")
    over_grpc = GrpcAnswer(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", {"error-code": "overloaded"})

    assert rest_reply(refused) == Reply("overloaded", 429, 3.0)
    assert rest_reply(foreign) == Reply("http_502", 502)
    assert grpc_reply(over_grpc) == Reply("overloaded", 429, 1.0)
    assert grpc_reply(GrpcAnswer(grpc.StatusCode.OK, "", {})) == Reply("ok", 200)
    assert grpc_reply(GrpcAnswer(grpc.StatusCode.UNAVAILABLE, "gone", {})).outcome == "lost: UNAVAILABLE gone"
