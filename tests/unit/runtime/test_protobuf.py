from __future__ import annotations

import pytest
from onnx import TensorProto

from predictor.runtime.protobuf import fields, head


def test_every_field_of_a_message_is_found_where_it_stands() -> None:
    message = TensorProto(dims=[3, 300], name="n" * 200, raw_data=bytes(70_000), double_data=[1.5])
    data = b"before" + message.SerializeToString() + b"after"

    found = fields(data, 6, len(data) - 5)

    assert b"".join(data[one.first : one.end] for one in found) == message.SerializeToString()
    contents = {one.number: data[one.start : one.end] for one in found}
    assert (contents[8], contents[9]) == (b"n" * 200, bytes(70_000))


def test_numbers_of_four_and_eight_bytes_are_stepped_over() -> None:
    data = b"\x0d1234" + b"\x1112345678" + b"\x18\x01"

    assert [(one.number, one.end - one.start) for one in fields(data, 0, len(data))] == [(1, 4), (2, 8), (3, 1)]


@pytest.mark.parametrize("length", [0, 127, 128, 70_000])
def test_a_head_is_what_stands_before_a_field_of_that_length(length: int) -> None:
    data = TensorProto(raw_data=bytes(length)).SerializeToString()

    assert head(9, length) == data[: len(data) - length]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\x05four", "beyond"),
        (b"\x0b", "kind 3"),
        (b"\x08" + b"\xff" * 12, "does not end"),
        (b"\x08\x80", "does not end"),
        (b"\x0d123", "beyond"),
    ],
)
def test_what_is_no_message_is_a_value_error(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fields(data, 0, len(data))
