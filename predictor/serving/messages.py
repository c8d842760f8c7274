"""Inference messages of gRPC before they are parsed: which model they are for, and whether they may be parsed at all.

As with JSON, the parser holds the interpreter from the first byte to the last. A message of one large picture takes
milliseconds, one of the same length made of millions of empty tensors takes a second and gigabytes. So the fields are
counted first, by walking over the bytes as the protocol's own description of the message says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor.errors import InvalidField
from predictor.serving.jsontext import MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_REQUEST = pb.ModelInferRequest.DESCRIPTOR
_MODEL_NAME = _REQUEST.fields_by_name["model_name"].number
_VARINT, _EIGHT_BYTES, _WITH_LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MOST_FIELDS_OF_ITS_OWN = 1000


def model_of(message: bytes) -> str:
    """Return the name of the model that a message is for, as the parser would; empty where it has none.

    Raises:
        InvalidField: It is not of the message's form.
    """
    name = b""
    for seen, (number, start, end) in enumerate(_fields(message, 0, len(message))):
        if seen >= _MOST_FIELDS_OF_ITS_OWN:
            raise _too_many(_MOST_FIELDS_OF_ITS_OWN)
        if number == _MODEL_NAME:
            name = message[start:end]
    return name.decode(errors="replace")


def parse_message(message: bytes) -> pb.ModelInferRequest:
    """Return a message parsed, unless it has too many fields and values.

    Raises:
        InvalidField: It has, or it is not of the message's form.
    """
    left = MOST_VALUES
    waiting: list[tuple[Descriptor, int, int]] = [(_REQUEST, 0, len(message))]
    while waiting:
        kind, begin, end = waiting.pop()
        known = kind.fields_by_number
        for number, start, stop in _fields(message, begin, end):
            field = known.get(number)
            left -= 1 if field is None else _values(field, stop - start)
            if left < 0:
                raise _too_many(MOST_VALUES)
            if field is not None and field.message_type is not None:
                waiting.append((field.message_type, start, stop))
    try:
        return pb.ModelInferRequest.FromString(message)
    except DecodeError:
        raise _malformed() from None


def _values(field: FieldDescriptor, length: int) -> int:
    """Return how many values a field of that many bytes can hold: numbers may stand in it one behind the other."""
    has_numbers = field.message_type is None and field.cpp_type != field.CPPTYPE_STRING
    return max(1, length) if has_numbers else 1


def _fields(message: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field's value between two places.

    Raises:
        InvalidField: The bytes are no fields.
    """
    while at < end:
        tag, at = _varint(message, at, end)
        kind, start = tag & 7, at
        if kind == _VARINT:
            _, at = _varint(message, at, end)
        elif kind == _WITH_LENGTH:
            length, start = _varint(message, at, end)
            at = start + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:  # a group, which the protocol has none of
            raise _malformed()
        if at > end:
            raise _malformed()
        yield tag >> 3, start, at


def _varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number that begins at a place, seven bits a byte, and the place behind it."""
    value = 0
    for place in range(at, min(end, at + _LONGEST_VARINT)):
        byte = message[place]
        value |= (byte & 0x7F) << 7 * (place - at)
        if byte < 0x80:  # noqa: PLR2004  # the highest bit says whether there are more
            return value, place + 1
    raise _malformed()


def _malformed() -> InvalidField:
    return InvalidField("", "the message is not of the method's form")


def _too_many(most: int) -> InvalidField:
    return InvalidField("", f"the message has more than {most:,} fields and values")
