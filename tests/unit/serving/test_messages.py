from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor.errors import InvalidField
from predictor.serving.jsontext import MOST_VALUES
from predictor.serving.messages import model_of, parse_message

PICTURE = bytes(range(256)) * 40


def request(**fields: object) -> pb.ModelInferRequest:
    """A request as clients send it, with a large row and parameters."""
    message = pb.ModelInferRequest(model_name="faceswap", id="7", **fields)
    tensor = message.inputs.add(name="image", datatype="BYTES", shape=[1])
    tensor.parameters["content_type"].string_param = "image/jpeg"
    tensor.contents.bytes_contents.append(PICTURE)
    message.parameters["upscale"].int64_param = 2
    message.outputs.add(name="image")
    return message


@pytest.mark.parametrize("raw", [[], [PICTURE, b""]])
def test_what_clients_send_is_parsed(raw: list[bytes]) -> None:
    sent = request(raw_input_contents=raw)

    assert parse_message(sent.SerializeToString()) == sent
    assert model_of(sent.SerializeToString()) == "faceswap"


def test_a_message_without_a_name_is_for_no_model() -> None:
    assert model_of(b"") == ""


def test_of_two_names_the_last_one_counts_as_for_the_parser() -> None:
    message = request().SerializeToString() + pb.ModelInferRequest(model_name="other").SerializeToString()

    assert model_of(message) == parse_message(message).model_name == "other"


def of_length(number: int, value: bytes) -> bytes:
    """One field of a message."""
    length, digits = len(value), b""
    while length > 127:
        digits += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + digits + bytes([length]) + value


MANY = MOST_VALUES + 1
ROWS = of_length(8, b"") * MANY
FLOODS = {
    "empty tensors": of_length(5, b"") * MANY,
    "empty raw contents": of_length(7, b"") * MANY,
    "parameters": of_length(4, b"") * MANY,
    "outputs": of_length(6, b"") * MANY,
    "empty rows": of_length(5, of_length(5, ROWS)),
    "numbers in a row": of_length(5, of_length(5, of_length(2, b"\x01" * MANY))),
    "numbers one by one": of_length(5, of_length(5, b"\x10\x01" * MANY)),
    "a long shape": of_length(5, of_length(3, b"\x01" * MANY)),
    "unknown fields": b"\xa0\x06\x01" * MANY,
    "unknown fields of four bytes": b"\xa5\x06\x00\x00\x00\x00" * MANY,
}


@pytest.mark.parametrize("message", FLOODS.values(), ids=FLOODS)
def test_a_message_of_very_many_values_is_refused_before_it_is_parsed(
    message: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictor.serving.messages.pb", None)  # it cannot be parsed

    with pytest.raises(InvalidField, match="more than 100,000 fields and values"):
        parse_message(message)


def test_a_name_is_not_looked_for_among_very_many_fields() -> None:
    with pytest.raises(InvalidField, match="more than 1,000 fields"):
        model_of(FLOODS["empty tensors"])


BROKEN = {
    "no fields": b"\xff\xff\xff",
    "a number without end": b"\x08" + b"\xff" * 11,
    "a length beyond the end": b"\x0a\x05abc",
    "a length beyond its tensor": of_length(5, b"\x0a\x05abc"),
    "a group": b"\x0b",
    "four bytes of which two are there": b"\x0d\x00\x00",
    "eight bytes of which two are there": b"\x09\x00\x00",
    "a tag and nothing": b"\x0a",
    "a name that is no text": of_length(1, b"\xff\xfe"),
}


@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_refused_in_our_words(message: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_message(message)

    assert caught.value.sentence == "the message is not of the method's form"


SMALL = of_length(1, b"faceswap") + of_length(5, of_length(1, b"image") + of_length(5, of_length(8, b"JPEG")))
SPLICED = st.tuples(st.integers(0, len(SMALL)), st.integers(0, 4), st.binary(max_size=4)).map(
    lambda cut: SMALL[: cut[0]] + cut[2] + SMALL[cut[0] + cut[1] :]
)


@given(st.binary(max_size=60) | SPLICED)
def test_whatever_comes_is_parsed_as_the_parser_would_or_refused(message: bytes) -> None:
    try:
        expected: pb.ModelInferRequest | None = pb.ModelInferRequest.FromString(message)
    except DecodeError:
        expected = None

    try:
        name, parsed = model_of(message), parse_message(message)
    except InvalidField:
        return
    assert parsed == expected
    assert name == parsed.model_name
