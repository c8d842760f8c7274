"""GFPGAN with constant weights: the style scales a convolution's input and output instead of its weights.

GFPGANv1Clean computes the weights of each convolution of its decoder anew in every run, from the style s:
W·s, divided by its length d = sqrt(Σ(W·s)² + ε). A convolution is linear in each channel, so conv(x·s, W) / d is the
same function (to rounding), d² = (s²) @ (ΣW²) + ε is a small product, the engine packs W once, and the faces of a
batch share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

# StyleConv multiplies what its convolution gives by this.
_STYLE_GAIN = 2**0.5


class ModulatedConvolution(nn.Module):
    """An official ModulatedConv2d with the style moved from its weights to its input.

    Args:
        official: The module whose weights it takes.
        gain: What the result is multiplied by; only where the official one demodulates.
    """

    def __init__(self, official: Any, gain: float = 1.0) -> None:  # noqa: ANN401  # gfpgan has no types
        super().__init__()
        weight = official.weight[0]
        self.modulation = official.modulation
        self.weight = nn.Parameter(weight.detach(), requires_grad=False)
        self.upsamples = official.sample_mode == "upsample"
        squares = weight.double().square().sum((2, 3)).T / gain**2
        self.register_buffer("squares", squares.float() if official.demodulate else None)
        self.epsilon = official.eps / gain**2

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Return the convolved features, (N, out, H, W); twice as wide and high where the official one upsamples.

        Args:
            features: Shape (N, in, H, W); one for all styles has N = 1.
            style: Shape (N, style features).
        """
        scale = self.modulation(style)
        features = features * scale[:, :, None, None]
        if self.upsamples:
            features = functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        convolved = functional.conv2d(features, self.weight, padding=self.weight.shape[-1] // 2)
        if self.squares is None:
            return convolved
        inverse_length = torch.rsqrt(scale.square() @ self.squares + self.epsilon)
        return convolved * inverse_length[:, :, None, None]


class StyledConvolution(nn.Module):
    """An official StyleConv with constant weights and the noise that is stored with them.

    Args:
        official: The module whose weights it takes.
        noise: Shape (1, 1, H, W).
    """

    def __init__(self, official: Any, noise: Tensor) -> None:  # noqa: ANN401  # gfpgan has no types
        super().__init__()
        self.modulated_conv = ModulatedConvolution(official.modulated_conv, _STYLE_GAIN)
        self.register_buffer("noise", official.weight.detach() * noise)
        self.bias = official.bias
        self.activate = official.activate

    def forward(self, features: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the convolved features, with noise and bias, activated; the noise that is handed in is stored here."""
        return self.activate(self.modulated_conv(features, style) + self.noise + self.bias)


class _SharedInput(nn.Module):
    """The decoder's constant input, one for the whole batch: the first convolution's styles make it as many."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, batch: int) -> Tensor:  # noqa: ARG002  # the official one repeats it so often
        return self.weight


def make_weights_constant(network: Any) -> None:  # noqa: ANN401  # gfpgan has no types
    """Replace, in an official GFPGANv1Clean, every convolution whose weights depend on the input."""
    decoder = network.stylegan_decoder
    noises = [getattr(decoder.noises, f"noise{index}") for index in range(decoder.num_layers)]
    styled = [decoder.style_conv1, *decoder.style_convs]
    first, *others = (StyledConvolution(official, noise) for official, noise in zip(styled, noises, strict=True))
    decoder.style_conv1, decoder.style_convs = first, nn.ModuleList(others)
    for to_rgb in (decoder.to_rgb1, *decoder.to_rgbs):
        to_rgb.modulated_conv = ModulatedConvolution(to_rgb.modulated_conv)
    decoder.constant_input = _SharedInput(decoder.constant_input.weight)
