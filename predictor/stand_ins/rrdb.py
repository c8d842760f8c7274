"""RRDBNet: the upsampler of `RealESRGAN_x4plus` and, with pixels folded into channels first, of `RealESRGAN_x2plus`.

Source of layers and names: basicsr's archs/rrdbnet_arch.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from predictor.stand_ins.net import Kernel, Net, State, Weights

_DENSE_CONVOLUTIONS = 5
_RESIDUAL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Size:
    """As RRDBNet is told: num_feat, num_grow_ch, num_block, scale (2 or 4)."""

    features: int
    growth: int
    blocks: int
    texture: float
    """Of the weights that add texture to the picture: such that it is a few levels."""
    scale: int = 4

    @property
    def fold(self) -> int:
        """How many pixels a side become one: the network itself always enlarges four times."""
        return 4 // self.scale


FULL_X4 = Size(features=64, growth=32, blocks=23, texture=0.003)
TINY_X4 = Size(features=8, growth=4, blocks=1, texture=0.3)
FULL_X2, TINY_X2 = replace(FULL_X4, scale=2), replace(TINY_X4, scale=2)


def rrdb_state(size: Size, seed: int = 5) -> State:
    """Return weights that strict loading into RRDBNet takes.

    The first three features carry the picture through, so that what comes out is the picture enlarged, with texture.
    """
    weights, state = Weights(seed), State()

    def conv(name: str, inputs: int, outputs: int, gain: float = 1.0) -> None:
        state[f"{name}.weight"] = weights.normal((outputs, inputs, 3, 3), gain * math.sqrt(2 / (inputs * 9)))
        state[f"{name}.bias"] = weights.normal((outputs,), 0.01 * gain)

    conv("conv_first", 3 * size.fold**2, size.features)
    for block in range(size.blocks):
        for dense in (1, 2, 3):
            for index in range(_DENSE_CONVOLUTIONS):
                outputs = size.growth if index < _DENSE_CONVOLUTIONS - 1 else size.features
                conv(f"body.{block}.rdb{dense}.conv{index + 1}", size.features + index * size.growth, outputs, 0.5)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        conv(name, size.features, size.features)
    conv("conv_last", size.features, 3, size.texture)
    _carry_the_picture(state, size.fold**2)
    return state


def _carry_the_picture(state: State, fold: int) -> None:
    for name in ("conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"):
        weight = state[f"{name}.weight"]
        state[f"{name}.bias"][:3] = 0.0
        if name == "conv_last":
            weight -= weight.mean(axis=(2, 3), keepdims=True)  # texture, but no change of colour
        else:
            weight[:3] = 0.0
        if name != "conv_body":  # what the blocks make of the picture is added to it
            pixels = fold if name == "conv_first" else 1
            for colour in range(3):
                weight[colour, colour * pixels : (colour + 1) * pixels, 1, 1] += 1 / pixels


def rrdb(size: Size, state: State) -> bytes:
    """Return the graph: input (n, 3, h, w), RGB, 0 to 1; output (n, 3, h * scale, w * scale)."""
    net = Net("rrdb")
    x = net.input("input", ["n", 3, "h", "w"])
    if size.fold > 1:
        x = net.node("SpaceToDepth", x, blocksize=size.fold)
    x = first = net.conv(x, _folded(Kernel.of(state, "conv_first"), size.fold))
    share = net.constant(_RESIDUAL_SHARE)
    for block in range(size.blocks):
        before = x
        for dense in (1, 2, 3):
            x = _dense(net, x, state, f"body.{block}.rdb{dense}", share)
        x = net.node("Add", net.node("Mul", x, share), before)
    x = net.node("Add", first, net.conv(x, Kernel.of(state, "conv_body")))
    for name in ("conv_up1", "conv_up2"):
        x = net.leaky_relu(net.conv(net.nearest(x, 2), Kernel.of(state, name)))
    x = net.leaky_relu(net.conv(x, Kernel.of(state, "conv_hr")))
    x = net.conv(x, Kernel.of(state, "conv_last"))
    net.output(net.node("Identity", x, output="output"), ["n", 3, "H", "W"])
    return net.serialized()


def _dense(net: Net, x: str, state: State, name: str, share: str) -> str:
    """Five convolutions, each of which sees all before it."""
    seen = [x]
    for index in range(1, _DENSE_CONVOLUTIONS + 1):
        together = net.node("Concat", *seen, axis=1) if len(seen) > 1 else x
        y = net.conv(together, Kernel.of(state, f"{name}.conv{index}"))
        seen.append(net.leaky_relu(y) if index < _DENSE_CONVOLUTIONS else y)
    return net.node("Add", net.node("Mul", seen[-1], share), x)


def _folded(kernel: Kernel, fold: int) -> Kernel:
    """Reorder inputs: PyTorch folds a colour's pixels side by side, SpaceToDepth a pixel's colours."""
    outputs, inputs, height, width = kernel.weight.shape
    by_colour = kernel.weight.reshape(outputs, inputs // fold**2, fold**2, height, width)
    return Kernel(by_colour.swapaxes(1, 2).reshape(kernel.weight.shape), kernel.bias, kernel.name)
