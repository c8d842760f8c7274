"""A torch module as an ONNX graph."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import torch

from predictor.errors import ConversionFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

# What has kernels in every engine we run; the exporter writes none older.
_OPSET = 18
_AXES = {0: "batch", 2: "height", 3: "width"}


def export(module: torch.nn.Module, example: torch.Tensor, free_axes: Sequence[int]) -> onnx.ModelProto:
    """Return the graph of a module with one input, `input`, and one output, `output`.

    Args:
        module: Ready to run.
        example: An input; free axes must not be 1 here, which would be taken for fixed.
        free_axes: Axes of the input that may have any length.

    Raises:
        ConversionFailed: torch cannot say it in ONNX.
    """
    for each in module.modules():
        if hasattr(each, "inplace"):
            each.inplace = False  # the same function; the exporter takes twice as long where it has to say so itself
    free = dict.fromkeys(free_axes, torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings():
        # torch's exporter copies an object of torch's own that warns of being old
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        try:
            program = torch.onnx.export(
                module,
                (example,),
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=(free,),
                opset_version=_OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            raise ConversionFailed(
                f"torch cannot write {type(module).__name__} as ONNX: {_first_line(error)}"
            ) from error
    graph: onnx.ModelProto = program.model_proto
    _name_free_axes(graph, free_axes)
    _drop_traces(graph)
    return graph


def _name_free_axes(graph: onnx.ModelProto, free_axes: Sequence[int]) -> None:
    """Give free axes the names a reader expects, in place of torch's symbols (s77)."""
    given = graph.graph.input[0].type.tensor_type.shape.dim
    names = {given[axis].dim_param: _AXES[axis] for axis in free_axes}
    for value in (*graph.graph.input, *graph.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), dimension.dim_param)


def _drop_traces(graph: onnx.ModelProto) -> None:
    """Take out what is about this machine and this run: stacks with their paths, symbols, shapes on the way."""
    del graph.graph.value_info[:]
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    for values in (graph.graph.input, graph.graph.output):
        for value in values:
            del value.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
    for tensor in graph.graph.initializer:
        del tensor.metadata_props[:]


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
