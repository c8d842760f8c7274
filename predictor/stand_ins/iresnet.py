"""ArcFace's residual network with 50 layers: the embedder of `w600k_r50.onnx`.

Source: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019; layers as in insightface's
recognition/arcface_torch/backbones/iresnet.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from predictor.stand_ins.net import Net, Weights

_FEATURES = 512
_CELLS = 7 * 7  # what is left of 112 x 112 after four strides


@dataclass(frozen=True, slots=True)
class Size:
    """How many channels and blocks there are."""

    stem: int
    stages: tuple[tuple[int, int], ...]
    """Blocks and channels of each stage."""


FULL = Size(stem=64, stages=((3, 64), (4, 128), (14, 256), (3, 512)))
TINY = Size(stem=4, stages=((1, 4), (2, 4), (1, 8), (1, 8)))


def iresnet(size: Size, seed: int = 2) -> bytes:
    """Return the graph: input.1 (N, 3, 112, 112), RGB, -1 to 1; output 683 (N, 512)."""
    net, weights = Net("w600k_r50", opset=11), Weights(seed)
    x = net.conv(net.input("input.1", ["None", 3, 112, 112]), weights.kernel(3, size.stem))
    x, channels = _prelu(net, x, size.stem), size.stem
    for blocks, outputs in size.stages:
        for block in range(blocks):
            x = _residual(net, weights, x, (channels, outputs), 1 if block else 2)
            channels = outputs
    x = net.node("Flatten", net.batch_norm(x, channels), axis=1)
    inputs = channels * _CELLS
    weight = net.constant(weights.normal((_FEATURES, inputs), math.sqrt(1 / inputs)), "fc.weight")
    x = net.gemm(x, weight, net.constant(weights.normal((_FEATURES,), 0.02), "fc.bias"))
    net.output(net.batch_norm(x, _FEATURES, output="683"), ["None", _FEATURES])
    return net.serialized()


def _residual(net: Net, weights: Weights, x: str, channels: tuple[int, int], stride: int) -> str:
    inputs, outputs = channels
    y = net.conv(net.batch_norm(x, inputs), weights.kernel(inputs, outputs))
    y = net.conv(_prelu(net, y, outputs), weights.kernel(outputs, outputs, gain=0.3), stride)
    if stride != 1 or inputs != outputs:
        x = net.conv(x, weights.kernel(inputs, outputs, 1), stride)
    return net.node("Add", y, x)


def _prelu(net: Net, x: str, channels: int) -> str:
    return net.prelu(x, np.full(channels, 0.25, np.float32))
