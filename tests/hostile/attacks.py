"""Requests that nobody would think of: drawn by hypothesis from good ones, their pictures, texts and bytes damaged."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import hypothesis
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.hostile.bodies import PATH_TRICKS, UNICODE
from tests.hostile.files import small
from tests.serving.pictures import portrait
from tests.serving.wire import base64_text

Draw = Any
MODELS = ("faceswap", "faceswap-enhance", "faceswap-detect")


@dataclass(frozen=True)
class Attack:
    """One request, as its bytes are on the wire."""

    protocol: Literal["v1", "v2", "grpc"]
    model: str
    data: bytes
    json_length: str | None = None


def fuzz(count: int, seed: int, take: Callable[[Attack], None]) -> None:
    """Give that many attacks to a function; the same seed draws the same ones."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(ATTACKS)
    def run(attack: Attack) -> None:
        take(attack)

    run()


# ── damage ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_NUMBERS = (
    0,
    1,
    2,
    7,
    0x7F,
    0x80,
    0xFF,
    0x100,
    8000,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_STEP = struct.Struct("<BHBB")


def damaged(data: bytes, program: bytes, others: tuple[bytes, ...] = ()) -> bytes:
    """Return bytes changed as a program says: five bytes a step, which one, where, what, and how many.

    Beginnings are hit more often than the rest: that is where lengths and sides stand.
    """
    for start in range(0, len(program) - len(program) % _STEP.size, _STEP.size):
        kind, place, value, length = _STEP.unpack_from(program, start)
        reach = min(len(data), 160) if kind & 0x80 else len(data)
        where = place % (reach + 1)
        data = _STEPS[kind % len(_STEPS)](data, where, value, length, others)
    return data


def _set(data: bytes, where: int, value: int, _length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where] + bytes([value]) + data[where + 1 :]


def _flip(data: bytes, where: int, value: int, _length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where] + bytes(byte ^ (1 << value % 8) for byte in data[where : where + 1]) + data[where + 1 :]


def _number(data: bytes, where: int, value: int, length: int, _others: tuple[bytes, ...]) -> bytes:
    size = (2, 4)[length & 1]
    number = _NUMBERS[value % len(_NUMBERS)] % (1 << 8 * size)
    written = number.to_bytes(size, "little" if length & 2 else "big")
    return data[:where] + written + data[where + size :]


def _leave_out(data: bytes, where: int, _value: int, length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where] + data[where + length :]


def _repeat(data: bytes, where: int, value: int, length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where] + data[where : where + length] * (value % 16) + data[where:]


def _insert(data: bytes, where: int, value: int, length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where] + bytes([value]) * length + data[where:]


def _cut(data: bytes, where: int, _value: int, _length: int, _others: tuple[bytes, ...]) -> bytes:
    return data[:where]


def _splice(data: bytes, where: int, value: int, length: int, others: tuple[bytes, ...]) -> bytes:
    other = others[value % len(others)] if others else data
    return data[:where] + other[length % (len(other) + 1) :]


_STEPS = (_set, _flip, _number, _number, _leave_out, _repeat, _insert, _cut, _splice)
_PROGRAMS = st.binary(max_size=4 * _STEP.size)
_FILES = (*small().values(), portrait())


@st.composite
def pictures(draw: Draw) -> bytes:
    """A picture, whole or damaged, or bytes that are none."""
    if draw(st.integers(0, 19)) == 0:
        return bytes(draw(st.binary(max_size=200)))
    file: bytes = draw(st.sampled_from(_FILES))
    return damaged(file, draw(_PROGRAMS), _FILES)


# ── what a field may hold ─────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = (
    0,
    -1,
    1,
    2,
    3,
    4,
    0.5,
    1.0,
    -0.0,
    1e308,
    1e-308,
    float("nan"),
    float("inf"),
    2**31,
    2**53,
    2**63,
    2**64,
    10**40,
)
TEXTS = (
    "",
    "all",
    "a",
    "same",
    "png",
    "webp",
    "jpeg",
    "sharpen",
    "gfpgan_1.4",
    "x" * 129,
    "{",
    "[1]",
    *PATH_TRICKS,
    *UNICODE,
)
THINGS: tuple[object, ...] = (
    None,
    True,
    False,
    *NUMBERS,
    *TEXTS,
    [],
    {},
    [[]],
    [None] * 200,
    {"a": {"b": []}},
    {"": ""},
)
values = st.sampled_from(THINGS) | st.text(max_size=20) | st.integers() | st.floats()
pairs = st.lists(
    st.dictionaries(st.sampled_from(("source", "source_face_id", "destination_face_id", "x")), values, max_size=3),
    max_size=3,
)
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "source_face_id": values,
    "destination_face_id": values,
    "pairs": pairs | values,
    "restore": st.dictionaries(st.sampled_from(("model", "blend", "x")), values, max_size=2) | values,
    "upscale": st.sampled_from((1, 2, 4)) | values,
    "output": st.dictionaries(st.sampled_from(("format", "quality", "x")), values, max_size=2) | values,
    "report": st.booleans() | values,
    "sources": values,
    "destinations": values,
    "instances": values,
    "image": values,
    "x": values,
}
wild = st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
)
tame = st.fixed_dictionaries(
    {},
    optional={
        "restore": st.booleans(),
        "upscale": st.sampled_from((1, 2, 4)),
        "output": st.fixed_dictionaries({"format": st.sampled_from(("same", "jpeg", "png", "webp"))}),
        "report": st.booleans(),
    },
)
options = st.integers(0, 3).flatmap(lambda kind: (st.just({}), st.just({}), tame, wild)[kind])


@st.composite
def base64_pictures(draw: Draw) -> str:
    """A picture as base64, or what is nearly that."""
    text = base64_text(draw(pictures()))
    kind = draw(st.integers(0, 11))
    if kind == 0:
        return "data:image/png;base64," + text
    if kind == 1:
        return text.replace("+", "-").replace("/", "_").rstrip("=")
    if kind == 2:
        return damaged(text.encode(), draw(_PROGRAMS)).decode("latin-1")
    return text


@st.composite
def v1(draw: Draw) -> Attack:
    """A V1 request."""
    model: str = draw(st.sampled_from(MODELS))
    body: dict[str, Any] = {"image": draw(base64_pictures())}
    if model == "faceswap":
        names = draw(st.lists(st.sampled_from(TEXTS[1:]), min_size=1, max_size=2, unique=True))
        body["destinations"] = [{"name": name, "image": draw(base64_pictures())} for name in names]
    body |= draw(options)
    if draw(st.integers(0, 5)) == 0:
        body = {"instances": [body, *draw(st.lists(values, max_size=2))]}
    return Attack("v1", model, _text(draw, body))


def _text(draw: Draw, body: object) -> bytes:
    """JSON, as it is, or with bytes that are not."""
    text = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return damaged(text, draw(_PROGRAMS))
    if kind == 1 and text.startswith(b"{") and len(text) > 2:  # a field twice, or one more
        name = json.dumps(draw(st.sampled_from(sorted(FIELDS))))
        return text[:-1] + f", {name}: {json.dumps(draw(values))}}}".encode("utf-8", "surrogatepass")
    return text


_TENSORS = {
    model: st.sampled_from(
        (["image"], ["image"], ["image", "options"], ["image", *more], ["image", *more], ["image", "image"])
    )
    for model, more in zip(MODELS, (["destination"], [], []), strict=True)
}
_LIES = st.sampled_from((*[0] * 12, 1, -1, -5, 2**40))
_SHAPES = st.sampled_from((*[[1]] * 12, [1, 1], [], [-1], [2**62]))


@st.composite
def v2(draw: Draw) -> Attack:
    """A V2 request on REST, its pictures as base64 or as raw bytes behind the JSON."""
    model, raw = draw(st.sampled_from(MODELS)), draw(st.booleans())
    tensors, tail = [], b""
    for name in draw(_TENSORS[model]):
        tensor: dict[str, Any] = {"name": name, "shape": [1], "datatype": "BYTES"}
        if name == "options":
            tensor["data"] = [json.dumps(draw(options))]
        elif raw:
            rows = struct.pack("<I", len(picture := draw(pictures()))) + picture
            tensor["parameters"] = {"binary_data_size": len(rows) + draw(_LIES)}
            tail += rows
        else:
            tensor["data"] = [draw(base64_pictures())]
        if draw(st.integers(0, 9)) == 0:
            entry = draw(st.sampled_from(("name", "shape", "datatype", "data", "parameters", "x")))
            tensor[entry] = draw(values | st.lists(values, max_size=2))
        tensors.append(tensor)
    body: dict[str, Any] = {"inputs": tensors}
    if draw(st.integers(0, 2)) == 0:
        body["parameters"] = draw(options | values)
    if draw(st.integers(0, 5)) == 0:
        outputs = st.sampled_from(("image", "faces", "width", "report", "x"))
        flags = st.fixed_dictionaries({"binary_data": st.booleans() | values})
        body["outputs"] = [{"name": draw(outputs), "parameters": draw(flags)} for _ in range(draw(st.integers(0, 3)))]
    text = _text(draw, body)
    length = str(len(text)) if raw else None
    if draw(st.integers(0, 19)) == 0:
        length = draw(st.sampled_from(("-1", "0", "9" * 40, "x", "1e3", str(len(text) // 2))))
    return Attack("v2", model, text + tail, length)


@st.composite
def grpc(draw: Draw) -> Attack:
    """A message, as it is, or with bytes that are not."""
    request = pb.ModelInferRequest(model_name=draw(st.sampled_from((*MODELS * 5, "x", ""))))
    raw = draw(st.booleans())
    for name in draw(_TENSORS.get(request.model_name, _TENSORS["faceswap"])):
        data = json.dumps(draw(options)).encode("utf-8", "surrogatepass") if name == "options" else draw(pictures())
        datatype = draw(st.sampled_from((*["BYTES"] * 12, "FP32")))
        tensor = request.inputs.add(name=name, datatype=datatype, shape=draw(_SHAPES))
        if raw:
            request.raw_input_contents.append(struct.pack("<I", len(data)) + data)
        else:
            tensor.contents.bytes_contents.append(data)
        if draw(st.integers(0, 7)) == 0:
            kind = draw(st.sampled_from(("base64", "image/png", "text/plain", "")))
            tensor.parameters["content_type"].string_param = kind
    for name, value in draw(options).items():
        _set_parameter(request.parameters[name], value)
    if draw(st.integers(0, 7)) == 0:
        for name in draw(st.lists(st.sampled_from(("faces", "image", "x")), max_size=2)):
            request.outputs.add(name=name)
    data = request.SerializeToString()
    return Attack("grpc", request.model_name, damaged(data, draw(_PROGRAMS)) if draw(st.integers(0, 4)) == 0 else data)


def _set_parameter(parameter: pb.InferParameter, value: object) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = max(-(2**63), min(value, 2**63 - 1))
    elif isinstance(value, str):
        parameter.string_param = value.encode("utf-8", "replace").decode()
    elif value is not None:
        parameter.string_param = json.dumps(value)
    else:
        parameter.SetInParent()


ATTACKS = v1() | v2() | grpc()
