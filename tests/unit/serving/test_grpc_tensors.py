from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kserve import InferInput, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.infer_type import to_grpc_parameters

from predictor.errors import InvalidField
from predictor.serving.grpc_tensors import read_grpc, read_object, write_grpc, write_object
from predictor.serving.tensors import (
    OutputTensor,
    RequestedOutput,
    TensorAnswer,
    TensorRequest,
    deserialized,
    serialized,
)

JPEG = b"\xff\xd8\xff\xe0 not UTF-8 \x80\x00"
OUTPUTS = [
    OutputTensor("image", "BYTES", [JPEG, b"2"], text=False),
    OutputTensor("source_index", "INT32", [0, 1]),
]


def message(
    rows: list[bytes], *, raw: bool, name: str = "image", shape: list[int] | None = None
) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name="faceswap", id="42")
    entry = request.inputs.add(name=name, datatype="BYTES", shape=[len(rows)] if shape is None else shape)
    if raw:
        request.raw_input_contents.append(serialized(OutputTensor(name, "BYTES", rows)))
    else:
        entry.contents.bytes_contents.extend(rows)
    return request


@pytest.mark.parametrize("raw", [False, True])
def test_raw_and_typed_contents_give_the_same_rows(*, raw: bool) -> None:
    request = read_grpc(message([JPEG, b""], raw=raw))

    (image,) = request.inputs
    assert (request.id, image.name, image.rows) == ("42", "image", [JPEG, b""])


def test_a_grpc_answer_never_needs_text() -> None:
    assert read_grpc(message([JPEG], raw=True)).binary_outputs is True


def test_parameters_become_plain_values() -> None:
    sent = message([JPEG], raw=False)
    given_parameters = {"report": True, "upscale": 2, "restore": '{"blend": 0.5}'}
    for key, value in to_grpc_parameters(given_parameters).items():
        sent.parameters[key].CopyFrom(value)
    sent.inputs[0].parameters["content_type"].string_param = "image/jpeg"

    request = read_grpc(sent)

    assert request.parameters == given_parameters
    assert request.inputs[0].parameters == {"content_type": "image/jpeg"}


def test_requested_outputs_are_read() -> None:
    sent = message([JPEG], raw=False)
    sent.outputs.add(name="image")

    assert read_grpc(sent).outputs == [RequestedOutput("image", None)]
    assert read_grpc(message([JPEG], raw=False)).outputs is None


def test_no_inputs_are_refused() -> None:
    with pytest.raises(InvalidField) as caught:
        read_grpc(pb.ModelInferRequest())

    assert caught.value.details == {"field": "inputs"}


def test_raw_contents_must_be_as_many_as_inputs() -> None:
    sent = message([JPEG], raw=True)
    sent.raw_input_contents.append(b"")

    with pytest.raises(InvalidField) as caught:
        read_grpc(sent)

    assert caught.value.details == {"field": "raw_input_contents"}


def test_raw_and_typed_contents_do_not_go_together() -> None:
    sent = message([JPEG], raw=True)
    sent.inputs[0].contents.bytes_contents.append(JPEG)

    with pytest.raises(InvalidField) as caught:
        read_grpc(sent)

    assert caught.value.details == {"field": "image"}


@pytest.mark.parametrize("rows", [[], [JPEG]])
def test_contents_of_another_type_are_refused(rows: list[bytes]) -> None:
    sent = message(rows, raw=False, shape=[1])
    sent.inputs[0].contents.int_contents.append(1)

    with pytest.raises(InvalidField, match="int_contents are not taken"):
        read_grpc(sent)


@pytest.mark.parametrize("raw", [False, True])
def test_answers_come_back_in_the_form_of_the_request(*, raw: bool) -> None:
    answer = TensorAnswer("faceswap", "42", OUTPUTS, {"skipped": "[]"})

    response = write_grpc(answer, OUTPUTS, raw=raw)

    assert (response.model_name, response.model_version, response.id) == ("faceswap", "1", "42")
    assert response.parameters["skipped"].string_param == "[]"
    assert [(one.name, one.datatype, list(one.shape)) for one in response.outputs] == [
        ("image", "BYTES", [2]),
        ("source_index", "INT32", [2]),
    ]
    if raw:
        image, index = response.raw_output_contents
        assert deserialized("image", image) == [JPEG, b"2"]
        assert np.frombuffer(index, "<i4").tolist() == [0, 1]
    else:
        assert list(response.outputs[0].contents.bytes_contents) == [JPEG, b"2"]
        assert list(response.outputs[1].contents.int_contents) == [0, 1]


@given(st.lists(st.binary(max_size=30), max_size=4), st.booleans())
def test_any_rows_survive_both_forms(rows: list[bytes], raw: bool) -> None:  # noqa: FBT001  # hypothesis gives it
    (image,) = read_grpc(message(rows, raw=raw)).inputs

    assert image.rows == rows


@given(
    raw=st.lists(st.binary(max_size=12), max_size=3),
    shapes=st.lists(st.lists(st.integers(-2, 3), max_size=3), max_size=3),
    datatype=st.sampled_from(["BYTES", "INT32", ""]),
)
def test_any_message_gives_a_request_or_an_invalid_field(
    raw: list[bytes], shapes: list[list[int]], datatype: str
) -> None:
    sent = pb.ModelInferRequest(raw_input_contents=raw)
    for shape in shapes:
        sent.inputs.add(name="image", datatype=datatype, shape=shape)

    try:
        request = read_grpc(sent)
    except InvalidField:
        return

    assert isinstance(request, TensorRequest)


def python_request(rows: list[bytes], *, binary: bool) -> InferRequest:
    entry = InferInput("image", [len(rows)], "BYTES")
    entry.set_data_from_numpy(np.array(rows, dtype=np.object_), binary_data=binary)
    return InferRequest("faceswap", [entry], request_id="42", parameters={"report": True})


def test_kserves_own_objects_are_read_with_raw_bytes_intact() -> None:
    request = read_object(python_request([JPEG], binary=True))

    assert (request.id, request.parameters, request.inputs[0].rows) == ("42", {"report": True}, [JPEG])


def test_kserves_own_objects_are_read_with_data_in_a_list() -> None:
    request = InferRequest("faceswap", [InferInput("image", [2], "BYTES", data=["aGVsbG8=", JPEG])])

    assert read_object(request).inputs[0].rows == ["aGVsbG8=", JPEG]


def test_rows_of_kserves_own_objects_that_are_no_text_are_refused() -> None:
    request = InferRequest("faceswap", [InferInput("image", [1], "BYTES", data=[5])])

    with pytest.raises(InvalidField) as caught:
        read_object(request)

    assert caught.value.details == {"field": "image"}


def test_a_message_that_kserve_parsed_is_read_like_the_message() -> None:
    sent = message([JPEG], raw=True)
    sent.parameters["report"].bool_param = True

    request = read_object(InferRequest.from_grpc(sent))

    assert (request.parameters, request.inputs[0].rows) == ({"report": True}, [JPEG])


def test_answers_as_kserves_own_objects_keep_raw_bytes() -> None:
    response = write_object(TensorAnswer("faceswap", "42", OUTPUTS, {"skipped": "[]"}), OUTPUTS)

    assert (response.id, response.model_name, response.parameters) == ("42", "faceswap", {"skipped": "[]"})
    assert [(one.name, one.datatype, list(one.shape), list(one.data)) for one in response.outputs] == [
        ("image", "BYTES", [2], [JPEG, b"2"]),
        ("source_index", "INT32", [2], [0, 1]),
    ]
