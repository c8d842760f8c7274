"""ParseNet: the face parser that GFPGANer masks with, a residual encoder and decoder that names each pixel's class.

Source of the layers: facexlib's parsing/parsenet.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from predictor.stand_ins.net import Kernel, Net, Weights

_SIDE, _CLASSES = 512, 19
_HALVINGS = 4
_PADS = [0, 0, 1, 1] * 2


@dataclass(frozen=True, slots=True)
class Size:
    """As ParseNet is told: base_ch, the upper end of ch_range, res_depth."""

    base: int
    most: int
    depth: int


FULL = Size(base=64, most=256, depth=10)
TINY = Size(base=4, most=8, depth=1)


def parsenet(size: Size) -> bytes:
    """Return the graph: input (N, 3, 512, 512), RGB, -1 to 1; output (N, 19, 512, 512), how much each class fits."""
    return _ParseNet(size).graph()


class _ParseNet:
    def __init__(self, size: Size, seed: int = 7) -> None:
        self._size = size
        self._weights = Weights(seed)
        self._net = Net("parsenet")

    def graph(self) -> bytes:
        net, base, most = self._net, self._size.base, self._size.most
        widths = [min(base * 2**step, most) for step in range(_HALVINGS + 1)]
        x = self._mirrored(net.input("input", ["n", 3, _SIDE, _SIDE]), self._weights.kernel(3, base))
        for inputs, outputs in pairwise(widths):
            x = self._block(x, inputs, outputs, down=True)
        deep = x
        for _ in range(self._size.depth):
            x = self._block(x, widths[-1], widths[-1])
        x = net.node("Add", deep, x)
        for inputs, outputs in pairwise(reversed(widths)):
            x = self._block(x, inputs, outputs, up=True)
        x = self._mirrored(x, self._weights.kernel(base, _CLASSES, gain=0.02))
        net.output(net.node("Identity", x, output="output"), ["n", _CLASSES, _SIDE, _SIDE])
        return net.serialized()

    def _block(self, x: str, inputs: int, outputs: int, *, down: bool = False, up: bool = False) -> str:
        """Two convolutions beside the picture itself, or beside one convolution where its size changes."""
        net, stride = self._net, 2 if down else 1
        given = net.nearest(x, 2) if up else x
        beside = self._mirrored(given, self._weights.kernel(inputs, outputs, gain=0.7), stride) if down or up else x
        y = net.leaky_relu(self._normalised(given, inputs, outputs))
        return net.node("Add", beside, self._normalised(y, outputs, outputs, stride, gain=0.5))

    def _normalised(self, x: str, inputs: int, outputs: int, stride: int = 1, gain: float = 1.0) -> str:
        kernel = self._weights.kernel(inputs, outputs, gain=gain)
        return self._net.batch_norm(self._mirrored(x, Kernel(kernel.weight, None), stride), outputs)

    def _mirrored(self, x: str, kernel: Kernel, stride: int = 1) -> str:
        """Convolve a picture that is mirrored at its edges."""
        mirrored = self._net.node("Pad", x, self._net.constant(_PADS), mode="reflect")
        return self._net.conv(mirrored, kernel, stride, padding=0)
