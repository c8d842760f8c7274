from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictor.errors import StartupError
from predictor.runtime.graph_file import GraphFile


def _unchanged(_: onnx.ValueInfoProto) -> None:
    pass


def test_inputs_are_what_a_caller_hands_in_and_not_the_weights_that_old_files_list_with_them(network: Path) -> None:
    with GraphFile(network) as graph:
        assert graph.inputs == {"picture": [10, 3, 32, 32]}


def test_weights_are_found_by_their_shape_in_the_graphs_order(tmp_path: Path) -> None:
    first, other, second = np.eye(4, dtype=np.float32), np.ones((4, 5), np.float32), np.eye(4, dtype=np.float16)
    weights = [
        helper.make_tensor("first", TensorProto.FLOAT, (4, 4), first.ravel()),  # numbers as floats, not as bytes
        numpy_helper.from_array(other, "other"),
        numpy_helper.from_array(second, "second"),
    ]
    path = tmp_path / "three.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "three", [], [], weights)), path)

    with GraphFile(path) as graph:
        single, half = graph.weights((4, 4))
        (oblong,) = graph.weights((4, 5))
        assert graph.weights((5, 4)) == []

    np.testing.assert_array_equal(single, first)
    np.testing.assert_array_equal(half, second)
    assert half.dtype == np.float16
    np.testing.assert_array_equal(oblong, other)


def test_a_file_rewritten_without_a_change_is_the_same_graph(network: Path) -> None:
    with GraphFile(network) as graph:
        again = onnx.load_from_string(b"".join(graph.rewritten(_unchanged)))

    assert again == onnx.load(network)


def test_what_was_declared_of_values_in_between_is_left_out(network: Path) -> None:
    model = onnx.load(network)
    model.graph.value_info.append(helper.make_tensor_value_info("between", TensorProto.FLOAT, [1, 3]))
    onnx.save(model, network)

    with GraphFile(network) as graph:
        again = onnx.load_from_string(b"".join(graph.rewritten(_unchanged)))

    assert not again.graph.value_info


def test_inputs_and_outputs_are_changed_and_weights_are_not(network: Path) -> None:
    def call_it_wide(value: onnx.ValueInfoProto) -> None:
        value.type.tensor_type.shape.dim[3].dim_param = "a name longer than any number " * 10

    with GraphFile(network) as graph:
        again = onnx.load_from_string(b"".join(graph.rewritten(call_it_wide)))

    wide = {value.name for value in [*again.graph.input, *again.graph.output] if _width(value)}
    assert wide == {"picture", "sums"}
    assert again.graph.initializer == onnx.load(network).graph.initializer


@pytest.mark.parametrize(
    "content", [None, b"", b"not a network", b"\x08\x08", b"\x3a\x04\x2a\x02\xff\xff", b"\x3a\x04\x5a\x02\x0a\x7f"]
)
def test_a_file_that_is_no_graph_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartupError, match=r"some\.onnx cannot be read"):
        GraphFile(path)


def test_a_graph_that_was_cut_is_named(network: Path) -> None:
    network.write_bytes(network.read_bytes()[:-1])

    with pytest.raises(StartupError, match=r"sums\.onnx cannot be read"):
        GraphFile(network)


def _width(value: onnx.ValueInfoProto) -> str:
    return value.type.tensor_type.shape.dim[3].dim_param
