from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from predictor.client.calls import Swap, Swapped, swap_over_grpc
from predictor.client.failures import CallFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE, DESTINATION, RESULT = b"\xff\xd8source\x00", b"\x89PNGdestination", b"\xff\x00result"


class Servicer(GRPCInferenceServiceServicer):
    """Keeps what it was sent and answers what it was told."""

    def __init__(self) -> None:
        self.request: Any = None
        self.answer: Any = None

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802  # kserve's own
        self.request = request
        if self.answer is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no face was found in the source")
        return self.answer


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
def channel(servicer: Servicer) -> Iterator[grpc.Channel]:
    server = grpc.server(ThreadPoolExecutor(1))
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait()


def _output(name: str, *elements: bytes) -> Any:  # noqa: ANN401  # kserve's message
    tensor = messages.ModelInferResponse.InferOutputTensor(name=name, datatype="BYTES", shape=[len(elements)])
    tensor.contents.bytes_contents.extend(elements)
    return tensor


def test_pictures_travel_as_they_are_and_options_as_json(channel: grpc.Channel, servicer: Servicer) -> None:
    servicer.answer = messages.ModelInferResponse(outputs=[_output("image", RESULT), _output("destination_name", b"a")])

    swapped = swap_over_grpc(channel, Swap(SOURCE, [DESTINATION], {"upscale": 2}, model="other"))

    sent = {tensor.name: list(tensor.contents.bytes_contents) for tensor in servicer.request.inputs}
    assert servicer.request.model_name == "other"
    assert sent == {"image": [SOURCE], "destination": [DESTINATION], "options": [json.dumps({"upscale": 2}).encode()]}
    assert swapped == [Swapped("a", RESULT)]


def test_raw_contents_are_read_too(channel: grpc.Channel, servicer: Servicer) -> None:
    servicer.answer = messages.ModelInferResponse(
        outputs=[
            messages.ModelInferResponse.InferOutputTensor(name=name, datatype="BYTES", shape=[1])
            for name in ("destination_name", "image")
        ],
        raw_output_contents=[b"\x01\x00\x00\x00a", len(RESULT).to_bytes(4, "little") + RESULT],
    )

    assert swap_over_grpc(channel, Swap(SOURCE)) == [Swapped("a", RESULT)]


def test_an_error_is_told_in_the_servers_own_words(channel: grpc.Channel) -> None:
    with pytest.raises(CallFailed, match="answered FAILED_PRECONDITION: no face was found in the source"):
        swap_over_grpc(channel, Swap(SOURCE))
