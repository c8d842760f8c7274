"""SCRFD-10G with key points: the detector of `det_10g.onnx`.

A residual backbone, a feature pyramid up and down again, and one head per stride (8, 16, 32) with two anchors a cell.
Source: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021; layers as listed in
insightface's configuration scrfd_10g_bnkps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from predictor.stand_ins.net import Kernel, Net, Weights

_ANCHORS = 2
_BOX_DISTANCE = 2.0
"""From an anchor to each side of its box, in strides."""
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


FULL = Size(stem=28, stages=((3, 56), (4, 88), (2, 88), (3, 224)), neck=56, head=80, head_depth=3)
TINY = Size(stem=4, stages=((1, 4), (1, 4), (1, 4), (1, 8)), neck=4, head=4, head_depth=1)


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
        for level, names in zip(levels, _OUTPUTS, strict=True):
            self._head(level, names)
        for kind, width in enumerate((1, 4, 10)):
            for names in _OUTPUTS:
                net.output(names[kind], [f"n{names[kind]}", width])
        return net.serialized()

    def _backbone(self, x: str) -> list[tuple[str, int]]:
        """Return the features of the last three stages and how many channels each has."""
        channels = self._size.stages[0][1]
        x = self._conv_relu(x, 3, self._size.stem, stride=2)
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
        y = net.conv(y, self._weights.kernel(outputs, outputs, gain=0.3))
        if stride != 1:
            x = net.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4, ceil_mode=1)
        if stride != 1 or inputs != outputs:
            x = net.conv(x, self._weights.kernel(inputs, outputs, 1))
        return net.relu(net.node("Add", y, x))

    def _pyramid(self, features: list[tuple[str, int]]) -> list[str]:
        net, neck = self._net, self._size.neck
        levels = [net.conv(x, self._weights.kernel(channels, neck, 1)) for x, channels in features]
        for coarse in (2, 1):
            levels[coarse - 1] = net.node("Add", levels[coarse - 1], self._enlarged(levels[coarse], levels[coarse - 1]))
        levels = [self._conv(x, neck, neck) for x in levels]
        for fine in (0, 1):
            levels[fine + 1] = net.node("Add", levels[fine + 1], self._conv(levels[fine], neck, neck, 2))
        return [levels[0], *(self._conv(x, neck, neck) for x in levels[1:])]

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

    def _head(self, x: str, names: tuple[str, str, str]) -> None:
        net, channels = self._net, self._size.neck
        for _ in range(self._size.head_depth):
            x = self._conv_relu(x, channels, self._size.head)
            channels = self._size.head
        scores, boxes, points = names
        net.node("Sigmoid", self._rows(net.conv(x, self._answer(1, self._score_bias)), 1), output=scores)
        distances = net.node("Mul", net.conv(x, self._answer(4, _BOX_DISTANCE)), net.constant(1.0))
        self._rows(distances, 4, boxes)
        self._rows(net.conv(x, self._answer(10, 0.0)), 10, points)

    def _answer(self, width: int, bias: float) -> Kernel:
        kernel = self._weights.kernel(self._size.head, _ANCHORS * width, gain=0.2)
        return replace(kernel, bias=np.full(_ANCHORS * width, bias, np.float32))

    def _rows(self, x: str, width: int, output: str = "") -> str:
        """Return a map with one row an anchor: cell by cell, left to right, then down."""
        net = self._net
        by_cell = net.node("Transpose", x, perm=[2, 3, 0, 1])
        return net.node("Reshape", by_cell, net.constant([-1, width]), output=output)

    def _conv(self, x: str, inputs: int, outputs: int, stride: int = 1) -> str:
        return self._net.conv(x, self._weights.kernel(inputs, outputs), stride)

    def _conv_relu(self, x: str, inputs: int, outputs: int, stride: int = 1) -> str:
        return self._net.relu(self._conv(x, inputs, outputs, stride))
