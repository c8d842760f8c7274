"""V1 bodies and V2 tensors into requests without a protocol, for each of the three models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from predictor.errors import InvalidField
from predictor.requests import DetectRequest, EncodedPicture, EnhanceRequest, SwapRequest
from predictor.serving.base64text import decode_base64
from predictor.serving.jsontext import parse_json
from predictor.serving.limits import check_count
from predictor.serving.schema import (
    DetectBody,
    DetectFields,
    EnhanceBody,
    EnhanceFields,
    NamedImage,
    SwapBody,
    SwapTensorOptions,
    validated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.serving.tensors import InputTensor, TensorRequest
    from predictor.settings import Settings

_R = TypeVar("_R")

# What tritonclient and KServe's own clients may add to any request; none concerns the picture.
_PROTOCOL_PARAMETERS = frozenset(
    {"binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout"}
)
_BASE64_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\r\n:;,.")
_SNIFFED_BYTES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Asked(Generic[_R]):
    """What a body asked for."""

    requests: Sequence[_R]
    instances: bool = False
    """V1: whether the answer is a list of predictions."""
    tensors: TensorRequest | None = None
    """V2: the request itself, for its id and the outputs it asked for."""
    raw: bool = False
    """V2: whether pictures came as raw bytes and go back the same way."""
    report: bool = False
    """V2: whether there is an output `report`."""


def read_v1(body: object, settings: Settings, read: Callable[[object, Settings, str], _R]) -> Asked[_R]:
    """Read a V1 body: one free-form object, or a list of them under `instances`.

    Args:
        body: Bytes of JSON whatever the Content-Type says, or what KServe already parsed.
        settings: The limits.
        read: Reads one object; one of `swap_v1`, `enhance_v1`, `detect_v1`.

    Raises:
        InvalidRequest: What is wrong, and where.
    """
    value = parse_json(body) if isinstance(body, bytes | bytearray | memoryview | str) else body
    if not isinstance(value, dict):
        raise InvalidField("", "the body is not a JSON object")
    if "instances" not in value:
        return Asked([read(value, settings, "")])
    for name in value:
        if name != "instances":
            raise InvalidField(name, "not together with instances")
    instances = value["instances"]
    if not isinstance(instances, list) or not instances:
        raise InvalidField("instances", "expected a list with at least one object")
    check_count("instances", instances, settings.limit_instances)
    return Asked([read(one, settings, f"instances[{i}].") for i, one in enumerate(instances)], instances=True)


def swap_v1(value: object, settings: Settings, prefix: str) -> SwapRequest:
    """Read one V1 swap object."""
    _check_counts(value, settings, prefix)
    body = validated(SwapBody, value, prefix)
    sources = [
        EncodedPicture(one.name, decode_base64(one.image, field := f"{prefix}sources[{i}].image"), field)
        for i, one in enumerate(body.sources or [])
    ] or [EncodedPicture("image", decode_base64(body.image or "", f"{prefix}image"), f"{prefix}image")]
    destinations = [
        EncodedPicture(one.name, decode_base64(one.image, field := f"{prefix}destinations[{i}].image"), field)
        if isinstance(one, NamedImage)
        else one
        for i, one in enumerate(body.destinations or [])
    ]
    return SwapRequest(sources, destinations or None, body.swap_options(), body.output.options(), prefix)


def enhance_v1(value: object, _settings: Settings, prefix: str) -> EnhanceRequest:
    """Read one V1 enhance object."""
    body = validated(EnhanceBody, value, prefix)
    picture = _only_picture(body.image, f"{prefix}image")
    return EnhanceRequest(picture, body.enhance_options(), body.output.options(), body.report, prefix)


def detect_v1(value: object, _settings: Settings, prefix: str) -> DetectRequest:
    """Read one V1 detect object."""
    body = validated(DetectBody, value, prefix)
    return DetectRequest(_only_picture(body.image, f"{prefix}image"))


def _check_counts(value: object, settings: Settings, prefix: str = "") -> None:
    """Refuse lists over their limits before their entries are looked at: a body has room for millions of wrong ones."""
    if isinstance(value, dict):
        for field, limit in (
            ("pairs", settings.limit_pairs),
            ("destinations", settings.limit_destinations),
            ("sources", settings.limit_destinations),
        ):
            found = value.get(field)
            check_count(f"{prefix}{field}", found if isinstance(found, list) else None, limit)


def _only_picture(text: str, field: str) -> EncodedPicture:
    return EncodedPicture(field, decode_base64(text, field), field)


def swap_v2(request: TensorRequest, settings: Settings) -> Asked[SwapRequest]:
    """Read a V2 swap: every row of `image` is a source, each goes onto every destination."""
    tensors = _tensors_by_name(request, {"image", "destination", "options"})
    fields = _fields(request, tensors)
    _check_counts(fields, settings)
    options = validated(SwapTensorOptions, fields)
    sources, raw = _pictures(tensors, "image", settings.limit_instances)
    destinations: Sequence[EncodedPicture | str] | None = options.destinations
    if "destination" in tensors:
        if destinations is not None:
            raise InvalidField("destinations", "not together with the tensor destination")
        destinations, _ = _pictures(tensors, "destination", settings.limit_destinations)
    return Asked(
        [SwapRequest([source], destinations, options.swap_options(), options.output.options()) for source in sources],
        tensors=request,
        raw=raw,
        report=options.report,
    )


def enhance_v2(request: TensorRequest, settings: Settings) -> Asked[EnhanceRequest]:
    """Read a V2 enhance: every row of `image` is a picture."""
    tensors = _tensors_by_name(request, {"image", "options"})
    options = validated(EnhanceFields, _fields(request, tensors))
    pictures, raw = _pictures(tensors, "image", settings.limit_instances)
    wanted = options.enhance_options(), options.output.options(), options.report
    return Asked(
        [EnhanceRequest(picture, *wanted) for picture in pictures], tensors=request, raw=raw, report=options.report
    )


def detect_v2(request: TensorRequest, settings: Settings) -> Asked[DetectRequest]:
    """Read a V2 detect: every row of `image` is a picture."""
    tensors = _tensors_by_name(request, {"image", "options"})
    validated(DetectFields, _fields(request, tensors))
    pictures, _ = _pictures(tensors, "image", settings.limit_instances)
    return Asked([DetectRequest(picture) for picture in pictures], tensors=request)


def _tensors_by_name(request: TensorRequest, known: set[str]) -> dict[str, InputTensor]:
    tensors: dict[str, InputTensor] = {}
    for tensor in request.inputs:
        if tensor.name not in known:
            raise InvalidField(tensor.name, f"unknown tensor; there are {', '.join(sorted(known))}")
        if tensor.name in tensors:
            raise InvalidField(tensor.name, "the tensor is given twice")
        for parameter in tensor.parameters:
            if parameter != "content_type":
                raise InvalidField(f"{tensor.name}.parameters.{parameter}", "unknown parameter")
        tensors[tensor.name] = tensor
    if "image" not in tensors:
        raise InvalidField("image", "required")
    return tensors


def _fields(request: TensorRequest, tensors: dict[str, InputTensor]) -> dict[str, object]:
    """Return the fields of the `options` tensor, those of request parameters of the same names instead."""
    fields: dict[str, object] = {}
    if "options" in tensors:
        rows = tensors["options"].rows
        if len(rows) != 1:
            raise InvalidField("options", f"expected one row of JSON text, there are {len(rows)}")
        fields = _json_object("options", rows[0])
    for name, value in request.parameters.items():
        if name in _PROTOCOL_PARAMETERS:
            continue
        nested = isinstance(value, str) and value.lstrip()[:1] in {"{", "["}
        fields[name] = parse_json(str(value), name) if nested else value
    return fields


def _json_object(field: str, text: bytes | str) -> dict[str, object]:
    value = parse_json(text, field)
    if not isinstance(value, dict):
        raise InvalidField(field, "expected a JSON object")
    return value


def _pictures(tensors: dict[str, InputTensor], name: str, limit: int) -> tuple[list[EncodedPicture], bool]:
    """Return the pictures of a tensor, and whether any came as raw bytes."""
    tensor = tensors[name]
    if not tensor.rows:
        raise InvalidField(name, "expected at least one row")
    check_count(name, tensor.rows, limit)
    read = [_picture(tensor, index, row) for index, row in enumerate(tensor.rows)]
    return [picture for picture, _ in read], any(raw for _, raw in read)


def _picture(tensor: InputTensor, index: int, row: bytes | str) -> tuple[EncodedPicture, bool]:
    field = f"{tensor.name}[{index}]"
    raw = _is_raw(tensor, row, field)
    data = row if raw and isinstance(row, bytes) else decode_base64(row, field)
    return EncodedPicture(f"{tensor.name}_{index + 1}", data, field), raw


def _is_raw(tensor: InputTensor, row: bytes | str, field: str) -> bool:
    content_type = tensor.parameters.get("content_type")
    if content_type == "base64":
        return False
    if content_type is None:
        return isinstance(row, bytes) and not _BASE64_ALPHABET.issuperset(row[:_SNIFFED_BYTES])
    if not isinstance(content_type, str) or not content_type.startswith("image/"):
        raise InvalidField(f"{tensor.name}.parameters.content_type", "expected base64 or image/…")
    if isinstance(row, str):
        raise InvalidField(field, f"{content_type} cannot travel as JSON text: send it in binary form, or as base64")
    return True
