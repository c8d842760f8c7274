"""SCRFD-10G with key points: the detector of `det_10g.onnx`.

A residual backbone, a feature pyramid up and down again, and one head per stride (8, 16, 32) with two anchors a cell.
Source: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021; layers as listed in
insightface's configuration scrfd_10g_bnkps.

Random weights find no faces. The tiny one sees a mark instead (`stand_ins.mark`): its first channel tells how magenta
each place is, is carried unchanged to the middle stride, and decides the scores there. So whole servers can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from predictor.stand_ins.net import Kernel, Net, Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.stand_ins.net import Floats

_ANCHORS = 2
_BOX_DISTANCE = 2.0
"""From an anchor to each side of its box, in strides."""
_SEEING = 1
"""The stride whose head sees marks, counted from the finest."""
_FACE_DISTANCE = 4.5
"""As _BOX_DISTANCE, where marks are seen."""
_FACE = np.array([(-1.1, -1.3), (1.1, -1.3), (0.0, 0.0), (-0.9, 1.3), (0.9, 1.3)], np.float32)
"""Landmarks about a mark, in strides: ArcFace's layout."""
_OUTPUTS = (("448", "451", "454"), ("471", "474", "477"), ("494", "497", "500"))
"""Scores, boxes and key points of each stride, as det_10g.onnx calls them."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many channels and blocks there are."""

    stem: int
    stages: tuple[tuple[int, int], ...]
    """Blocks and channels of each stage."""
    neck: int
    head: int
    head_depth: int
    variation: float
    """Of the weights that answer: with those of the tiny one, an answer that a mark gives is right to half a stride."""
    sees_marks: bool


FULL = Size(
    stem=28,
    stages=((3, 56), (4, 88), (2, 88), (3, 224)),
    neck=56,
    head=80,
    head_depth=3,
    variation=0.2,
    sees_marks=False,
)
TINY = Size(
    stem=8, stages=((1, 8), (1, 8), (1, 8), (1, 16)), neck=12, head=12, head_depth=1, variation=0.03, sees_marks=True
)


def scrfd(size: Size, seed: int = 1, score_bias: float = -4.6) -> bytes:
    """Return the graph: input.1 (1, 3, H, W), RGB, about -1 to 1; nine outputs, one row an anchor.

    Args:
        size: FULL or TINY.
        seed: Of the weights.
        score_bias: How sure it is of nothing at all; -4.6 is 1 %, so that a threshold lets nothing through.
    """
    return _Scrfd(size, seed, score_bias).graph()


class _Scrfd:
    def __init__(self, size: Size, seed: int, score_bias: float) -> None:
        self._size, self._score_bias = size, score_bias
        self._weights = Weights(seed)
        self._net = Net("det_10g", opset=11)

    def graph(self) -> bytes:
        net = self._net
        levels = self._pyramid(self._backbone(net.input("input.1", [1, 3, "?", "?"])))
        for level, x in enumerate(levels):
            self._head(x, level)
        for kind, width in enumerate((1, 4, 10)):
            for names in _OUTPUTS:
                net.output(names[kind], [f"n{names[kind]}", width])
        return net.serialized()

    def _backbone(self, x: str) -> list[tuple[str, int]]:
        """Return the features of the last three stages and how many channels each has."""
        channels = self._size.stages[0][1]
        x = self._net.relu(self._net.conv(x, self._first_kernel(), 2))
        x = self._conv_relu(x, self._size.stem, self._size.stem)
        x = self._conv_relu(x, self._size.stem, channels)
        x = self._net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
        features = []
        for stage, (blocks, outputs) in enumerate(self._size.stages):
            for block in range(blocks):
                x = self._residual(x, channels, outputs, 2 if stage and not block else 1)
                channels = outputs
            features.append((x, channels))
        return features[1:]

    def _residual(self, x: str, inputs: int, outputs: int, stride: int) -> str:
        net = self._net
        y = self._conv_relu(x, inputs, outputs, stride)
        y = net.conv(y, self._kernel(outputs, outputs, gain=0.3, carry=0.0))
        if stride != 1:
            x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4, ceil_mode=1)
        if stride != 1 or inputs != outputs:
            x = net.conv(x, self._kernel(inputs, outputs, 1))
        return net.relu(net.node("Add", y, x))

    def _pyramid(self, features: list[tuple[str, int]]) -> list[str]:
        net, neck = self._net, self._size.neck
        levels = [
            net.conv(x, self._kernel(channels, neck, 1, carry=_carry(level)))
            for level, (x, channels) in enumerate(features)
        ]
        for coarse in (2, 1):
            levels[coarse - 1] = net.node("Add", levels[coarse - 1], self._enlarged(levels[coarse], levels[coarse - 1]))
        levels = [net.conv(x, self._kernel(neck, neck, carry=_carry(level))) for level, x in enumerate(levels)]
        for fine in (0, 1):
            down = net.conv(levels[fine], self._kernel(neck, neck, carry=0.0), 2)
            levels[fine + 1] = net.node("Add", levels[fine + 1], down)
        coarser = [net.conv(levels[level], self._kernel(neck, neck, carry=_carry(level))) for level in (1, 2)]
        return [levels[0], *coarser]

    def _enlarged(self, x: str, like: str) -> str:
        """Return a level as high and wide as another, whatever the size of the picture."""
        net = self._net
        kept, sides = self._part_of_shape(x, 0, 2), self._part_of_shape(like, 2, 4)
        shape = net.node("Concat", kept, sides, axis=0)
        nothing = net.constant(np.empty(0))
        attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return net.node("Resize", x, nothing, nothing, shape, mode="nearest", **attributes)

    def _part_of_shape(self, x: str, start: int, end: int) -> str:
        net = self._net
        edges = [net.constant([number]) for number in (start, end, 0)]
        return net.node("Slice", net.node("Shape", x), *edges)

    def _head(self, x: str, level: int) -> None:
        net, channels = self._net, self._size.neck
        for depth in range(self._size.head_depth):
            kernel = self._kernel(channels, self._size.head)
            if self._size.sees_marks and not depth:
                kernel = _carrying(kernel, [4.0], -3.0)  # three quarters of a cell must be marked to count at all
            x = net.relu(net.conv(x, kernel))
            channels = self._size.head
        scores, boxes, points = _OUTPUTS[level]
        sees = self._size.sees_marks and level == _SEEING
        net.node("Sigmoid", self._rows(net.conv(x, self._scores()), 1), output=scores)
        distances = [_FACE_DISTANCE if sees else _BOX_DISTANCE] * 4
        self._rows(net.node("Mul", net.conv(x, self._answer(distances)), net.constant(1.0)), 4, boxes)
        self._rows(net.conv(x, self._answer(_FACE.ravel() if sees else [0.0] * 10)), 10, points)

    def _scores(self) -> Kernel:
        kernel = self._answer([self._score_bias])
        if self._size.sees_marks:
            kernel.weight[0, 0, 1, 1] = 9.0  # one of the two anchors: 1 % without a mark, 98 % with one
        return kernel

    def _answer(self, middle: Sequence[float] | Floats) -> Kernel:
        """Return weights whose answers lie about such values, for each anchor."""
        kernel = self._weights.kernel(self._size.head, _ANCHORS * len(middle), gain=self._size.variation)
        return replace(kernel, bias=np.tile(np.asarray(middle, np.float32), _ANCHORS))

    def _rows(self, x: str, width: int, output: str = "") -> str:
        """Return a map with one row an anchor: cell by cell, left to right, then down."""
        net = self._net
        by_cell = net.node("Transpose", x, perm=[2, 3, 0, 1])
        return net.node("Reshape", by_cell, net.constant([-1, width]), output=output)

    def _conv_relu(self, x: str, inputs: int, outputs: int, stride: int = 1) -> str:
        return self._net.relu(self._net.conv(x, self._kernel(inputs, outputs), stride))

    def _kernel(self, inputs: int, outputs: int, size: int = 3, gain: float = 1.0, carry: float = 1.0) -> Kernel:
        kernel = self._weights.kernel(inputs, outputs, size, gain)
        return _carrying(kernel, [carry]) if self._size.sees_marks else kernel

    def _first_kernel(self) -> Kernel:
        kernel = self._weights.kernel(3, self._size.stem)
        # red - green + blue of pure magenta is 3, of nearly all else less than 2.5
        return _carrying(kernel, [2.0, -2.0, 2.0], -5.0) if self._size.sees_marks else kernel


def _carry(level: int) -> float:
    return float(level == _SEEING)


def _carrying(kernel: Kernel, weights: Sequence[float], bias: float = 0.0) -> Kernel:
    """Make the first output a sum of the first inputs, of the same place alone."""
    middle = kernel.weight.shape[2] // 2
    kernel.weight[0] = 0.0
    kernel.weight[0, : len(weights), middle, middle] = weights
    shifted = np.array([bias, *kernel.bias[1:]], np.float32) if kernel.bias is not None else None
    return replace(kernel, bias=shifted)
