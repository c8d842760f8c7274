"""One swap, asked for over each protocol the predictor speaks: V1, V2 REST as JSON and as binary, V2 gRPC.

Written against the wire formats only, so that what works here works from any language.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from predictor.errors import PredictorError

if TYPE_CHECKING:
    import grpc
    import httpx

_BINARY_HEADER = "Inference-Header-Content-Length"


class CallFailed(PredictorError):
    """The predictor answered with an error."""

    def __init__(self, status: int | str, sentence: str) -> None:
        super().__init__(f"the predictor answered {status}: {sentence}", status=status)


@dataclass(frozen=True, slots=True)
class Swap:
    """What is asked for."""

    source: bytes
    """The picture that gives the face."""
    destinations: Sequence[bytes] = ()
    """Pictures that receive it; none means every picture the server has preloaded."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The V1 fields that are no pictures, by their V1 names."""
    model: str = "faceswap"


@dataclass(frozen=True, slots=True)
class Swapped:
    """One picture that came back."""

    destination_name: str
    picture: bytes


CallSwap: TypeAlias = Callable[[Swap], list[Swapped]]


def swap_over_v1(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v1/models/NAME:predict`: one JSON object, pictures as base64."""
    body: dict[str, Any] = {"image": _to_base64(swap.source), **swap.options}
    if swap.destinations:
        body["destinations"] = [
            {"name": f"destination {number}", "image": _to_base64(picture)}
            for number, picture in enumerate(swap.destinations, start=1)
        ]
    answer = _checked(http.post(f"/v1/models/{swap.model}:predict", json=body)).json()
    return [
        Swapped(picture["destination_name"], base64.b64decode(picture["image_data"]))
        for picture in answer["swapped_images"]
    ]


def swap_over_v2_json(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v2/models/NAME/infer` in JSON alone: pictures as base64 text."""
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [len(elements)], "data": [_to_base64(each) for each in elements]}
        for name, elements in _pictures(swap)
    ]
    body = {"inputs": [*inputs, _options_tensor(swap)]}
    answer = _checked(http.post(f"/v2/models/{swap.model}/infer", json=body)).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    return [
        Swapped(name, base64.b64decode(picture))
        for name, picture in zip(outputs["destination_name"], outputs["image"], strict=True)
    ]


def swap_over_v2_binary(http: httpx.Client, swap: Swap) -> list[Swapped]:
    """Ask `/v2/models/NAME/infer` with the binary extension: a JSON header, then the pictures as they are."""
    inputs, blobs = [], []
    for name, elements in _pictures(swap):
        blob = b"".join(struct.pack("<I", len(each)) + each for each in elements)
        parameters = {"binary_data_size": len(blob)}
        inputs.append({"name": name, "datatype": "BYTES", "shape": [len(elements)], "parameters": parameters})
        blobs.append(blob)
    header = {"inputs": [*inputs, _options_tensor(swap)], "parameters": {"binary_data_output": True}}
    header_bytes = json.dumps(header).encode()
    response = _checked(
        http.post(
            f"/v2/models/{swap.model}/infer",
            content=b"".join([header_bytes, *blobs]),
            headers={"Content-Type": "application/octet-stream", _BINARY_HEADER: str(len(header_bytes))},
        )
    )
    outputs = _read_binary_outputs(response.content, int(response.headers[_BINARY_HEADER]))
    return _swapped(outputs)


def swap_over_grpc(channel: grpc.Channel, swap: Swap) -> list[Swapped]:
    """Ask `GRPCInferenceService.ModelInfer`: pictures as they are.

    The channel must take answers of any size (`grpc.max_receive_message_length` of -1); gRPC's own limit is 4 MiB.
    """
    import grpc  # noqa: PLC0415  # the stubs load all of kserve: seconds that REST callers need not wait
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages  # noqa: PLC0415
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub  # noqa: PLC0415

    tensors = [*_pictures(swap), ("options", [json.dumps(dict(swap.options)).encode()])]
    request = messages.ModelInferRequest(
        model_name=swap.model,
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
        answer = GRPCInferenceServiceStub(channel).ModelInfer(request)
    except grpc.RpcError as error:
        raise CallFailed(error.code().name, error.details() or "") from error
    if answer.raw_output_contents:
        blobs = answer.raw_output_contents
        return _swapped({output.name: _split(blob) for output, blob in zip(answer.outputs, blobs, strict=True)})
    return _swapped({output.name: list(output.contents.bytes_contents) for output in answer.outputs})


def detect(http: httpx.Client, picture: bytes, model: str = "faceswap-detect") -> list[dict[str, Any]]:
    """Ask which faces a picture has, left to right, as V1 answers: id, box, landmarks, score."""
    answer = _checked(http.post(f"/v1/models/{model}:predict", json={"image": _to_base64(picture)}))
    faces: list[dict[str, Any]] = answer.json()["faces"]
    return faces


def _pictures(swap: Swap) -> list[tuple[str, Sequence[bytes]]]:
    tensors: list[tuple[str, Sequence[bytes]]] = [("image", [swap.source])]
    if swap.destinations:
        tensors.append(("destination", swap.destinations))
    return tensors


def _options_tensor(swap: Swap) -> dict[str, Any]:
    return {"name": "options", "datatype": "BYTES", "shape": [1], "data": [json.dumps(dict(swap.options))]}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        sentence = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        sentence = response.text[:200]
    raise CallFailed(response.status_code, sentence)


def _read_binary_outputs(body: bytes, header_length: int) -> dict[str, list[bytes]]:
    header = json.loads(body[:header_length])
    outputs: dict[str, list[bytes]] = {}
    begin = header_length
    for output in header["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            outputs[output["name"]] = [str(element).encode() for element in output["data"]]
            continue
        outputs[output["name"]] = _split(body[begin : begin + size])
        begin += size
    return outputs


def _split(blob: bytes) -> list[bytes]:
    """Undo the BYTES layout: a little-endian length of four bytes before each element."""
    elements = []
    begin = 0
    while begin < len(blob):
        (length,) = struct.unpack_from("<I", blob, begin)
        elements.append(blob[begin + 4 : begin + 4 + length])
        begin += 4 + length
    return elements


def _swapped(outputs: Mapping[str, Sequence[bytes]]) -> list[Swapped]:
    return [
        Swapped(name.decode(), picture)
        for name, picture in zip(outputs["destination_name"], outputs["image"], strict=True)
    ]


def _to_base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
