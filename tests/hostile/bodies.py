"""Requests that lie: V1 texts, V2 bodies and messages, each with the code it is refused with and the field it names."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.hostile.files import small
from tests.serving.pictures import portrait
from tests.serving.wire import base64_text

PATH_TRICKS = (
    "../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1/",
    ".",
    "..",
    "a/../b",
    "nul\0byte",
    "-rf",
    "${HOME}",
    "%2e%2e%2f",
    "CON",
)
UNICODE = (
    "\u202egnp.exe",
    "e\u0301",
    "\u00e9",
    "\ufeff",
    "\u200b",
    "\U0001f469\u200d\U0001f680",
    "\ufffd",
    "\u2028",
    "ﬀ",
    "İ",
)


@dataclass(frozen=True)
class Body:
    """A REST request that is refused, or answered."""

    data: Callable[[], bytes] | bytes = dataclasses.field(repr=False)
    code: str = "invalid_request"
    field: str | None = None
    """What the error names; None where that is left open."""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def read(self) -> bytes:
        """Return the bytes, made when they are needed."""
        return self.data if isinstance(self.data, bytes) else self.data()


@cache
def picture() -> str:
    """A picture in base64."""
    return base64_text(small()["png"])


def fields(**values: Any) -> bytes:  # noqa: ANN401  # JSON
    """A swap of a portrait onto itself with other fields."""
    whole = {
        "image": base64_text(portrait()),
        "destinations": [{"name": "a", "image": base64_text(portrait())}],
    } | values
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def raw(text: str) -> bytes:
    """A swap with a piece of text as it stands among its fields."""
    return fields()[:-1] + b", " + text.encode("utf-8", "surrogatepass") + b"}"


OBJECTS = '{"b":' * 90 + "1" + "}" * 90
MANY_FIELDS = ",".join(f'"{number}":1' for number in range(90_000))


def named(*names: str) -> list[dict[str, str]]:
    """Destinations of these names."""
    return [{"name": name, "image": picture()} for name in names]


V1: dict[str, Body] = {
    "nothing": Body(b"", field=""),
    "a zero": Body(b"\0", field=""),
    "no utf-8": Body(b'{"image": "\xff\xfe"}', field=""),
    "utf-16": Body('{"image": ""}'.encode("utf-16"), field=""),
    "a byte order mark": Body(b"\xef\xbb\xbf" + fields(), field=""),
    "not closed": Body(fields()[:-1], field=""),
    "twice": Body(fields() * 2, field=""),
    "a number": Body(b"1e999", field=""),
    "lists in lists": Body(b"[" * 90_000, field=""),
    "more lists in lists than values are counted": Body(b"[" * 200_000, field=""),
    "objects in objects": Body(b'{"a":' * 90_000, field=""),
    "deep, and closed": Body(raw('"x": ' + "[" * 1000 + "]" * 1000), field=""),
    "deep enough to be looked at": Body(raw('"x": ' + "[" * 50 + "]" * 50), field="x"),
    "a million values": Body(b'{"image": [' + b"1," * 1_000_000 + b"1]}", field=""),
    "NaN": Body(raw('"restore": {"blend": NaN}'), field=""),
    "Infinity": Body(raw('"restore": {"blend": Infinity}'), field=""),
    "-Infinity": Body(raw('"upscale": -Infinity'), field=""),
    "1e999": Body(raw('"restore": {"blend": 1e999}')),
    "-1e999": Body(raw('"source_face_id": -1e999')),
    "1e-999": Body(raw('"source_face_id": 1e-999'), field="source_face_id"),
    "a face of many digits": Body(raw('"source_face_id": ' + "9" * 5000)),
    "a face beyond 64 bits": Body(raw('"source_face_id": 18446744073709551616'), field="source_face_id"),
    "a face beyond this picture": Body(raw('"source_face_id": 9223372036854775807'), "face_index_out_of_range"),
    "true for one": Body(fields(source_face_id=True), field="source_face_id"),
    "1.0 for 1": Body(fields(upscale=1.0), field="upscale"),
    "a text for a number": Body(fields(upscale="2"), field="upscale"),
    "10,000 pairs": Body(fields(pairs=[{"source_face_id": 1}] * 10_000), "too_many_items", "pairs"),
    "10,000 destinations": Body(fields(destinations=["a"] * 10_000), "too_many_items", "destinations"),
    "10,000 sources": Body(
        fields(image=..., sources=[{"name": "a", "image": ""}] * 10_000), "too_many_items", "sources"
    ),
    "10,000 instances": Body(json.dumps({"instances": [{}] * 10_000}).encode(), "too_many_items", "instances"),
    "a pair for every face twice": Body(fields(pairs=[{}, {}])),
    "pairs that are none": Body(fields(pairs=[1, None, "a"]), field="pairs[0]"),
    "a field given twice": Body(raw('"upscale": 1, "upscale": 2'), field="upscale"),
    "a field given twice, deep": Body(raw('"restore": {"blend": 1, "blend": 0}'), field="restore.blend"),
    "a field given twice, deep lists in the one that is dropped": Body(
        raw('"x": ' + "[" * 1000 + "]" * 1000 + ', "x": 1'), field=""
    ),
    "fields given twice, far below a name of 10 MB": Body(
        lambda: raw(f'"x": {{"{"x" * 10_000_000}": {OBJECTS}}}, "x": 1'), field="x"
    ),
    "many fields, one of them twice, below a name of 10 MB": Body(
        lambda: raw(f'"x": {{"{"x" * 10_000_000}": {{{MANY_FIELDS}}}}}, "x": 1'), field="x"
    ),
    "a picture given twice": Body(raw(f'"image": "{picture()}"'), field="image"),
    "a field given twice, written otherwise": Body(raw('"upsc\\u0061le": 1, "upscale": 2'), field="upscale"),
    "a field nobody knows": Body(raw('"__class__": {"__init__": 1}'), field="__class__"),
    "a field of 10 MB": Body(lambda: raw(f'"{"x" * 10_000_000}": 1')),
    "a name of 10 MB": Body(lambda: fields(destinations=named("x" * 10_000_000)), field="destinations[0].name"),
    "an empty name": Body(fields(destinations=named("")), field="destinations[0].name"),
    "a name twice": Body(fields(destinations=named("a", "a")), field="destinations"),
    "a lone surrogate": Body(raw('"output": "\\ud800"'), field=""),
    "a surrogate in utf-8": Body(raw('"output": "\ud800"'), field=""),
    "a name that is a path": Body(fields(destinations=["../../etc/passwd"]), "unknown_destination"),
    "a source by name": Body(fields(image="astronaut.png"), "invalid_base64", "image"),
    "an address": Body(fields(image="http://127.0.0.1:8080/metrics"), "invalid_base64", "image"),
    "a data address without data": Body(fields(image="data:image/png;base64,"), "invalid_base64", "image"),
    "a data address without comma": Body(fields(image="data:image/png;base64" + "A" * 4000), "invalid_base64", "image"),
    "one letter of base64": Body(fields(image="A"), "invalid_base64", "image"),
    "padding only": Body(fields(image="===="), "invalid_base64", "image"),
    "padding in the middle": Body(fields(image="QUJD=QUJD"), "invalid_base64", "image"),
    "both alphabets at once": Body(fields(image="+/-_" * 100), "undecodable_image", "image"),
    "white space only": Body(fields(image=" \n\t" * 1000), "invalid_base64", "image"),
    "letters beyond ASCII": Body(fields(image="\u0410" * 100), "invalid_base64", "image"),
    "a zero in base64": Body(fields(image="QUJD\0QUJD"), "invalid_base64", "image"),
    "16 MB of padding": Body(lambda: fields(image="QUJD" + "=" * 16_000_000), "undecodable_image", "image"),
    "16 MB of white space": Body(lambda: fields(image="QU" + " " * 16_000_000 + "JD"), "undecodable_image", "image"),
}


def tensor(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    """A tensor of one picture with other entries; `...` leaves one out."""
    whole = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [picture()]} | changes
    return {name: value for name, value in whole.items() if value is not ...}


def v2(*tensors: Any, **more: Any) -> bytes:  # noqa: ANN401  # JSON
    """A V2 body."""
    return json.dumps({"inputs": list(tensors) or [tensor()], **more}).encode()


def binary(size: object, tail: bytes, **more: Any) -> Body:  # noqa: ANN401  # JSON
    """A V2 body with raw rows behind, of a size that is claimed for them."""
    head = v2(tensor(data=..., parameters={"binary_data_size": size}), **more)
    return Body(head + tail, headers={"inference-header-content-length": str(len(head))})


def row(data: bytes) -> bytes:
    """A row of a raw tensor."""
    return struct.pack("<I", len(data)) + data


PNG_ROW = row(small()["png"])
V2: dict[str, Body] = {
    "nothing": Body(b"", field=""),
    "no inputs": Body(v2(inputs=[]), field="inputs"),
    "inputs that are none": Body(v2(inputs={"image": 1}), field="inputs"),
    "a tensor that is none": Body(v2(7), field="inputs[0]"),
    "a tensor nobody knows": Body(v2(tensor(name="x" * 1000))),
    "a tensor twice": Body(v2(tensor(), tensor()), field="image"),
    "10,000 tensors": Body(v2(*[tensor(name="image", data=["QUJD"])] * 10_000), field="image"),
    "numbers for bytes": Body(v2(tensor(datatype="FP32", data=[1.0])), field="inputs[0].data"),
    "another datatype": Body(v2(tensor(datatype="UINT8")), field="image"),
    "a datatype of 10 MB": Body(lambda: v2(tensor(datatype="x" * 10_000_000)), field="image"),
    "no shape": Body(v2(tensor(shape=...)), field="inputs[0].shape"),
    "an empty shape": Body(v2(tensor(shape=[])), field="image"),
    "a negative shape": Body(v2(tensor(shape=[-1])), field="image"),
    "a huge shape": Body(v2(tensor(shape=[2**62])), field="image"),
    "a shape of many sides": Body(v2(tensor(shape=[1] * 10_000)), field="image"),
    "a shape of true": Body(v2(tensor(shape=[True])), field="image"),
    "rows in rows": Body(v2(tensor(data=[[[picture()]]])), field="inputs[0].data"),
    "no rows": Body(v2(tensor(shape=[0], data=[])), field="image"),
    "too many rows": Body(v2(tensor(shape=[33], data=[picture()] * 33)), "too_many_items", "image"),
    "options that are no text": Body(v2(tensor(), tensor(name="options", data=["[]"])), field="options"),
    "options twice": Body(v2(tensor(), tensor(name="options", shape=[2], data=["{}", "{}"])), field="options"),
    "NaN in options": Body(v2(tensor(), tensor(name="options", data=['{"x": NaN}'])), field="options"),
    "a field twice in options": Body(
        v2(tensor(), tensor(name="options", data=['{"upscale": 2, "upscale": 4}'])), field="options.upscale"
    ),
    "a field twice in the body": Body(v2()[:-1] + b', "id": "a", "id": "b"}', field="id"),
    "a parameter nobody knows": Body(v2(parameters={"x": 1}), field="x"),
    "huge parameters": Body(lambda: v2(parameters={f"x{number}": "y" * 100 for number in range(20_000)}), field="x0"),
    "deep parameters": Body(v2(parameters={"x": {"y": {}}}), field="parameters"),
    "a nested parameter that is no JSON": Body(v2(parameters={"restore": "{"}), field="restore"),
    "a million outputs": Body(lambda: v2(outputs=[{"name": "faces"}] * 49_000)),
    "an output twice": Body(v2(outputs=[{"name": "faces"}] * 2), field="outputs"),
    "an output nobody knows": Body(v2(outputs=[{"name": "x" * 100_000}]), field="outputs"),
    "a size below zero": binary(-1, PNG_ROW),
    "a size beyond the end": binary(len(PNG_ROW) + 1, PNG_ROW),
    "a size beyond all": binary(2**63, PNG_ROW),
    "a size of a half": binary(1.5, PNG_ROW),
    "a size of true": binary(True, PNG_ROW),  # noqa: FBT003  # what a client may write
    "a size that ends within": binary(len(PNG_ROW) - 1, PNG_ROW),
    "bytes that nobody claims": binary(len(PNG_ROW), PNG_ROW + b"more"),
    "two that claim the same bytes": Body(
        (
            head := v2(
                *[tensor(name=n, data=..., parameters={"binary_data_size": len(PNG_ROW)}) for n in ("image", "options")]
            )
        )
        + PNG_ROW,
        headers={"inference-header-content-length": str(len(head))},
    ),
    "a row beyond the end": binary(8, struct.pack("<I", 2**32 - 1) + b"abcd"),
    "a million empty rows": binary(4_000_000, bytes(4_000_000)),
    "a head longer than the body": Body(v2(), headers={"inference-header-content-length": "1000000"}),
    "a head of no digits": Body(v2(), headers={"inference-header-content-length": "-1"}),
    "a head of thousands of digits": Body(v2(), headers={"inference-header-content-length": "9" * 5000}),
    "a head of another script": Body(
        v2(), headers={"inference-header-content-length": "\u0661".encode().decode("latin-1")}
    ),
    "a head of nothing": Body(v2(), headers={"inference-header-content-length": "0"}),
}


def message(*rows: bytes, **changes: Any) -> pb.ModelInferRequest:  # noqa: ANN401  # protobuf's fields
    """A gRPC request of one picture in raw contents, with other fields."""
    request = pb.ModelInferRequest(model_name="faceswap-detect", raw_input_contents=list(rows) or [PNG_ROW])
    request.inputs.add(name="image", datatype="BYTES", shape=[1])
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def _with_parameter(value: str | None) -> pb.ModelInferRequest:
    request = message()
    if value is None:
        request.parameters["x"].SetInParent()
    else:
        request.parameters["restore"].string_param = value
    return request


def _typed(**contents: Any) -> pb.ModelInferRequest:  # noqa: ANN401  # protobuf's fields
    request = pb.ModelInferRequest(model_name="faceswap-detect")
    request.inputs.add(name="image", datatype="BYTES", shape=[1], contents=pb.InferTensorContents(**contents))
    return request


def _with_outputs(count: int) -> pb.ModelInferRequest:
    request = message()
    for _ in range(count):
        request.outputs.add(name="faces")
    return request


MESSAGES: dict[str, tuple[Callable[[], pb.ModelInferRequest], str]] = {
    "no model": (lambda: message(model_name=""), "unknown_model"),
    "a model of 10 MB": (lambda: message(model_name="x" * 10_000_000), "unknown_model"),
    "a model of many signs": (lambda: message(model_name="\U0001f600" * 10_000), "unknown_model"),
    "a model that is a path": (lambda: message(model_name="../faceswap"), "unknown_model"),
    "a version of 10 MB": (lambda: message(model_version="x" * 10_000_000), "not_supported"),
    "no inputs": (lambda: pb.ModelInferRequest(model_name="faceswap-detect"), "invalid_request"),
    "more contents than inputs": (lambda: message(PNG_ROW, PNG_ROW), "invalid_request"),
    "contents without inputs": (
        lambda: pb.ModelInferRequest(model_name="faceswap-detect", raw_input_contents=[PNG_ROW]),
        "invalid_request",
    ),
    "an empty content": (lambda: message(b""), "invalid_request"),
    "a content that ends within a length": (lambda: message(b"\1\0"), "invalid_request"),
    "a content that ends within a row": (lambda: message(struct.pack("<I", 2**32 - 1)), "invalid_request"),
    "a million empty rows": (lambda: message(bytes(4_000_000)), "invalid_request"),
    "floats": (lambda: _typed(fp32_contents=[1.0] * 1000), "invalid_request"),
    "both kinds of contents": (lambda: _typed(bytes_contents=[b"x"], int_contents=[1]), "invalid_request"),
    "too many rows": (lambda: _typed(bytes_contents=[small()["png"]] * 2), "invalid_request"),
    "a parameter of no kind": (lambda: _with_parameter(None), "ok"),
    "a parameter that is deep": (lambda: _with_parameter("[" * 90_000), "invalid_request"),
    "an output twice": (lambda: _with_outputs(2), "invalid_request"),
    "a million outputs": (lambda: _with_outputs(1_000_000), "invalid_request"),
    "an id of 10 MB": (lambda: message(id="x" * 10_000_000), "ok"),
}
