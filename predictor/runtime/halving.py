"""Rewrites an upsampler so that it enlarges half as much: each pixel the mean of the four it would have given.

The mean is taken by the last convolution, for nothing: its filters are averaged, so the four-times-larger answer is
never made. It is the same number, not an approximation, but for the order of the additions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onnx import GraphProto, NodeProto

_Weights: TypeAlias = npt.NDArray[Any]
_KERNEL = (3, 3)
_COLOURS = 3


def halved(model: bytes) -> bytes | None:
    """Return the graph that answers with the 2x2 means of what this one answers, or None where it is not known how.

    Two endings are known: a 3x3 convolution whose channels are shuffled into pixels and added to the picture enlarged
    by repeating pixels (SRVGGNetCompact), and a 3x3 convolution at full size (RRDBNet).

    Args:
        model: An upsampler's graph; the picture is its only input, its answer the only output.
    """
    parsed = onnx.load_model_from_string(model)
    ending = _Ending(parsed.graph)
    if not (ending.halve_shuffle() or ending.halve_convolution()):
        return None
    _prune(parsed.graph)
    return bytes(parsed.SerializeToString())


class _Ending:
    """The last nodes of a graph, to be rewritten in place."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._makers = {output: node for node in graph.node for output in node.output}
        self._weights = {weight.name: weight for weight in graph.initializer}

    def halve_shuffle(self) -> bool:
        """Shuffle a quarter of the channels into half the block; return whether the graph ends so."""
        end = self._maker(self._graph.output[0].name)
        if end is None or end.op_type != "Add":
            return False
        parts = {node.op_type: node for name in end.input if (node := self._maker(name))}
        shuffle, base = parts.get("DepthToSpace"), parts.get("Resize")
        if shuffle is None or base is None or not self._repeats_the_picture(base):
            return False
        block = _attribute(shuffle, "blocksize", 0)
        convolution = self._convolution(shuffle.input[0], _COLOURS * block**2)
        if convolution is None or block % 2 or _attribute(shuffle, "mode", b"DCR") != b"CRD":
            return False

        def of_quarters(filters: _Weights) -> _Weights:
            by_place = filters.reshape(_COLOURS, block // 2, 2, block // 2, 2, *filters.shape[1:])
            means: _Weights = by_place.mean(axis=(2, 4)).reshape(-1, *filters.shape[1:])
            return means

        for place in range(1, len(convolution.input)):
            self._replace(convolution, place, of_quarters(self._constant(convolution.input[place])))
        _set(shuffle, "blocksize", block // 2)
        place = [self._maker(name) is base for name in end.input].index(True)
        end.input[place] = self._repeated_picture(block // 2, f"{base.output[0]}_halved")
        return True

    def halve_convolution(self) -> bool:
        """Convolve every second pixel with the filter blurred by 2x2; return whether the graph ends so."""
        convolution = self._convolution(self._graph.output[0].name, _COLOURS)
        if convolution is None:
            return False
        filters = self._constant(convolution.input[1])
        blurred = np.zeros((*filters.shape[:2], _KERNEL[0] + 1, _KERNEL[1] + 1), np.float64)
        for row in (0, 1):
            for column in (0, 1):
                blurred[:, :, row : row + _KERNEL[0], column : column + _KERNEL[1]] += filters / 4
        self._replace(convolution, 1, blurred)
        # One pixel of zeros on all sides stays right: the last pair of pixels sees one beyond the edge, as before.
        _set(convolution, "kernel_shape", list(blurred.shape[2:]))
        _set(convolution, "strides", [2, 2])
        return True

    def _maker(self, name: str) -> NodeProto | None:
        """Return the node that makes a tensor, those that change nothing passed over."""
        node = self._makers.get(name)
        while node is not None and node.op_type == "Identity":
            node = self._makers.get(node.input[0])
        return node

    def _repeats_the_picture(self, resize: NodeProto) -> bool:
        mode = _attribute(resize, "mode", b"nearest")
        return bool(mode == b"nearest" and resize.input[0] == self._graph.input[0].name)

    def _convolution(self, name: str, outputs: int) -> NodeProto | None:
        """Return the convolution that makes a tensor, if it is a plain one of 3x3 with constant weights."""
        node = self._maker(name)
        if node is None or node.op_type != "Conv" or not all(map(self._is_constant, node.input[1:])):
            return None
        plain = (
            _attribute(node, "group", 1) == 1
            and set(_attribute(node, "strides", [1, 1])) == {1}
            and set(_attribute(node, "dilations", [1, 1])) == {1}
            and set(_attribute(node, "pads", [0])) == {1}
        )
        shape = self._constant(node.input[1]).shape
        return node if plain and shape[0] == outputs and shape[2:] == _KERNEL else None

    def _is_constant(self, name: str) -> bool:
        maker = self._maker(name)
        return name in self._weights or (maker is not None and maker.op_type == "Constant")

    def _constant(self, name: str) -> _Weights:
        """Return the values of a constant, in double precision."""
        maker = self._maker(name)
        tensor = self._weights[name] if maker is None else _attribute(maker, "value", None)
        return numpy_helper.to_array(tensor).astype(np.float64)

    def _replace(self, node: NodeProto, place: int, values: _Weights) -> None:
        """Give a node other weights of the same type."""
        old = node.input[place]
        maker = self._maker(old)
        kind = (self._weights[old] if maker is None else _attribute(maker, "value", None)).data_type
        node.input[place] = f"{old}_halved"
        self._add(node.input[place], values.astype(helper.tensor_dtype_to_np_dtype(kind)))

    def _add(self, name: str, values: _Weights) -> str:
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def _repeated_picture(self, times: int, name: str) -> str:
        """Enlarge the picture by repeating pixels; return what the result is called."""
        region = self._add(f"{name}_region", np.empty(0, np.float32))  # must be there in opset 11, and may be later
        scales = self._add(f"{name}_scales", np.array([1, 1, times, times], np.float32))
        repeat = helper.make_node(
            "Resize",
            [self._graph.input[0].name, region, scales],
            [name],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        self._graph.node.insert(0, repeat)
        return name


def _attribute(node: NodeProto, name: str, default: Any) -> Any:  # noqa: ANN401  as ONNX has it
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return default


def _set(node: NodeProto, name: str, value: int | list[int]) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _prune(graph: GraphProto) -> None:
    """Remove nodes and weights that nothing uses any more, and shapes that are no longer true."""
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # in a graph's order every node stands behind those it uses
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    _refill(graph.node, reversed(kept))
    _refill(graph.initializer, [weight for weight in graph.initializer if weight.name in wanted])
    del graph.value_info[:]


def _refill(field: Any, values: Iterable[Any]) -> None:  # noqa: ANN401  a repeated field has no type
    kept = list(values)
    del field[:]
    field.extend(kept)
