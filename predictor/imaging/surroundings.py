"""Keep the colour of a new face near that of the skin which stays visible around it.

What a face looked like before is not enough: where the light comes from the side, or the old face had a beard or a
shadow that the new one has not, the new one would stand out from its own forehead and jaw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.colour import luma
from predictor.imaging.shades import shaded, slopes

if TYPE_CHECKING:
    from predictor.faces import Mask
    from predictor.imaging.colour import Colour, Pixels
    from predictor.imaging.skin import FaceMap

_RIM = 0.5
"""How far beyond the outline shaded skin is looked for where it is seen squarely, in distances between the eyes."""
_LEAST_FACING, _OUTLINE = 0.3, 0.05
"""How squarely a place must be seen to be sure of it, and to lie on the head at all."""
_VISIBLE = 0.3
"""What is covered less than this counts as visible."""
_HUE_SURE, _HUE_NEVER = 18.0, 36.0
"""How far skin's hue may be, in a* and b*, from what it would be at the pixel's brightness."""
_DARK, _TOO_DARK, _BRIGHT = 0.5, 0.3, 1.5
"""Brightness against the skin's: below the first it is less likely skin, below the second it is something else."""
_NEAR = 4.5
"""Distance in Lab up to which a colour stays as it is: faces are brighter in the middle than at their edges."""
_FACTOR_BOUNDS = (0.8, 1.25)
_LEAST_PIXELS = 20.0
_LEAST_ACTING = 0.2
_TINY = 1e-6


def towards_surroundings(destination: FaceMap, new: Pixels, covered: Mask, share: Mask) -> Colour:
    """Return factors of each channel that bring the mean colour of a new face near that of the skin around it.

    Args:
        destination: The face that is covered.
        new: What it is covered with, RGB, 0 to 255, shape (SIZE, SIZE, 3).
        covered: How much of each pixel is covered, shape (SIZE, SIZE), 0 to 1.
        share: How much of what is new the factors will act on, shape (SIZE, SIZE), 0 to 1.
    """
    around, total = visible_skin(destination, covered), float(covered.sum())
    if min(float(around.sum()), total) < _LEAST_PIXELS:
        return np.ones(3, np.float32)
    result = destination.image + (new - destination.image) * covered[..., None]
    wanted, mean = _mean(_lab(destination.image), around), _mean(_lab(result), covered)
    distance = float(np.linalg.norm(wanted - mean))
    reached = mean + (wanted - mean) * max(0.0, 1.0 - _NEAR / max(distance, _TINY))
    factors = np.maximum(_rgb(reached), 1.0) / np.maximum(_rgb(mean), 1.0)
    acting = max(float((covered * covered * share).sum()) / total, _LEAST_ACTING)
    bounded: Colour = np.clip(factors ** (1.0 / acting), *_FACTOR_BOUNDS).astype(np.float32)
    return bounded


def visible_skin(destination: FaceMap, covered: Mask) -> Mask:
    """Return where skin stays visible near a covered face, in the light or not; shape (SIZE, SIZE), 0 to 1.

    Args:
        destination: The face; skin inside its outline and in a rim around it is looked at.
        covered: How much of each pixel is covered, shape (SIZE, SIZE).
    """
    facing = destination.surface.facing
    beyond = cv2.distanceTransform((~destination.inside).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    near = beyond < _RIM * destination.head.scale * np.clip(facing, _LEAST_FACING, 1.0) ** 2
    sure = destination.inside & (facing > _LEAST_FACING)
    likely = np.maximum(sure, _likeness(destination) * (facing > _OUTLINE))
    visible: Mask = (likely * (near & (covered < _VISIBLE))).astype(np.float32)
    return visible


def _likeness(destination: FaceMap) -> Mask:
    """Return how well each pixel may be the face's skin, in the light or not."""
    image, brightness = destination.image, luma(destination.image)
    skin = (destination.skin * destination.inside).astype(np.float32, copy=False)
    tone = _mean(image, skin)
    ratio = brightness / max(float(luma(tone.reshape(1, 1, 3))[0, 0]), 1.0)
    lit = np.clip(ratio, _TOO_DARK, _BRIGHT).astype(np.float32, copy=False)
    typical = shaded(tone, slopes(image, brightness, skin), lit)
    as_bright = (brightness / np.maximum(luma(typical), 1.0)).astype(np.float32, copy=False)
    difference = _lab(image) - _lab(typical * as_bright[..., None])
    distance = np.hypot(difference[..., 1], difference[..., 2])
    hue = np.clip((_HUE_NEVER - distance) / (_HUE_NEVER - _HUE_SURE), 0.0, 1.0)
    dark = np.clip((ratio - _TOO_DARK) / (_DARK - _TOO_DARK), 0.0, 1.0)
    likeness: Mask = (hue * dark).astype(np.float32, copy=False)
    return likeness


def _mean(image: Pixels, weights: Mask) -> Colour:
    mean: Colour = (np.einsum("ijk,ij->k", image, weights) / max(float(weights.sum()), _TINY)).astype(np.float32)
    return mean


def _lab(image: Pixels) -> Pixels:
    unit = (np.clip(image, 0.0, 255.0) / 255.0).astype(np.float32, copy=False)
    return cv2.cvtColor(unit, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)


def _rgb(colour: Colour) -> Colour:
    unit: Colour = cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_Lab2RGB).reshape(3).astype(np.float32)
    return unit * np.float32(255.0)
