"""V2 tensors as bytes: KServe's REST JSON, its binary extension and gRPC, read and written without losing raw bytes.

KServe 0.21 forces the text of a BYTES tensor through UTF-8 on REST, so a raw JPEG cannot pass (trap T3);
here rows stay bytes from the socket to the codec.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import orjson

from predictor.errors import InvalidField
from predictor.serving.jsontext import MOST_VALUES, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Parameters: TypeAlias = dict[str, str | bool | int | float]
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class InputTensor:
    """One BYTES tensor of a request."""

    name: str
    rows: list[bytes | str] = field(repr=False)
    """Bytes from raw forms, text from JSON."""
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output the client asked for, and whether in binary form; None leaves that to the request."""

    name: str
    binary: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class TensorRequest:
    """A V2 request, whichever way it came."""

    id: str
    inputs: Sequence[InputTensor]
    parameters: Parameters
    outputs: Sequence[RequestedOutput] | None
    """None asks for all."""
    binary_outputs: bool
    """Whether outputs are binary where they do not say."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputTensor:
    """One tensor of an answer, shape [len(rows)]."""

    name: str
    datatype: str
    """BYTES or INT32."""
    rows: Sequence[bytes | int] = field(repr=False)
    text: bool = True
    """Whether BYTES rows are text, so that JSON can carry them."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorAnswer:
    """A V2 answer before it takes the form of a protocol."""

    model_name: str
    id: str
    outputs: Sequence[OutputTensor]
    parameters: Parameters = field(default_factory=dict)


def read_rest(body: bytes, json_length: str | None) -> TensorRequest:
    """Read a V2 REST body.

    Args:
        body: JSON, or JSON with raw tensors behind it.
        json_length: The header `Inference-Header-Content-Length`; None where all is JSON.

    Raises:
        InvalidField: It is not JSON, or not of V2's shape.
    """
    length = _json_length(json_length, len(body))
    request = parse_json(body[:length])
    if not isinstance(request, dict):
        raise InvalidField("", "the body is not a JSON object")
    # KServe's own client repeats the model's name here.
    _refuse_unknown("", request, {"id", "model_name", "parameters", "inputs", "outputs"})
    parameters = _parameters("parameters", request.get("parameters"))
    inputs = _read_inputs(request.get("inputs"), memoryview(body)[length:])
    return TensorRequest(
        id=_text("id", "" if request.get("id") is None else request["id"]),
        inputs=inputs,
        parameters=parameters,
        outputs=_read_requested(request.get("outputs")),
        binary_outputs=_flag("parameters", parameters, "binary_data_output") is True,
    )


def select(request: TensorRequest, outputs: Sequence[OutputTensor]) -> list[tuple[OutputTensor, bool]]:
    """Return the outputs the client asked for, each with whether it goes in binary form.

    Raises:
        InvalidField: There is no output of that name, it is asked for twice, or raw bytes were asked for as JSON.
    """
    if request.outputs is None:
        chosen = [(output, request.binary_outputs) for output in outputs]
    else:
        by_name = {output.name: output for output in outputs}
        chosen = []
        if len({asked.name for asked in request.outputs}) < len(request.outputs):
            raise InvalidField("outputs", "an output is asked for twice")
        for asked in request.outputs:
            if asked.name not in by_name:
                raise InvalidField("outputs", f"no output is named {asked.name!r}; there are {', '.join(by_name)}")
            binary = request.binary_outputs if asked.binary is None else asked.binary
            chosen.append((by_name[asked.name], binary))
    for output, binary in chosen:
        if not output.text and not binary:
            raise InvalidField(
                "outputs", f"{output.name} is raw bytes, which JSON cannot carry: ask for binary_data, or send base64"
            )
    return chosen


def write_rest(answer: TensorAnswer, chosen: Sequence[tuple[OutputTensor, bool]]) -> tuple[bytes, int | None]:
    """Return the body of a V2 REST answer, and the length of its JSON where raw tensors follow it."""
    described = []
    raw: list[bytes] = []
    for output, binary in chosen:
        entry: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": [len(output.rows)]}
        if binary:
            raw.append(serialized(output))
            entry["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            entry["data"] = [row.decode() if isinstance(row, bytes) else row for row in output.rows]
        described.append(entry)
    head: dict[str, Any] = {"model_name": answer.model_name, "model_version": "1", "id": answer.id}
    if answer.parameters:
        head["parameters"] = answer.parameters
    text = orjson.dumps({**head, "outputs": described})
    return (b"".join([text, *raw]), len(text)) if raw else (text, None)


def serialized(output: OutputTensor) -> bytes:
    """Return a tensor in V2's raw form: INT32 little-endian; BYTES each behind its length, 4 bytes little-endian."""
    if output.datatype == "INT32":
        return np.asarray(output.rows, "<i4").tobytes()
    parts: list[bytes] = []
    for row in output.rows:
        data = row if isinstance(row, bytes) else str(row).encode()
        parts += [_LENGTH.pack(len(data)), data]
    return b"".join(parts)


def deserialized(name: str, raw: bytes | memoryview) -> list[bytes | str]:
    """Return the rows of a BYTES tensor from V2's raw form.

    Raises:
        InvalidField: A length points beyond the end, or there are very many.
    """
    rows: list[bytes | str] = []
    offset = 0
    while offset < len(raw):
        if len(rows) == MOST_VALUES:  # empty rows take four bytes each, and seconds in all
            raise InvalidField(name, f"more than {MOST_VALUES:,} rows")
        if offset + _LENGTH.size > len(raw):
            raise InvalidField(name, "the raw tensor ends inside a length")
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += _LENGTH.size
        if offset + length > len(raw):
            raise InvalidField(name, "the raw tensor ends inside a row")
        rows.append(bytes(raw[offset : offset + length]))
        offset += length
    return rows


def checked_tensor(
    name: str, datatype: str, shape: Sequence[object], rows: list[bytes | str], parameters: Parameters
) -> InputTensor:
    """Return a tensor whose type, shape and number of rows agree.

    Raises:
        InvalidField: They do not.
    """
    if datatype != "BYTES":
        raise InvalidField(name, f"datatype {datatype} is not taken; send BYTES")
    sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool)]
    if len(sizes) != len(shape) or not (len(sizes) == 1 or sizes[1:] == [1]):
        raise InvalidField(name, "expected a shape of [N] or [N, 1]")
    if sizes[0] != len(rows):
        raise InvalidField(name, f"the shape says {sizes[0]} rows, there are {len(rows)}")
    return InputTensor(name, rows, parameters)


def _json_length(header: str | None, available: int) -> int:
    if header is None:
        return available
    short_enough = len(header) <= len(str(available))  # int() takes no text of thousands of digits
    if not (short_enough and header.isascii() and header.isdigit() and int(header) <= available):
        raise InvalidField("Inference-Header-Content-Length", "expected a length not beyond the body's end")
    return int(header)


def _read_inputs(inputs: object, raw: memoryview) -> list[InputTensor]:
    if not isinstance(inputs, list) or not inputs:
        raise InvalidField("inputs", "expected a list with at least one tensor")
    tensors = []
    for index, entry in enumerate(inputs):
        tensor, used = _read_input(f"inputs[{index}]", entry, raw)
        raw = raw[used:]
        tensors.append(tensor)
    if len(raw):
        raise InvalidField("inputs", f"{len(raw)} bytes follow the last tensor")
    return tensors


def _read_input(place: str, entry: object, raw: memoryview) -> tuple[InputTensor, int]:
    if not isinstance(entry, dict):
        raise InvalidField(place, "expected an object")
    _refuse_unknown(f"{place}.", entry, {"name", "shape", "datatype", "parameters", "data"})
    name, datatype = _text(f"{place}.name", entry.get("name")), _text(f"{place}.datatype", entry.get("datatype"))
    shape = entry.get("shape")
    if not isinstance(shape, list):
        raise InvalidField(f"{place}.shape", "expected a list of numbers")
    parameters = _parameters(f"{place}.parameters", entry.get("parameters"))
    size = parameters.pop("binary_data_size", None)
    if size is None:
        return checked_tensor(name, datatype, shape, _json_rows(f"{place}.data", entry.get("data")), parameters), 0
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(raw):
        raise InvalidField(f"{place}.parameters.binary_data_size", "expected a size not beyond the body's end")
    if "data" in entry:
        raise InvalidField(f"{place}.data", "not together with binary_data_size")
    return checked_tensor(name, datatype, shape, deserialized(name, raw[:size]), parameters), size


def _json_rows(place: str, data: object) -> list[bytes | str]:
    if not isinstance(data, list):
        raise InvalidField(place, "expected a list of texts")
    rows: list[bytes | str] = []
    for row in data:
        # Shape [N, 1] may come nested, as the protocol allows.
        value = row[0] if isinstance(row, list) and len(row) == 1 else row
        if not isinstance(value, str):
            raise InvalidField(place, "expected a list of texts")
        rows.append(value)
    return rows


def _read_requested(outputs: object) -> list[RequestedOutput] | None:
    if outputs is None:
        return None
    if not isinstance(outputs, list):
        raise InvalidField("outputs", "expected a list")
    requested = []
    for index, entry in enumerate(outputs):
        place = f"outputs[{index}]"
        if not isinstance(entry, dict):
            raise InvalidField(place, "expected an object")
        _refuse_unknown(f"{place}.", entry, {"name", "parameters"})
        parameters = _parameters(f"{place}.parameters", entry.get("parameters"))
        _refuse_unknown(f"{place}.parameters.", parameters, {"binary_data"})
        binary = _flag(f"{place}.parameters", parameters, "binary_data")
        requested.append(RequestedOutput(_text(f"{place}.name", entry.get("name")), binary))
    return requested or None


def _flag(place: str, parameters: Parameters, name: str) -> bool | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidField(f"{place}.{name}", "expected true or false")
    return value


def _parameters(place: str, value: object) -> Parameters:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(one, str | bool | int | float) for one in value.values()):
        raise InvalidField(place, "expected an object of texts, numbers, true and false")
    return dict(value)


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidField(place, "expected a text")
    return value


def _refuse_unknown(place: str, entry: Mapping[str, object], known: set[str]) -> None:
    for name in entry:
        if name not in known:
            raise InvalidField(f"{place}{name}", "unknown field")
