"""GFPGANv1Clean: the restorer of `GFPGANv1.2` to `1.4`, a U-net whose features steer a StyleGAN2 decoder.

It comes in two forms of the same function. A plain export modulates each convolution's weights, so that they are
computed anew in every run; with the modulation moved to the convolution's input the weights are constant.
Source of layers and names: gfpgan's archs/gfpganv1_clean_arch.py and stylegan2_clean_arch.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from predictor.stand_ins.net import Kernel, Net, State, Weights, conv_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predictor.stand_ins.net import Floats

Modulated = Literal["weights", "input"]

_SIDE = 512
_SIDES = (8, 16, 32, 64, 128, 256, 512)
_DECODER_CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64}
_STYLES = 2 * len(_SIDES) + 2
_EPSILON = 1e-8
_DECODER = "stylegan_decoder"


@dataclass(frozen=True, slots=True)
class Size:
    """As GFPGANv1Clean is told: num_style_feat, and narrow (with a channel_multiplier of 2)."""

    style: int
    narrow: float
    contrast: float
    """Of the weights that colour the picture: such that it lies between -1 and 1."""

    def decoder(self, side: int) -> int:
        """Return the decoder's channels where pictures are so wide."""
        return int(_DECODER_CHANNELS[side] * self.narrow)

    def encoder(self, side: int) -> int:
        """Return the U-net's channels: half the decoder's."""
        return self.decoder(side) // 2


FULL = Size(style=512, narrow=1.0, contrast=0.02)
TINY = Size(style=32, narrow=1 / 32, contrast=0.15)


def gfpgan_state(size: Size, seed: int = 6) -> State:
    """Return weights that strict loading into GFPGANv1Clean takes."""
    return _States(size, seed).state()


class _States:
    def __init__(self, size: Size, seed: int) -> None:
        self._size = size
        self._weights = Weights(seed)
        self._state = State()

    def state(self) -> State:
        self._encoder()
        self._decoder()
        self._conditions()
        return self._state

    def _encoder(self) -> None:
        size = self._size
        self._conv("conv_body_first", 3, size.encoder(_SIDE), kernel=1)
        channels = size.encoder(_SIDE)
        for index, side in enumerate(reversed((4, *_SIDES[:-1]))):
            self._residual(f"conv_body_down.{index}", channels, size.encoder(side))
            channels = size.encoder(side)
        self._conv("final_conv", channels, channels)
        self._linear("final_linear", channels * 16, _STYLES * size.style)
        for index, side in enumerate(_SIDES):
            self._residual(f"conv_body_up.{index}", channels, size.encoder(side))
            channels = size.encoder(side)
            self._conv(f"toRGB.{index}", channels, 3, kernel=1)  # used in training only

    def _decoder(self) -> None:
        size, style = self._size, self._size.style
        for index in range(1, 17, 2):
            self._linear(f"{_DECODER}.style_mlp.{index}", style, style)  # the styles come from the U-net instead
        channels = size.decoder(4)
        self._put(f"{_DECODER}.constant_input.weight", (1, channels, 4, 4), 1.0)
        self._styled(f"{_DECODER}.style_conv1", channels, channels)
        self._to_rgb(f"{_DECODER}.to_rgb1", channels)
        for index in range(_STYLES - 1):
            side = 2 ** ((index + 5) // 2)
            self._put(f"{_DECODER}.noises.noise{index}", (1, 1, side, side), 1.0)
        for index, side in enumerate(_SIDES):
            outputs = size.decoder(side)
            self._styled(f"{_DECODER}.style_convs.{2 * index}", channels, outputs)
            self._styled(f"{_DECODER}.style_convs.{2 * index + 1}", outputs, outputs)
            self._to_rgb(f"{_DECODER}.to_rgbs.{index}", outputs)
            channels = outputs

    def _conditions(self) -> None:
        for part in ("scale", "shift"):
            for index, side in enumerate(_SIDES):
                channels = self._size.encoder(side)
                self._conv(f"condition_{part}.{index}.0", channels, channels)
                self._conv(f"condition_{part}.{index}.2", channels, channels, gain=0.4)
                if part == "scale":
                    self._state[f"condition_{part}.{index}.2.bias"] += 1.0

    def _put(self, name: str, shape: tuple[int, ...], deviation: float) -> None:
        self._state[name] = self._weights.normal(shape, deviation)

    def _conv(self, name: str, inputs: int, outputs: int, kernel: int = 3, gain: float = 1.0) -> None:
        self._put(f"{name}.weight", (outputs, inputs, kernel, kernel), gain * math.sqrt(2 / (inputs * kernel**2)))
        self._put(f"{name}.bias", (outputs,), 0.01)

    def _linear(self, name: str, inputs: int, outputs: int, bias: float = 0.0) -> None:
        gain = 0.3 if bias else 1.0
        self._put(f"{name}.weight", (outputs, inputs), gain / math.sqrt(inputs))
        self._state[f"{name}.bias"] = np.full(outputs, bias, np.float32)

    def _residual(self, name: str, inputs: int, outputs: int) -> None:
        self._conv(f"{name}.conv1", inputs, inputs)
        self._conv(f"{name}.conv2", inputs, outputs, gain=0.5)
        self._put(f"{name}.skip.weight", (outputs, inputs, 1, 1), 0.7 * math.sqrt(2 / inputs))

    def _modulated(self, name: str, weight: tuple[int, int, int], gain: float = 1.0) -> None:
        outputs, inputs, kernel = weight
        shape = (1, outputs, inputs, kernel, kernel)
        self._put(f"{name}.modulated_conv.weight", shape, gain / math.sqrt(inputs * kernel**2))
        self._linear(f"{name}.modulated_conv.modulation", self._size.style, inputs, bias=1.0)

    def _styled(self, name: str, inputs: int, outputs: int) -> None:
        self._modulated(name, (outputs, inputs, 3))
        self._put(f"{name}.weight", (1,), 0.1)  # of the noise
        self._put(f"{name}.bias", (1, outputs, 1, 1), 0.01)

    def _to_rgb(self, name: str, inputs: int) -> None:
        self._modulated(name, (3, inputs, 1), gain=self._size.contrast)
        self._put(f"{name}.bias", (1, 3, 1, 1), 0.01)


def gfpgan(size: Size, state: State, modulated: Modulated) -> bytes:
    """Return the graph: input (N, 3, 512, 512), RGB, -1 to 1; one output of the same shape, not clipped.

    With modulated weights N is 1 and the output is called 1288, as in the common export; with a modulated input N is
    free and it is called output.
    """
    return _Gfpgan(size, state, modulated).graph()


class _Gfpgan:
    def __init__(self, size: Size, state: State, modulated: Modulated) -> None:
        self._size, self._state = size, state
        self._modulates_input = modulated == "input"
        self._net = Net("gfpgan")

    def graph(self) -> bytes:
        net = self._net
        shape = ["n" if self._modulates_input else 1, 3, _SIDE, _SIDE]
        x, skips = self._down(net.input("input", shape))
        x = net.leaky_relu(self._conv(x, "final_conv"))
        code = net.gemm(net.node("Flatten", x, axis=1), *self._constants("final_linear.weight", "final_linear.bias"))
        picture = self._decoded(code, self._up(x, skips))
        output = net.node("Identity", picture, output="output" if self._modulates_input else "1288")
        net.output(output, shape)
        return net.serialized()

    def _down(self, x: str) -> tuple[str, list[str]]:
        x = self._net.leaky_relu(self._conv(x, "conv_body_first"))
        skips: list[str] = []
        for index in range(len(_SIDES)):
            x = self._residual(x, f"conv_body_down.{index}", 0.5)
            skips.insert(0, x)
        return x, skips

    def _up(self, x: str, skips: list[str]) -> Iterator[tuple[str, str]]:
        """Yield a scale and a shift for each side."""
        net = self._net
        for index, skip in enumerate(skips):
            x = self._residual(net.node("Add", x, skip), f"conv_body_up.{index}", 2.0)
            scale, shift = (
                self._conv(net.leaky_relu(self._conv(x, f"{name}.{index}.0")), f"{name}.{index}.2")
                for name in ("condition_scale", "condition_shift")
            )
            yield scale, shift

    def _decoded(self, code: str, conditions: Iterator[tuple[str, str]]) -> str:
        net = self._net
        x = net.constant(self._state[f"{_DECODER}.constant_input.weight"])
        x = self._styled(x, "style_conv1", self._style(code, 0), 0)
        picture = self._to_rgb(x, "to_rgb1", self._style(code, 1))
        for index, (scale, shift) in enumerate(conditions):
            number = 2 * index + 1
            x = net.linear(x, 2)
            x = self._styled(x, f"style_convs.{2 * index}", self._style(code, number), number)
            kept, steered = net.halves(x, self._size.decoder(_SIDES[index]))
            steered = net.node("Add", net.node("Mul", steered, scale), shift)
            x = net.node("Concat", kept, steered, axis=1)
            x = self._styled(x, f"style_convs.{2 * index + 1}", self._style(code, number + 1), number + 1)
            colours = self._to_rgb(x, f"to_rgbs.{index}", self._style(code, number + 2))
            picture = net.node("Add", colours, net.linear(picture, 2))
        return picture

    def _residual(self, x: str, name: str, scale: float) -> str:
        net = self._net
        y = net.leaky_relu(self._conv(x, f"{name}.conv1"))
        y = net.leaky_relu(self._conv(net.linear(y, scale), f"{name}.conv2"))
        return net.node("Add", y, self._conv(net.linear(x, scale), f"{name}.skip"))

    def _style(self, code: str, number: int) -> str:
        start = number * self._size.style
        edges = [self._net.constant([value]) for value in (start, start + self._size.style, 1)]
        return self._net.node("Slice", code, *edges)

    def _styled(self, x: str, name: str, style: str, number: int) -> str:
        net = self._net
        y = self._modulated(x, name, style)
        noise = self._state[f"{_DECODER}.noises.noise{number}"] * self._state[f"{_DECODER}.{name}.weight"]
        y = net.node("Add", net.node("Add", y, net.constant(noise)), self._bias(name))
        return net.leaky_relu(y)

    def _to_rgb(self, x: str, name: str, style: str) -> str:
        return self._net.node("Add", self._modulated(x, name, style, demodulate=False), self._bias(name))

    def _modulated(self, x: str, name: str, style: str, *, demodulate: bool = True) -> str:
        """Convolve with weights that the style scales by input; demodulated, by the root of 2 and to a length of 1."""
        net, name = self._net, f"{_DECODER}.{name}.modulated_conv"
        scales = net.gemm(style, *self._constants(f"{name}.modulation.weight", f"{name}.modulation.bias"))
        weight = self._state[f"{name}.weight"][0]
        modulate = self._with_modulated_input if self._modulates_input else self._with_modulated_weights
        return modulate(x, weight, scales, demodulate=demodulate)

    def _with_modulated_weights(self, x: str, weight: Floats, scales: str, *, demodulate: bool) -> str:
        net, (_, inputs, kernel, _) = self._net, weight.shape
        row = net.node("Reshape", scales, net.constant([1, inputs, 1, 1]))
        scaled = net.node("Mul", net.constant(weight), row)
        if demodulate:
            squares = net.node("ReduceSum", net.node("Mul", scaled, scaled), net.constant([1, 2, 3]), keepdims=1)
            scaled = net.node("Div", scaled, self._length(squares))
        y = net.node("Conv", x, scaled, **conv_attributes(kernel, padding=kernel // 2))
        return net.node("Mul", y, net.constant(math.sqrt(2))) if demodulate else y

    def _with_modulated_input(self, x: str, weight: Floats, scales: str, *, demodulate: bool) -> str:
        net, (outputs, inputs, _, _) = self._net, weight.shape
        column = net.node("Reshape", scales, net.constant([-1, inputs, 1, 1]))
        y = net.conv(net.node("Mul", x, column), Kernel(weight, None))
        if not demodulate:
            return y
        squared_weight = net.constant(np.square(weight, dtype=np.float64).sum(axis=(2, 3)).T)
        squares = net.node("MatMul", net.node("Mul", scales, scales), squared_weight)
        factor = net.node("Div", net.constant(math.sqrt(2)), self._length(squares))
        return net.node("Mul", y, net.node("Reshape", factor, net.constant([-1, outputs, 1, 1])))

    def _length(self, squares: str) -> str:
        return self._net.node("Sqrt", self._net.node("Add", squares, self._net.constant(_EPSILON)))

    def _conv(self, x: str, name: str) -> str:
        return self._net.conv(x, Kernel.of(self._state, name))

    def _bias(self, name: str) -> str:
        return self._net.constant(self._state[f"{_DECODER}.{name}.bias"])

    def _constants(self, *names: str) -> list[str]:
        return [self._net.constant(self._state[name], name) for name in names]
