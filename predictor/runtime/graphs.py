"""Rewrites of a graph before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError

from predictor.errors import StartupError

if TYPE_CHECKING:
    from pathlib import Path

_RANK_OF_PICTURES = 4


def free_batch_and_size(path: Path) -> bytes:
    """Return a graph whose pictures may come in any number and size.

    Only the declared shapes of inputs and outputs are rewritten, (N, C, H, W): the graph must be able to do it.

    Raises:
        StartupError: The file is missing or is no graph.
    """
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        raise StartupError(f"the network {path} cannot be read") from error
    weights = {weight.name for weight in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        if value.name not in weights and len(dimensions) == _RANK_OF_PICTURES:
            # Sizes differ from one input or output to the next, so each has a name of its own.
            dimensions[0].dim_param = "batch"
            dimensions[2].dim_param = f"{value.name}_height"
            dimensions[3].dim_param = f"{value.name}_width"
    return bytes(model.SerializeToString())
