"""SRVGGNetCompact: the upsampler of `realesr-general-x4v3`, plain convolutions and a pixel shuffle.

Source of layers and names: realesrgan's archs/srvgg_arch.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from predictor.stand_ins.net import Kernel, Net, State, Weights


@dataclass(frozen=True, slots=True)
class Size:
    """As SRVGGNetCompact is told: num_feat, num_conv, upscale."""

    features: int
    convolutions: int
    scale: int = 4


FULL = Size(features=64, convolutions=32)
TINY = Size(features=8, convolutions=2)


def srvgg_state(size: Size, seed: int = 4) -> State:
    """Return weights that strict loading into SRVGGNetCompact takes.

    What they add to the enlarged picture has a mean near 0 and some levels of texture.
    """
    weights, state = Weights(seed), State()
    channels = [3, *[size.features] * (size.convolutions + 1), 3 * size.scale**2]
    last = len(channels) - 2
    for index, (inputs, outputs) in enumerate(pairwise(channels)):
        gain = 0.05 if index == last else 1.0
        state[f"body.{2 * index}.weight"] = weights.normal((outputs, inputs, 3, 3), gain * math.sqrt(2 / (inputs * 9)))
        state[f"body.{2 * index}.bias"] = weights.normal((outputs,), 0.01 * gain)
        if index != last:
            state[f"body.{2 * index + 1}.weight"] = np.full(outputs, 0.2, np.float32)
    return state


def srvgg(size: Size, state: State) -> bytes:
    """Return the graph: input (n, 3, h, w), RGB, 0 to 1; output (n, 3, h * scale, w * scale)."""
    net = Net("srvgg")
    picture = x = net.input("input", ["n", 3, "h", "w"])
    for index in range(size.convolutions + 1):
        x = net.conv(x, Kernel.of(state, f"body.{2 * index}"))
        name = f"body.{2 * index + 1}.weight"
        x = net.prelu(x, state[name], name)
    x = net.conv(x, Kernel.of(state, f"body.{2 * size.convolutions + 2}"))
    x = net.node("DepthToSpace", x, blocksize=size.scale, mode="CRD")
    net.output(net.node("Add", x, net.nearest(picture, size.scale), output="output"), ["n", 3, "H", "W"])
    return net.serialized()
