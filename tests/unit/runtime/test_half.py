"""A graph in half precision takes and gives fp32, and computes nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from predictor.runtime.half import in_half_precision
from predictor.runtime.onnx import OnnxEngine
from predictor.runtime.session import Network
from tests.unit.runtime.small import with_weights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_weights_are_halved_and_ends_are_not(network: Path, *, as_bytes: bool) -> None:
    graph = onnx.load_from_string(in_half_precision(network.read_bytes() if as_bytes else network)).graph

    assert [weight.data_type for weight in graph.initializer] == [TensorProto.FLOAT16]
    ends = [graph.input[0], graph.output[0]]
    assert [end.type.tensor_type.elem_type for end in ends] == [TensorProto.FLOAT, TensorProto.FLOAT]


def test_it_computes_nearly_the_same(network: Path, rng: np.random.Generator) -> None:
    model = with_weights(network, 0.1)
    feed = {"picture": rng.uniform(size=(10, 3, 32, 32)).astype(np.float32)}

    full, half = (
        OnnxEngine(1).open(Network("sums", one, {})).run(None, feed)[0] for one in (model, in_half_precision(model))
    )

    assert not np.array_equal(full, half)
    assert np.allclose(full, half, rtol=2**-9)
