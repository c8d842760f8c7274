from __future__ import annotations

import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import InvalidField
from predictor.serving.jsontext import MOST_VALUES
from predictor.serving.tensors import (
    OutputTensor,
    RequestedOutput,
    TensorAnswer,
    TensorRequest,
    deserialized,
    read_rest,
    select,
    serialized,
    write_rest,
)

JPEG = b"\xff\xd8\xff\xe0 not UTF-8 \x80\x00"
IMAGE = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="]}


def body(**fields: object) -> bytes:
    return orjson.dumps({"inputs": [IMAGE], **fields})


def tensor(**fields: object) -> dict[str, object]:
    return {**IMAGE, **fields}


def binary_body(rows: list[bytes], shape: list[int] | None = None, **fields: object) -> tuple[bytes, str]:
    raw = b"".join(struct.pack("<I", len(row)) + row for row in rows)
    parameters = {"binary_data_size": len(raw)}
    entry = {"name": "image", "shape": shape or [len(rows)], "datatype": "BYTES", "parameters": parameters}
    head = orjson.dumps({"inputs": [entry], **fields})
    return head + raw, str(len(head))


# ── reading JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_gives_text_rows() -> None:
    request = read_rest(body(id="42", parameters={"upscale": 2}), None)

    (image,) = request.inputs
    assert (request.id, request.parameters, request.outputs, request.binary_outputs) == (
        "42",
        {"upscale": 2},
        None,
        False,
    )
    assert (image.name, image.rows, image.parameters) == ("image", ["aGVsbG8="], {})


@pytest.mark.parametrize(("shape", "data"), [([2], ["a", "b"]), ([2, 1], ["a", "b"]), ([2, 1], [["a"], ["b"]])])
def test_rows_come_flat_or_nested(shape: list[int], data: list[object]) -> None:
    (image,) = read_rest(body(inputs=[tensor(shape=shape, data=data)]), None).inputs

    assert image.rows == ["a", "b"]


def test_what_kserves_own_client_adds_is_taken() -> None:
    request = read_rest(body(model_name="faceswap", id=None, parameters=None, outputs=[]), None)

    assert (request.id, request.outputs) == ("", None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id": 0}, "id"),
        ({"id": 7}, "id"),
        ({"instances": []}, "instances"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"restore": {"blend": 1}}}, "parameters"),
        ({"parameters": {"restore": None}}, "parameters"),
        ({"inputs": None}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [5]}, "inputs[0]"),
        ({"inputs": [IMAGE, tensor(name=5)]}, "inputs[1].name"),
        ({"inputs": [tensor(datatype=None)]}, "inputs[0].datatype"),
        ({"inputs": [tensor(datatype="UINT8")]}, "image"),
        ({"inputs": [tensor(shape=1)]}, "inputs[0].shape"),
        ({"inputs": [tensor(shape=[])]}, "image"),
        ({"inputs": [tensor(shape=["1"])]}, "image"),
        ({"inputs": [tensor(shape=[True])]}, "image"),
        ({"inputs": [tensor(shape=[1.0])]}, "image"),
        ({"inputs": [tensor(shape=[2])]}, "image"),
        ({"inputs": [tensor(shape=[-1])]}, "image"),
        ({"inputs": [tensor(shape=[1, 2])]}, "image"),
        ({"inputs": [tensor(shape=[1, 1, 1])]}, "image"),
        ({"inputs": [tensor(data=None)]}, "inputs[0].data"),
        ({"inputs": [tensor(data="aGVsbG8=")]}, "inputs[0].data"),
        ({"inputs": [tensor(data=[5])]}, "inputs[0].data"),
        ({"inputs": [tensor(data=[["a", "b"]])]}, "inputs[0].data"),
        ({"inputs": [tensor(parameters=5)]}, "inputs[0].parameters"),
        ({"inputs": [tensor(parameters={"binary_data_size": 1})]}, "inputs[0].parameters.binary_data_size"),
        ({"inputs": [tensor(parameters={"binary_data_size": -1})]}, "inputs[0].parameters.binary_data_size"),
        ({"inputs": [tensor(parameters={"binary_data_size": True})]}, "inputs[0].parameters.binary_data_size"),
        ({"inputs": [tensor(parameters={"binary_data_size": "4"})]}, "inputs[0].parameters.binary_data_size"),
        ({"inputs": [tensor(parameters={"binary_data_size": 0})]}, "inputs[0].data"),
        ({"inputs": [tensor(content="x")]}, "inputs[0].content"),
        ({"outputs": {}}, "outputs"),
        ({"outputs": ["image"]}, "outputs[0]"),
        ({"outputs": [{}]}, "outputs[0].name"),
        ({"outputs": [{"name": "image", "parameters": {"binary_data": 1}}]}, "outputs[0].parameters.binary_data"),
    ],
)
def test_a_mistake_in_a_v2_body_names_its_place(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_rest(body(**fields), None)

    assert caught.value.details == {"field": field}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"inputs"', b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        read_rest(text, None)

    assert caught.value.details == {"field": ""}


# ── reading the binary extension ──────────────────────────────────────────────────────────────────────────────────────


def test_raw_bytes_come_through_unchanged() -> None:
    data, length = binary_body([JPEG, b"", b"second"])

    (image,) = read_rest(data, length).inputs

    assert image.rows == [JPEG, b"", b"second"]
    assert image.parameters == {}


def test_json_and_raw_tensors_may_travel_together() -> None:
    data, _ = binary_body([JPEG])
    head = orjson.loads(data[: data.index(b"\xff") - 4])
    head["inputs"].append({"name": "options", "shape": [1], "datatype": "BYTES", "data": ["{}"]})
    text = orjson.dumps(head)

    image, options = read_rest(text + data[data.index(b"\xff") - 4 :], str(len(text))).inputs

    assert (image.rows, options.rows) == ([JPEG], ["{}"])


@pytest.mark.parametrize("length", ["-1", "1.5", "", "x", "²", "9" * 5000, "100000"])
def test_a_json_length_that_cannot_be_is_refused(length: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_rest(*binary_body([JPEG])[:1], length)

    assert caught.value.details == {"field": "Inference-Header-Content-Length"}


def test_bytes_after_the_last_tensor_are_refused() -> None:
    data, length = binary_body([JPEG])

    with pytest.raises(InvalidField, match="3 bytes follow"):
        read_rest(data + b"abc", length)


def test_rows_that_do_not_match_the_shape_are_refused() -> None:
    with pytest.raises(InvalidField, match="the shape says 2 rows, there are 1"):
        read_rest(*binary_body([JPEG], shape=[2]))


@pytest.mark.parametrize("raw", [b"\x01", b"\x05\x00\x00\x00abcd", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00\x01"])
def test_a_raw_tensor_that_ends_too_early_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidField) as caught:
        deserialized("image", raw)

    assert caught.value.details == {"field": "image"}


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_raw_form_and_back_gives_the_same_rows(rows: list[bytes]) -> None:
    assert deserialized("image", serialized(OutputTensor("image", "BYTES", rows))) == rows


def test_very_many_rows_are_refused() -> None:
    assert len(deserialized("image", bytes(4 * MOST_VALUES))) == MOST_VALUES

    with pytest.raises(InvalidField, match="image: more than 100,000 rows"):
        deserialized("image", bytes(4 * MOST_VALUES + 4))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_any_rows_survive_the_binary_extension(rows: list[bytes]) -> None:
    (image,) = read_rest(*binary_body(rows)).inputs

    assert image.rows == rows


@given(st.binary(max_size=60), st.none() | st.integers(-2, 70).map(str) | st.text(max_size=4))
def test_any_bytes_give_a_request_or_an_invalid_field(data: bytes, length: str | None) -> None:
    try:
        request = read_rest(data, length)
    except InvalidField:
        return

    assert isinstance(request, TensorRequest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70) | st.text(max_size=3) | st.sampled_from(["BYTES", "image"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "shape", "datatype", "parameters", "data", "binary_data_size", "binary_data", "outputs"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    head=st.dictionaries(st.sampled_from(["id", "inputs", "outputs", "parameters"]), JSON | st.lists(JSON), max_size=4),
    tail=st.binary(max_size=30),
)
def test_any_json_and_any_tail_give_a_request_or_an_invalid_field(head: dict[str, object], tail: bytes) -> None:
    text = orjson.dumps(head)

    try:
        request = read_rest(text + tail, str(len(text)))
    except InvalidField:
        return

    assert request.inputs


# ── choosing outputs ──────────────────────────────────────────────────────────────────────────────────────────────────

TEXT = OutputTensor("destination_name", "BYTES", [b"one.jpg"])
RAW = OutputTensor("image", "BYTES", [JPEG], text=False)
NUMBER = OutputTensor("source_index", "INT32", [0, 1])


def asking(outputs: list[RequestedOutput] | None, *, binary: bool = False) -> TensorRequest:
    return TensorRequest("", [], {}, outputs, binary)


@pytest.mark.parametrize("binary", [False, True])
def test_without_a_choice_all_outputs_come_in_the_form_the_request_says(*, binary: bool) -> None:
    assert select(asking(None, binary=binary), [TEXT, NUMBER]) == [(TEXT, binary), (NUMBER, binary)]


def test_outputs_come_in_the_order_they_were_asked_for_each_in_its_own_form() -> None:
    request = asking([RequestedOutput("source_index", None), RequestedOutput("image", binary=True)])

    assert select(request, [RAW, TEXT, NUMBER]) == [(NUMBER, False), (RAW, True)]


def test_an_output_may_ask_for_json_where_the_request_asks_for_binary() -> None:
    request = asking([RequestedOutput("source_index", binary=False), RequestedOutput("image", None)], binary=True)

    assert select(request, [RAW, NUMBER]) == [(NUMBER, False), (RAW, True)]


@pytest.mark.parametrize("outputs", [None, [RequestedOutput("image", None)], [RequestedOutput("image", binary=False)]])
def test_raw_bytes_asked_for_as_json_are_refused(outputs: list[RequestedOutput] | None) -> None:
    with pytest.raises(InvalidField, match="image is raw bytes, which JSON cannot carry"):
        select(asking(outputs), [RAW])


def test_raw_bytes_that_were_not_asked_for_do_not_stand_in_the_way_of_json() -> None:
    request = asking([RequestedOutput("source_index", None)])

    assert select(request, [RAW, NUMBER]) == [(NUMBER, False)]


def test_an_unknown_output_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(InvalidField, match="'picture'; there are destination_name, source_index"):
        select(asking([RequestedOutput("picture", None)]), [TEXT, NUMBER])


def test_an_output_asked_for_twice_is_refused() -> None:
    """A request has room for a million of them, and each would carry the pictures again."""
    with pytest.raises(InvalidField, match="outputs: an output is asked for twice"):
        select(asking([RequestedOutput("source_index", None), RequestedOutput("source_index", binary=True)]), [NUMBER])


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_json_outputs_are_all_json() -> None:
    answer = TensorAnswer("faceswap", "42", [TEXT, NUMBER], {"skipped": "[]"})

    data, length = write_rest(answer, [(TEXT, False), (NUMBER, False)])

    assert length is None
    assert orjson.loads(data) == {
        "model_name": "faceswap",
        "model_version": "1",
        "id": "42",
        "parameters": {"skipped": "[]"},
        "outputs": [
            {"name": "destination_name", "datatype": "BYTES", "shape": [1], "data": ["one.jpg"]},
            {"name": "source_index", "datatype": "INT32", "shape": [2], "data": [0, 1]},
        ],
    }


def test_binary_outputs_follow_the_json_in_order() -> None:
    answer = TensorAnswer("faceswap", "42", [RAW, TEXT, NUMBER])

    data, length = write_rest(answer, [(RAW, True), (TEXT, False), (NUMBER, True)])

    head, tail = orjson.loads(data[:length]), data[length:]
    sizes = [one.get("parameters", {}).get("binary_data_size") for one in head["outputs"]]
    assert sizes == [4 + len(JPEG), None, 8]
    assert "parameters" not in head
    assert deserialized("image", tail[: sizes[0]]) == [JPEG]
    assert np.frombuffer(tail[sizes[0] :], "<i4").tolist() == [0, 1]


def test_an_empty_tensor_has_no_rows_in_either_form() -> None:
    empty = OutputTensor("image", "BYTES", [])

    data, length = write_rest(TensorAnswer("faceswap", "", [empty]), [(empty, True)])

    assert orjson.loads(data[:length])["outputs"][0]["parameters"] == {"binary_data_size": 0}
    assert length == len(data)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"outputs": [{"name": "image", "zz": 1}]}, "outputs[0].zz"),
        ({"outputs": [{"name": "image", "parameters": {"classification": 3}}]}, "outputs[0].parameters.classification"),
        ({"outputs": [{"name": "image", "parameters": {"binary_data": "yes"}}]}, "outputs[0].parameters.binary_data"),
        ({"parameters": {"binary_data_output": "yes"}}, "parameters.binary_data_output"),
    ],
)
def test_what_is_asked_of_outputs_is_checked_like_inputs(changed: dict[str, object], field: str) -> None:
    body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aa"]}]}

    with pytest.raises(InvalidField) as caught:
        read_rest(orjson.dumps(body | changed), None)

    assert caught.value.details == {"field": field}
