"""A graph in half precision: fp16 inside, fp32 at its inputs and outputs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

if TYPE_CHECKING:
    from pathlib import Path

_WEIGHTS_NEED_NOT_BE_INPUTS = 4  # version of ONNX's file format


def in_half_precision(model: Path | bytes) -> bytes:
    """Return the graph with weights and arithmetic in fp16; what the converter knows fp16 cannot do stays fp32.

    Takes about four times the graph's size in memory, and seconds for a large one.
    """
    loaded = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    _hide_weights(loaded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every weight that fp16 rounds to nothing; the self-test judges the whole
        return bytes(convert_float_to_float16(loaded, keep_io_types=True).SerializeToString())


def _hide_weights(model: onnx.ModelProto) -> None:
    """Take the weights off the list of inputs, where old graphs have them: the converter leaves inputs in fp32."""
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, _WEIGHTS_NEED_NOT_BE_INPUTS)
