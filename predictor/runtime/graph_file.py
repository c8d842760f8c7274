"""An `.onnx` file as it lies on disk: looked at and rewritten with its weights left where they are.

`onnx.load` holds every weight in memory, and writing such a graph again takes up to five times that: 3 GB for the
swapper's 554 MB. Here the file is mapped, and only what stands around the weights is made anew.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Self

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from predictor.errors import StartupError
from predictor.runtime.protobuf import fields, head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from predictor.runtime.protobuf import Field
    from predictor.runtime.session import Tensor

# Numbers of fields. Source: onnx.proto
_GRAPH = 7  # of ModelProto
_INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 5, 11, 12, 13  # of GraphProto
_DIMS, _DATA_TYPE, _NAME = 1, 2, 8  # of TensorProto


class GraphFile:
    """A graph on disk, open between `with` and its end.

    Args:
        path: An `.onnx` file.

    Raises:
        StartupError: The file is missing, or is no graph.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._model = fields(self._data, 0, len(self._data))
            (graph,) = (field for field in self._model if field.number == _GRAPH)
            self._graph = fields(self._data, graph.start, graph.end)
            self._weights = {field: self._outline(field) for field in self._graph if field.number == _INITIALIZER}
            self._values = {
                field: onnx.ValueInfoProto.FromString(self._data[field.start : field.end])
                for field in self._graph
                if field.number in {_INPUT, _OUTPUT}
            }
        except (OSError, ValueError, DecodeError) as error:
            raise StartupError(f"the network {path} cannot be read") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    @property
    def inputs(self) -> dict[str, list[int]]:
        """Name and declared shape of each input, in the graph's order; 0 is a size that is free."""
        weights = {weight.name for weight in self._weights.values()}  # old files list them among the inputs
        return {
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
            for field, value in self._values.items()
            if field.number == _INPUT and value.name not in weights
        }

    def weights(self, shape: Sequence[int]) -> list[Tensor]:
        """Return the weights of a shape, in the graph's order."""
        found = [field for field, outline in self._weights.items() if list(outline.dims) == list(shape)]
        tensors = (onnx.TensorProto.FromString(self._data[field.start : field.end]) for field in found)
        return [numpy_helper.to_array(tensor) for tensor in tensors]

    def rewritten(self, change: Callable[[onnx.ValueInfoProto], None]) -> Iterator[bytes]:
        """Return the file anew, piece by piece.

        What was declared of values between inputs and outputs is left out: it may no longer be true.

        Args:
            change: Asked of each input and output, weights left out; changes what it is declared as, in place.
        """
        contents = dict(self._changed(change))
        graph = [field for field in self._graph if field.number != _VALUE_INFO]
        heads = {field: head(field.number, len(content)) for field, content in contents.items()}
        length = sum(len(heads[one]) + len(contents[one]) if one in heads else one.end - one.first for one in graph)
        for part in self._model:
            if part.number != _GRAPH:
                yield self._data[part.first : part.end]
                continue
            yield head(_GRAPH, length)
            for field in graph:
                yield heads[field] + contents[field] if field in heads else self._data[field.first : field.end]

    def _changed(self, change: Callable[[onnx.ValueInfoProto], None]) -> Iterator[tuple[Field, bytes]]:
        inputs = self.inputs
        for field, declared in self._values.items():
            value = onnx.ValueInfoProto()
            value.CopyFrom(declared)
            if field.number == _OUTPUT or value.name in inputs:
                change(value)
            yield field, value.SerializeToString()

    def _outline(self, field: Field) -> onnx.TensorProto:
        """Return a weight without its numbers."""
        outline = {_DIMS, _DATA_TYPE, _NAME}
        parts = (one for one in fields(self._data, field.start, field.end) if one.number in outline)
        return onnx.TensorProto.FromString(b"".join(self._data[one.first : one.end] for one in parts))
