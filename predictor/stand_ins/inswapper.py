"""The swapper of `inswapper_128.onnx`: convolutions down, residual blocks styled by the source, convolutions up.

The file holds one tensor that no node uses: the matrix that turns an embedding into what `source` wants. It is the
last of the initializers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from predictor.stand_ins.net import Kernel, Net, Weights

_EMBEDDING = 512
_SIDE = 128


@dataclass(frozen=True, slots=True)
class Size:
    """How many channels and blocks there are."""

    channels: int
    """Of the residual blocks; an eighth of it at full size."""
    blocks: int


FULL = Size(channels=1024, blocks=6)
TINY = Size(channels=16, blocks=2)


def inswapper(size: Size, seed: int = 3) -> bytes:
    """Return the graph: target (1, 3, 128, 128), RGB, 0 to 1, and source (1, 512); output (1, 3, 128, 128), 0 to 1."""
    return _Inswapper(size, seed).graph()


class _Inswapper:
    def __init__(self, size: Size, seed: int) -> None:
        self._size = size
        self._weights = Weights(seed)
        self._net = Net("inswapper_128", opset=11)

    def graph(self) -> bytes:
        net, most = self._net, self._size.channels
        x = net.input("target", [1, 3, _SIDE, _SIDE])
        net.input("source", [1, _EMBEDDING])
        x = net.leaky_relu(self._reflected(x, self._weights.kernel(3, most // 8, 7)))
        for inputs, outputs, stride in ((most // 8, most // 4, 1), (most // 4, most // 2, 2), (most // 2, most, 2)):
            x = net.leaky_relu(net.conv(x, self._weights.kernel(inputs, outputs), stride))
        for _ in range(self._size.blocks):
            x = net.node("Add", x, self._styled(net.relu(self._styled(x))))
        x = self._up(x)
        x = net.node("Tanh", self._reflected(x, self._weights.kernel(most // 8, 3, 7, gain=0.3)))
        net.node("Div", net.node("Add", x, net.constant(1.0)), net.constant(2.0), output="output")
        net.output("output", [1, 3, _SIDE, _SIDE])
        net.constant(self._weights.normal((_EMBEDDING, _EMBEDDING), math.sqrt(1 / _EMBEDDING)), "buff2fs")
        return net.serialized()

    def _up(self, x: str) -> str:
        net, most = self._net, self._size.channels
        x = net.leaky_relu(net.conv(net.linear(x, 2), self._weights.kernel(most, most // 2, gain=0.6)))
        x = net.leaky_relu(net.conv(net.linear(x, 2), self._weights.kernel(most // 2, most // 4)))
        return net.leaky_relu(net.conv(x, self._weights.kernel(most // 4, most // 8)))

    def _styled(self, x: str) -> str:
        """Convolve, normalise each channel over the crop, and give it a scale and a shift that the source decides."""
        net, channels = self._net, self._size.channels
        y = self._normalised(self._reflected(x, self._weights.kernel(channels, channels)))
        weight = net.constant(self._weights.normal((2 * channels, _EMBEDDING), math.sqrt(1 / _EMBEDDING)))
        bias = net.constant(np.concatenate([np.ones(channels), np.zeros(channels)]))
        style = net.gemm("source", weight, bias)
        style = net.node("Unsqueeze", net.node("Unsqueeze", style, axes=[2]), axes=[3])
        scale, shift = (self._channels(style, start, start + channels) for start in (0, channels))
        return net.node("Add", net.node("Mul", y, scale), shift)

    def _normalised(self, x: str) -> str:
        net = self._net
        centred = net.node("Sub", x, net.node("ReduceMean", x, axes=[2, 3], keepdims=1))
        variance = net.node("ReduceMean", net.node("Mul", centred, centred), axes=[2, 3], keepdims=1)
        deviation = net.node("Sqrt", net.node("Add", variance, net.constant(1e-8)))
        return net.node("Mul", centred, net.node("Div", net.constant(1.0), deviation))

    def _channels(self, x: str, start: int, end: int) -> str:
        edges = [self._net.constant([number]) for number in (start, end, 1)]
        return self._net.node("Slice", x, *edges)

    def _reflected(self, x: str, kernel: Kernel) -> str:
        """Convolve a picture that is mirrored at its edges."""
        padding = kernel.weight.shape[2] // 2
        pads = self._net.constant([0, 0, padding, padding] * 2)
        return self._net.conv(self._net.node("Pad", x, pads, mode="reflect"), kernel, padding=0)
