"""The small network of conftest with other weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

if TYPE_CHECKING:
    from pathlib import Path


def with_weights(network: Path, value: float) -> bytes:
    """The graph with every weight of that value."""
    model = onnx.load(network)
    weights = numpy_helper.from_array(np.full((1, 3, 2, 2), value, np.float32), "weights")
    model.graph.initializer[0].CopyFrom(weights)
    return bytes(model.SerializeToString())
