"""One call over each protocol the predictor speaks: V1, V2 REST as JSON and as binary, V2 gRPC.

Written against the wire formats only, so that what works here works from any language.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from predictor.client.failures import CallFailed, Failure, no_answer_within
from predictor.client.messages import load_stubs

if TYPE_CHECKING:
    import grpc
    import httpx

_BINARY_HEADER = "Inference-Header-Content-Length"
_PICTURES = "image"
Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Inference:
    """A V2 request."""

    model: str
    pictures: Mapping[str, Sequence[bytes]]
    """The input tensors that hold pictures, by name."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The V1 fields that are no pictures, by their V1 names."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """A V2 answer, the same whichever protocol brought it."""

    outputs: Mapping[str, list[Any]]
    """The output tensors by name: bytes, pictures among them as they are, or numbers."""
    parameters: Mapping[str, Any]


def predict(http: httpx.Client, model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask `/v1/models/NAME:predict`: one JSON object, pictures as base64."""
    answer: dict[str, Any] = _checked(http.post(f"/v1/models/{model}:predict", json=body)).json()
    return answer


def infer_json(http: httpx.Client, inference: Inference) -> Inferred:
    """Ask `/v2/models/NAME/infer` in JSON alone: pictures as base64 text."""
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [len(elements)], "data": [to_base64(each) for each in elements]}
        for name, elements in inference.pictures.items()
    ]
    body = {"inputs": [*inputs, _options_tensor(inference)]}
    answer = _checked(http.post(f"/v2/models/{inference.model}/infer", json=body)).json()
    outputs = {output["name"]: _from_json(output) for output in answer["outputs"]}
    if _PICTURES in outputs:
        outputs[_PICTURES] = [base64.b64decode(element, validate=True) for element in outputs[_PICTURES]]
    return Inferred(outputs, answer.get("parameters") or {})


def infer_binary(http: httpx.Client, inference: Inference) -> Inferred:
    """Ask `/v2/models/NAME/infer` with the binary extension: a JSON header, then the pictures as they are."""
    inputs, blobs = [], []
    for name, elements in inference.pictures.items():
        blob = b"".join(struct.pack("<I", len(each)) + each for each in elements)
        parameters = {"binary_data_size": len(blob)}
        inputs.append({"name": name, "datatype": "BYTES", "shape": [len(elements)], "parameters": parameters})
        blobs.append(blob)
    header = {"inputs": [*inputs, _options_tensor(inference)], "parameters": {"binary_data_output": True}}
    header_bytes = json.dumps(header).encode()
    response = _checked(
        http.post(
            f"/v2/models/{inference.model}/infer",
            content=b"".join([header_bytes, *blobs]),
            headers={"Content-Type": "application/octet-stream", _BINARY_HEADER: str(len(header_bytes))},
        )
    )
    return _read_binary(response.content, int(response.headers[_BINARY_HEADER]))


def infer_grpc(
    channel: grpc.Channel, inference: Inference, timeout_seconds: float | None = None, metadata: Metadata = ()
) -> Inferred:
    """Ask `GRPCInferenceService.ModelInfer`: pictures as they are.

    The channel must take answers of any size (`grpc.max_receive_message_length` of -1); gRPC's own limit is 4 MiB.
    """
    import grpc  # noqa: PLC0415  # not for REST

    messages, service = load_stubs()
    tensors = [*inference.pictures.items(), ("options", [json.dumps(dict(inference.options)).encode()])]
    request = messages.ModelInferRequest(
        model_name=inference.model,
        inputs=[
            messages.ModelInferRequest.InferInputTensor(
                name=name,
                datatype="BYTES",
                shape=[len(elements)],
                contents=messages.InferTensorContents(bytes_contents=elements),
            )
            for name, elements in tensors
        ],
    )
    try:
        answer = service(channel).ModelInfer(request, timeout=timeout_seconds, metadata=metadata)
    except grpc.RpcError as error:
        raise CallFailed(_grpc_failure(error, timeout_seconds)) from error
    parameters = {name: value.string_param for name, value in answer.parameters.items()}
    if answer.raw_output_contents:
        pairs = zip(answer.outputs, answer.raw_output_contents, strict=True)
        return Inferred({output.name: _split(output.datatype, blob) for output, blob in pairs}, parameters)
    return Inferred({output.name: _contents(output) for output in answer.outputs}, parameters)


def to_base64(picture: bytes) -> str:
    """Return bytes as base64 text."""
    return base64.b64encode(picture).decode()


def _options_tensor(inference: Inference) -> dict[str, Any]:
    return {"name": "options", "datatype": "BYTES", "shape": [1], "data": [json.dumps(dict(inference.options))]}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    code = f"http_{response.status_code}"
    try:
        answer = response.json()
        sentence = str(answer["error"])
        code = str(answer.get("code", code))
    except (ValueError, KeyError, TypeError, AttributeError):
        sentence = " ".join(response.text.split())[:200] or response.reason_phrase
    raise CallFailed(Failure(code, sentence, response.status_code, response.headers.get("x-request-id")))


def _grpc_failure(error: Any, timeout_seconds: float | None) -> Failure:  # noqa: ANN401  # the Call that RpcErrors are
    trailers = dict(error.trailing_metadata() or ())
    name, code, sentence = error.code().name, trailers.get("error-code"), error.details() or ""
    if code is None and name == "DEADLINE_EXCEEDED":
        return Failure("timeout", no_answer_within(timeout_seconds))
    return Failure(code or f"grpc_{name.lower()}", sentence, name, trailers.get("x-request-id"))


def _from_json(output: Mapping[str, Any]) -> list[Any]:
    return [element.encode() if isinstance(element, str) else element for element in output["data"]]


def _contents(output: Any) -> list[Any]:  # noqa: ANN401  # kserve's message
    contents = output.contents
    return list(contents.int_contents if output.datatype == "INT32" else contents.bytes_contents)


def _read_binary(body: bytes, header_length: int) -> Inferred:
    header = json.loads(body[:header_length])
    outputs: dict[str, list[Any]] = {}
    begin = header_length
    for output in header["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            outputs[output["name"]] = _from_json(output)
            continue
        outputs[output["name"]] = _split(output.get("datatype", "BYTES"), body[begin : begin + size])
        begin += size
    return Inferred(outputs, header.get("parameters") or {})


def _split(datatype: str, blob: bytes) -> list[Any]:
    """Undo the layout of a tensor: numbers little-endian, and before each element of BYTES its length in four bytes."""
    if datatype == "INT32":
        return list(struct.unpack(f"<{len(blob) // 4}i", blob))
    elements = []
    begin = 0
    while begin < len(blob):
        (length,) = struct.unpack_from("<I", blob, begin)
        elements.append(blob[begin + 4 : begin + 4 + length])
        begin += 4 + length
    return elements
