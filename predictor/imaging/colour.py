"""Match the colours of two crops: their light and their complexion, not their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from predictor.faces import Image, Mask

Pixels = npt.NDArray[np.float32]
"""Three channels, shape (H, W, 3)."""

_LUMA = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601
_COARSE = 32
"""Light is followed at this size: a wide blur at full size is the same and costs a hundred times more."""

_LIGHT_BOUNDS = (0.35, 2.6)
_TINT_BOUNDS = (0.6, 1.7)
_DARKEST = 8.0
_LEAST_CONTRAST, _LEAST_SATURATION = 0.75, 0.65


@dataclass(frozen=True, slots=True, eq=False)
class ColourMatch:
    """How the colours of one crop become those of another; holds for crops of any size that show the same."""

    gain: Pixels
    """What each pixel is multiplied by."""
    tone: Pixels
    """The skin's colour after that, without detail, 0 to 255."""
    contrast: Mask
    """How much of the brightness that differs from the tone is kept, 0 to 1."""
    saturation: float
    """How much of the colour that differs from the tone is kept, 0 to 1."""

    def applied(self, image: Image) -> Pixels:
        """Return a square crop in the other's colours, 0 to 255."""
        size = image.shape[0], image.shape[0]
        lit = image * _enlarged(self.gain, size)
        tone = _enlarged(self.tone, size)
        brightness, usual = luma(lit), np.maximum(luma(tone), 1.0)
        plain = tone * (brightness / usual)[..., None]
        even = usual + (brightness - usual) * _enlarged(self.contrast, size)
        lit = plain + (lit - plain) * np.float32(self.saturation)
        lit *= (even / np.maximum(brightness, 1.0))[..., None]
        return np.clip(lit, 0.0, 255.0)


def match_colours(image: Pixels, reference: Pixels, weights: Mask, unit: float) -> ColourMatch:
    """Return how an image takes on the light and the complexion of a reference.

    Light follows broad shapes of the reference (a lamp at the side), complexion finer ones (a flushed cheek);
    features keep their contrast, unless it is stronger than skin in the reference has.

    Args:
        image: RGB, 0 to 255, shape (H, W, 3).
        reference: The same places in another picture.
        weights: Where both are skin, 0 to 1, shape (H, W); not 0 everywhere.
        unit: Pixels between the eyes.
    """
    from_colour, to_colour = _mean(image, weights), _mean(reference, weights)
    broad_from, broad_to = (
        spread(image, weights, 0.4 * unit, from_colour),
        spread(reference, weights, 0.4 * unit, to_colour),
    )
    fine_from, fine_to = (
        spread(image, weights, 0.22 * unit, from_colour),
        spread(reference, weights, 0.22 * unit, to_colour),
    )
    light = np.clip(luma(broad_to) / np.maximum(luma(broad_from), _DARKEST), *_LIGHT_BOUNDS)
    tint = np.clip(_hue(fine_to) / np.maximum(_hue(fine_from), 0.05), *_TINT_BOUNDS)
    gain = (light[..., None] * tint).astype(np.float32)
    tone = _hue(fine_to) * luma(broad_to)[..., None]
    return ColourMatch(gain, tone, *_moderation(image * gain, reference, tone, weights))


def spread(image: Pixels, weights: Mask, sigma: float, fallback: npt.NDArray[np.float32]) -> Pixels:
    """Return the colour of the weighted pixels around each pixel, without detail; defined everywhere.

    Far from all weighted pixels it is the colour of the nearest ones, and in the end the fallback.

    Args:
        image: Shape (N, N, 3).
        weights: Shape (N, N), 0 to 1.
        sigma: How far around, in pixels.
        fallback: One colour.
    """
    size = image.shape[0]
    small = cv2.resize(
        np.dstack([image * weights[..., None], weights]), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA
    )
    near = max(sigma * _COARSE / size, 0.5)
    close = cv2.GaussianBlur(small, (0, 0), near, borderType=cv2.BORDER_CONSTANT)
    wide = cv2.GaussianBlur(small, (0, 0), 3 * near, borderType=cv2.BORDER_CONSTANT)
    total = close + 0.03 * wide
    colour = (total[..., :3] + 1e-4 * fallback) / (total[..., 3:] + 1e-4)
    return _enlarged(colour.astype(np.float32), (size, size))


def luma(image: Pixels) -> Mask:
    """Return the brightness, shape (H, W), in the image's own range."""
    return cv2.transform(image, _LUMA[None]).astype(np.float32, copy=False)


def _hue(colour: Pixels) -> Pixels:
    """Return a colour at brightness 1."""
    return colour / np.maximum(luma(colour), 1.0)[..., None]


def _mean(image: Pixels, weights: Mask) -> npt.NDArray[np.float32]:
    return np.einsum("ijk,ij->k", image, weights) / max(float(weights.sum()), 1e-6)


def _moderation(lit: Pixels, reference: Pixels, tone: Pixels, weights: Mask) -> tuple[Mask, float]:
    """Return how much contrast (of skin) and saturation to keep, so that neither stands out from the reference."""
    own_contrast, own_saturation = _variation(lit, tone, weights)
    usual_contrast, usual_saturation = _variation(reference, tone, weights)
    contrast = float(np.clip(1.5 * usual_contrast / max(own_contrast, 0.1), _LEAST_CONTRAST, 1.0))
    saturation = float(np.clip(1.15 * usual_saturation / max(own_saturation, 0.1), _LEAST_SATURATION, 1.0))
    skin = cv2.GaussianBlur(np.minimum(weights, 1.0), (0, 0), 1.0)
    return (1.0 - (1.0 - contrast) * skin).astype(np.float32), saturation


def _variation(image: Pixels, tone: Pixels, weights: Mask) -> tuple[float, float]:
    """Return the standard deviations of brightness and of colour around the tone, in levels."""
    brightness, usual = luma(image), np.maximum(luma(tone), 1.0)
    plain = tone * (brightness / usual)[..., None]
    total = max(float(weights.sum()), 1e-6)
    contrast = float((weights * (brightness - usual) ** 2).sum()) / total
    saturation = float(np.einsum("ij,ijk->", weights, (image - plain) ** 2)) / total
    return contrast**0.5, saturation**0.5


def _enlarged(field: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    return cv2.resize(field, size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
