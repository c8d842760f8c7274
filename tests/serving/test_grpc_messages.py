"""gRPC messages that are not of the protocol's form."""

from __future__ import annotations

import grpc

from tests.serving.pictures import flat
from tests.serving.wire import Ask, GrpcConnection, grpc_answer

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_WAIT_SECONDS = 20


def test_a_message_that_cannot_be_read_is_answered_in_our_words(grpc_connection: GrpcConnection) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = grpc_connection.channel.unary_unary(_METHOD)

    answer = grpc_answer(call.future(b"\xff\xff\xff", timeout=_WAIT_SECONDS, metadata=(("x-request-id", "garbage"),)))
    following = grpc_connection.ask(Ask("faceswap-detect", flat()).grpc())

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.trailers == {"x-request-id": "garbage", "error-code": "invalid_request"}
    assert "Decode" not in answer.message
    assert following.code is grpc.StatusCode.OK
