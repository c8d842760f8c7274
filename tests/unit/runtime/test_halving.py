from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import NodeProto, helper, numpy_helper

from predictor.runtime.halving import halved
from predictor.runtime.session import Tensor
from predictor.stand_ins.net import Kernel, Net
from predictor.stand_ins.rrdb import TINY_X2, TINY_X4, rrdb, rrdb_state
from predictor.stand_ins.srvgg import TINY, srvgg, srvgg_state

_SIZES = [(16, 16), (7, 12), (1, 1)]


@pytest.fixture(scope="module")
def compact() -> bytes:
    return srvgg(TINY, srvgg_state(TINY))


@pytest.fixture(scope="module")
def dense() -> bytes:
    return rrdb(TINY_X4, rrdb_state(TINY_X4))


def _answer(model: bytes, picture: Tensor) -> Tensor:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # a declared output shape of other names is no matter
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: picture})
    return np.asarray(answer)


def _picture(height: int, width: int) -> Tensor:
    return np.random.default_rng(1).random((2, 3, height, width), np.float32)


def _means(answer: Tensor) -> Tensor:
    batch, channels, height, width = answer.shape
    by_place = answer.reshape(batch, channels, height // 2, 2, width // 2, 2)
    means: Tensor = by_place.mean(axis=(3, 5), dtype=np.float64)
    return means


def _require_means(model: bytes, height: int, width: int) -> None:
    picture, half = _picture(height, width), halved(model)
    assert half is not None

    np.testing.assert_allclose(_answer(half, picture), _means(_answer(model, picture)), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), _SIZES)
def test_a_shuffling_network_answers_with_the_means_of_four_pixels(compact: bytes, height: int, width: int) -> None:
    _require_means(compact, height, width)


@pytest.mark.parametrize(("height", "width"), _SIZES)
def test_a_network_that_ends_in_a_convolution_answers_with_the_means_of_four_pixels(
    dense: bytes, height: int, width: int
) -> None:
    _require_means(dense, height, width)


def test_a_network_that_folds_its_input_can_be_halved_too() -> None:
    _require_means(rrdb(TINY_X2, rrdb_state(TINY_X2)), 6, 8)


def test_half_a_network_has_a_quarter_of_the_last_filters_and_nothing_that_is_not_used(compact: bytes) -> None:
    half = onnx.load_model_from_string(halved(compact) or b"")

    used = {name for node in half.graph.node for name in node.input}
    assert {weight.name for weight in half.graph.initializer} <= used
    assert [node.op_type for node in half.graph.node].count("Resize") == 1
    last = [node for node in half.graph.node if node.op_type == "Conv"][-1]
    (filters,) = [weight for weight in half.graph.initializer if weight.name == last.input[1]]
    assert filters.dims[0] == 12
    onnx.checker.check_model(half)


def test_weights_may_be_constant_nodes_and_the_picture_be_added_first(compact: bytes) -> None:
    model = onnx.load_model_from_string(compact)
    for weight in model.graph.initializer:
        constant = helper.make_node("Constant", [], [weight.name])
        constant.attribute.append(helper.make_attribute("value", weight))
        model.graph.node.insert(0, constant)
    del model.graph.initializer[:]
    end = model.graph.node[-1]
    end.input[0], end.input[1] = end.input[1], end.input[0]
    end.output[0] = "almost"
    model.graph.node.append(helper.make_node("Identity", ["almost"], ["output"]))

    _require_means(model.SerializeToString(), 5, 6)


def test_weights_keep_their_type(dense: bytes) -> None:
    model = onnx.load_model_from_string(dense)
    for weight in model.graph.initializer:
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name))

    half = onnx.load_model_from_string(halved(model.SerializeToString()) or b"")

    assert {weight.data_type for weight in half.graph.initializer} == {onnx.TensorProto.FLOAT16}


def _node(model: onnx.ModelProto, kind: str) -> NodeProto:
    return [node for node in model.graph.node if node.op_type == kind][-1]


def _attribute(node: NodeProto, name: str) -> onnx.AttributeProto:
    (attribute,) = [one for one in node.attribute if one.name == name]
    return attribute


Change: TypeAlias = Callable[[onnx.ModelProto], None]


def _other_order(model: onnx.ModelProto) -> None:
    _attribute(_node(model, "DepthToSpace"), "mode").s = b"DCR"


def _smooth_base(model: onnx.ModelProto) -> None:
    _attribute(_node(model, "Resize"), "mode").s = b"linear"


def _base_of_something_else(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Sigmoid", ["input"], ["other"]))
    _node(model, "Resize").input[0] = "other"


def _wider_steps(model: onnx.ModelProto) -> None:
    _attribute(_node(model, "Conv"), "dilations").ints[:] = [2, 2]


def _computed_weights(model: onnx.ModelProto) -> None:
    last = _node(model, "Conv")
    model.graph.node.insert(0, helper.make_node("Abs", [last.input[1]], ["computed"]))
    last.input[1] = "computed"


def _clipped(model: onnx.ModelProto) -> None:
    end = model.graph.node[-1]
    end.output[0] = "almost"
    model.graph.node.append(helper.make_node("Sigmoid", ["almost"], ["output"]))


@pytest.mark.parametrize(
    "change", [_other_order, _smooth_base, _base_of_something_else, _wider_steps, _computed_weights, _clipped]
)
def test_a_shuffling_network_of_another_make_is_left_alone(compact: bytes, change: Change) -> None:
    model = onnx.load_model_from_string(compact)
    change(model)

    assert halved(model.SerializeToString()) is None


@pytest.mark.parametrize("change", [_wider_steps, _computed_weights, _clipped])
def test_a_network_that_ends_in_another_convolution_is_left_alone(dense: bytes, change: Change) -> None:
    model = onnx.load_model_from_string(dense)
    change(model)

    assert halved(model.SerializeToString()) is None


def test_a_network_that_does_not_end_in_three_colours_is_left_alone() -> None:
    net = Net("grey")
    x = net.input("input", ["n", 3, "h", "w"])
    kernel = Kernel(np.ones((1, 3, 3, 3), np.float32), None)
    net.output(net.node("Identity", net.conv(x, kernel, padding=1), output="output"), ["n", 1, "h", "w"])

    assert halved(net.serialized()) is None
