"""V2 tensors on gRPC and in KServe's own objects, to and from the forms of `tensors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.infer_type import to_grpc_parameters, to_http_parameters

from predictor.errors import InvalidField
from predictor.serving.tensors import (
    InputTensor,
    RequestedOutput,
    TensorAnswer,
    TensorRequest,
    checked_tensor,
    deserialized,
    serialized,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.serving.tensors import OutputTensor


def read_grpc(request: pb.ModelInferRequest) -> TensorRequest:
    """Read a V2 gRPC request; raw contents and typed contents alike.

    Raises:
        InvalidField: Tensors and contents do not agree.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidField("raw_input_contents", f"{len(raw)} given for {len(request.inputs)} inputs")
    inputs = [_read_grpc_input(tensor, raw[i] if raw else None) for i, tensor in enumerate(request.inputs)]
    if not inputs:
        raise InvalidField("inputs", "expected at least one tensor")
    outputs = [RequestedOutput(output.name, None) for output in request.outputs]
    return TensorRequest(
        id=request.id,
        inputs=inputs,
        parameters=to_http_parameters(request.parameters),
        outputs=outputs or None,
        binary_outputs=True,
    )


def write_grpc(answer: TensorAnswer, chosen: Sequence[OutputTensor], *, raw: bool) -> pb.ModelInferResponse:
    """Return a V2 gRPC answer, in raw contents if the request came in raw contents."""
    response = pb.ModelInferResponse(
        model_name=answer.model_name,
        model_version="1",
        id=answer.id,
        parameters=to_grpc_parameters(answer.parameters),
    )
    for output in chosen:
        tensor = response.outputs.add(name=output.name, datatype=output.datatype, shape=[len(output.rows)])
        if raw:
            response.raw_output_contents.append(serialized(output))
        elif output.datatype == "BYTES":
            tensor.contents.bytes_contents.extend(output.rows)
        else:
            tensor.contents.int_contents.extend(output.rows)
    return response


def read_object(request: InferRequest) -> TensorRequest:
    """Read a V2 request that KServe parsed: a call from Python rather than over our own routes."""
    inputs = [_read_object_input(tensor) for tensor in request.inputs]
    outputs = [RequestedOutput(output.name, None) for output in request.request_outputs or []]
    return TensorRequest(
        id=request.id or "",
        inputs=inputs,
        parameters=to_http_parameters(request.parameters or {}),
        outputs=outputs or None,
        binary_outputs=True,
    )


def write_object(answer: TensorAnswer, chosen: Sequence[OutputTensor]) -> InferResponse:
    """Return a V2 answer as KServe's own object."""
    outputs = [InferOutput(one.name, [len(one.rows)], one.datatype, list(one.rows)) for one in chosen]
    return InferResponse(answer.id, answer.model_name, outputs, model_version="1", parameters=answer.parameters)


def _read_grpc_input(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> InputTensor:
    if raw is not None and tensor.HasField("contents"):
        raise InvalidField(tensor.name, "contents not together with raw_input_contents")
    for kind, _ in tensor.contents.ListFields():
        if kind.name != "bytes_contents":
            raise InvalidField(tensor.name, f"{kind.name} are not taken; send bytes_contents")
    rows = list(tensor.contents.bytes_contents) if raw is None else deserialized(tensor.name, raw)
    return checked_tensor(tensor.name, tensor.datatype, list(tensor.shape), rows, to_http_parameters(tensor.parameters))


def _read_object_input(tensor: InferInput) -> InputTensor:
    # KServe keeps raw contents in this private attribute only; pinned below 0.22 and tested.
    raw = tensor._raw_data  # noqa: SLF001
    rows = list(tensor.data or []) if raw is None else deserialized(tensor.name, raw)
    if not all(isinstance(row, bytes | str) for row in rows):
        raise InvalidField(tensor.name, "expected rows of bytes or text")
    return checked_tensor(tensor.name, tensor.datatype, tensor.shape, rows, to_http_parameters(tensor.parameters or {}))
