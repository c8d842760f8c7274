"""gRPC messages that are not of the protocol's form, that do not come, or that nobody wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.pictures import flat
from tests.serving.provocations import MIB, full
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcAnswer, GrpcConnection, grpc_answer

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_QUESTION = "/inference.GRPCInferenceService/ModelReady"
_WAIT_SECONDS = 20


def test_a_message_that_cannot_be_read_is_answered_in_our_words(grpc_connection: GrpcConnection) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = grpc_connection.channel.unary_unary(_METHOD)

    answer = grpc_answer(call.future(b"\xff\xff\xff", timeout=_WAIT_SECONDS, metadata=(("x-request-id", "garbage"),)))
    following = grpc_connection.ask(Ask("faceswap-detect", flat()).grpc())

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.trailers == {"x-request-id": "garbage", "error-code": "invalid_request"}
    assert "Decode" not in answer.message
    assert following.code is grpc.StatusCode.OK


@contextmanager
def unsent(server: Puppet, method: str = _METHOD, calls: int = 1) -> Iterator[list[GrpcAnswer]]:
    """The answers to calls whose messages never come: to gRPC one message and a stream of them begin alike."""
    connection, enough = GrpcConnection(server.grpc_port), threading.Event()

    def messages() -> Iterator[bytes]:
        enough.wait()
        yield b""

    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = connection.channel.stream_unary(method)
    try:
        yield [grpc_answer(each) for each in [call.future(messages(), timeout=_WAIT_SECONDS) for _ in range(calls)]]
    finally:
        enough.set()
        connection.close()


def test_a_full_queue_refuses_before_the_message_has_come(shared_puppet: Puppet) -> None:
    with full(shared_puppet), unsent(shared_puppet) as [answer]:
        assert (answer.code, answer.trailers["error-code"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded")


def test_a_message_that_does_not_come_is_refused_and_gives_its_place_back(tmp_path: Path) -> None:
    with puppet(tmp_path, {"CLIENT_SECONDS": "0.3", "QUEUE_LENGTH": "0"}) as server:
        for _ in range(2):  # more than there are places
            with unsent(server) as [answer]:
                assert (answer.code, answer.trailers["error-code"]) == (
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    "deadline_exceeded",
                )
                assert answer.message == "the body did not come: nothing of it within 0.3 s"
        connection = GrpcConnection(server.grpc_port)
        assert connection.ask(Ask("faceswap-detect", flat()).grpc()).code is grpc.StatusCode.OK
        connection.close()


def test_questions_that_do_not_come_are_refused_and_keep_no_other_from_its_answer(tmp_path: Path) -> None:
    with puppet(tmp_path, {"CLIENT_SECONDS": "0.3"}) as server, unsent(server, _QUESTION, calls=6) as answers:
        assert {(each.code, each.trailers["error-code"]) for each in answers} == {
            (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
        }
        connection = GrpcConnection(server.grpc_port)
        assert connection.ask(pb.ModelReadyRequest(name="faceswap"), "ModelReady").response.ready
        connection.close()


def test_a_call_without_a_message_is_refused(shared_puppet: Puppet) -> None:
    connection = GrpcConnection(shared_puppet.grpc_port)
    for method in (_METHOD, _QUESTION):
        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = connection.channel.stream_unary(method)

        answer = grpc_answer(call.future(iter([]), timeout=_WAIT_SECONDS))

        assert (answer.code, answer.message) == (grpc.StatusCode.INVALID_ARGUMENT, "there is no message")
    connection.close()


def test_a_question_of_megabytes_is_refused(shared_puppet: Puppet) -> None:
    connection = GrpcConnection(shared_puppet.grpc_port)
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(_QUESTION)

    answer = grpc_answer(call.future(bytes(MIB), timeout=_WAIT_SECONDS))

    assert (answer.code, answer.trailers["error-code"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "request_too_large")
    connection.close()


def test_a_message_of_very_many_tensors_is_refused(shared_puppet: Puppet) -> None:
    connection = GrpcConnection(shared_puppet.grpc_port)
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(_METHOD)

    answer = grpc_answer(call.future(b"\x0a\x08faceswap" + b"\x2a\x00" * 200_000, timeout=_WAIT_SECONDS))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "more than" in answer.message
    connection.close()
