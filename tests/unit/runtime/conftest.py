"""A small network on disk: one convolution over pictures, declared for ten of 32x32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    weights = numpy_helper.from_array(np.ones((1, 3, 2, 2), np.float32), "weights")
    shape_of_weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [1, 3, 2, 2])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["picture", "weights"], ["sums"], strides=[2, 2])],
        "sums",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [10, 3, 32, 32]), shape_of_weights],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [10, 1, 16, 16])],
        [weights],
    )
    path = tmp_path / "sums.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
