"""How skin changes its colour as it gets darker: by a power of its brightness in each channel.

In a neutral light shadows on skin are a little warmer than skin in the light. In a picture whose highlights have been
pushed to white they are much warmer: red hardly falls, blue falls fast. A face laid into such a picture with shadows
that are only darker looks grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from predictor.faces import Mask
    from predictor.imaging.colour import Colour, Pixels

_DARKEST = 8.0
"""Level that a darker one is taken for: what is nearly black tells nothing."""
_SLOPE_BOUNDS = (0.0, 3.0)
_LEAST_SHADE = 0.05
"""Skin whose brightness varies less than this, as a logarithm, has no shadows to learn from."""
_SHADES = ((-1.1, -0.45, 0.0, 0.25), (0.0, -0.45, 0.0, 0.25))
"""From a place's brightness against the skin's, as a logarithm, to what counts as shade: black is hair, not shadow."""


def slopes(image: Pixels, brightness: Mask, weights: Mask) -> Colour:
    """Return by which power of its brightness each channel of skin rises; all 1 where shadows are only darker.

    Args:
        image: RGB, 0 to 255, shape (N, N, 3).
        brightness: Of the image, shape (N, N).
        weights: Where it is skin, shape (N, N), 0 to 1.
    """
    logarithm, channels = np.log(np.maximum(brightness, _DARKEST)), np.log(np.maximum(image, _DARKEST))
    total = max(float(weights.sum()), 1e-6)
    away = weights * (logarithm - float((weights * logarithm).sum()) / total)
    # As if there were some more skin with shadows that are only darker: evenly lit skin tells nothing of them.
    little = _LEAST_SHADE**2 * total
    rises = (np.einsum("ij,ijk->k", away, channels) + little) / (float((away * logarithm).sum()) + little)
    bounded: Colour = np.clip(rises, *_SLOPE_BOUNDS).astype(np.float32)
    return bounded


def shaded(tone: Colour, rises: Colour, ratio: Mask) -> Pixels:
    """Return skin's colour where it has another brightness than its tone, shape (N, N, 3).

    Args:
        tone: Its colour in the usual light.
        rises: Its slopes.
        ratio: Brightness against the tone's, above 0, shape (N, N).
    """
    colours: Pixels = (tone * np.exp(np.log(ratio)[..., None] * rises)).astype(np.float32)
    return colours


def warming(ratio: Mask, own: Colour, wanted: Colour) -> Pixels:
    """Return factors of each channel that give one skin's shadows another's warmth, shape (N, N, 3).

    Shadows only become warmer. Cooled ones would be grey or blue: lids, nostrils and stubble are no skin in the shade.

    Args:
        ratio: Brightness against the skin's around, above 0, shape (N, N).
        own: The skin's slopes.
        wanted: The other's.
    """
    difference = wanted - own
    if difference[2] <= difference[0]:
        return np.ones((*ratio.shape, 3), np.float32)
    shade = np.interp(np.log(ratio), *_SHADES).astype(np.float32)
    factors: Pixels = np.exp(shade[..., None] * difference)
    return factors
