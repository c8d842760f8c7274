"""Match the colours of two crops: their light and their complexion, not their features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from predictor.imaging.shades import slopes, warming

if TYPE_CHECKING:
    from predictor.faces import Image, Mask

Pixels = npt.NDArray[np.float32]
"""Three channels, shape (H, W, 3)."""

Colour = npt.NDArray[np.float32]
"""Three numbers, shape (3,)."""

_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)  # Source: ITU-R BT.601
_COARSE = 32
"""Light is followed at this size: a wide blur at full size is the same and costs a hundred times more."""

_BROAD, _FINE = 0.4, 0.22
"""How wide light and complexion are followed, in distances between the eyes."""
# Factors, least and most: of brightness, of each channel against brightness, and of each channel at the last evening.
_LIGHT_BOUNDS = (0.35, 2.6)
_TINT_BOUNDS = (0.6, 1.7)
_EVENING_BOUNDS = (0.84, 1.19)
_SHADED = 0.3
"""How much a face's surface tells of its light where it is too dark to be taken for skin."""
_DARKEST = 8.0
"""Level of brightness that a darker one is taken for where it divides: what is nearly black tells nothing of light."""
_SHOULDER = 205.0
"""Level from which on brightness is rolled off towards white."""
# A source's skin may have so many times the reference's contrast and colour before they are taken back, and so far.
_LEAST_CONTRAST, _MOST_CONTRAST, _CONTRAST_TOLERANCE = 0.75, 1.25, 2.0
_LEAST_SATURATION, _COLOUR_TOLERANCE = 0.65, 1.15
# A colour further from the tone than this many of the reference's own spreads, and levels, is a stain. Lips are not.
_STAIN_SPREADS, _STAIN_LEVELS = 2.0, 14.0


@dataclass(frozen=True, slots=True, eq=False)
class ColourMatch:
    """How the colours of one crop become those of another; smooth, so it holds for crops of any size."""

    gain: Pixels
    """What each pixel is multiplied by."""
    tone: Pixels
    """The skin's colour after that, without detail, 0 to 255."""
    contrast: Mask
    """How much of the brightness that differs from the tone is kept."""
    saturation: Mask
    """How much of the colour that differs from the tone is kept, 0 to 1."""

    def times(self, factors: Colour) -> ColourMatch:
        """Return the same match with each channel brighter or darker."""
        return replace(self, gain=self.gain * factors, tone=self.tone * factors)

    def applied(self, image: Image | Pixels) -> Pixels:
        """Return a square crop in the other's colours, 0 to 255."""
        size = image.shape[0]
        tone, saturation = enlarged(self.tone, size), enlarged(self.saturation, size)
        lit = image.astype(np.float32) * enlarged(self.gain, size)
        brightness, usual = luma(lit), np.maximum(luma(tone), 1.0)
        wanted = _rolled_off(usual + (brightness - usual) * enlarged(self.contrast, size))
        own = (wanted / np.maximum(brightness, 1.0) * saturation).astype(np.float32, copy=False)
        plain = (wanted / usual * (1.0 - saturation)).astype(np.float32, copy=False)
        matched: Pixels = np.clip(lit * _thrice(own) + tone * _thrice(plain), 0.0, 255.0)
        return matched


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """What two pictures of faces, laid over each other, have in common; shapes (N, N), 0 to 1."""

    face: Mask
    """Where both show a face's surface, in the light or not: all but eyes, brows and lips."""
    skin: Mask
    """Where both show its bare skin; not 0 everywhere."""
    lips: Mask
    """Where strong colours belong."""
    unit: float
    """Pixels between the eyes."""


def match_colours(image: Pixels, reference: Pixels, overlap: Overlap) -> ColourMatch:
    """Return how an image takes on the light and the complexion of a reference.

    Light follows broad shapes of the reference (a lamp at the side), complexion finer ones (a flushed cheek);
    features keep their contrast and colour, unless they stand out from what the reference's skin has.

    Args:
        image: RGB, 0 to 255, shape (N, N, 3).
        reference: The same places in another picture.
        overlap: Which of their pixels may be compared.
    """
    weights, unit = overlap.skin, overlap.unit
    light_and_shade = np.maximum(weights, _SHADED * overlap.face)
    broad_from, fine_from = _tones(image, light_and_shade, unit)
    broad_to, fine_to = _tones(reference, light_and_shade, unit)
    light = np.clip(luma(broad_to) / np.maximum(luma(broad_from), _DARKEST), *_LIGHT_BOUNDS)
    tint = np.clip(_hue(fine_to) / np.maximum(_hue(fine_from), 0.05), *_TINT_BOUNDS)
    gain = (light[..., None] * tint).astype(np.float32)
    tone = _hue(fine_to) * luma(broad_to)[..., None]
    size = image.shape[0]
    gain, expected = enlarged(gain, size), enlarged(tone, size)
    gain = gain * _warming(image, reference, image * gain, expected, overlap)
    # What is left, in shadows most of all, that skin in the light does not tell: on the whole, both come out alike.
    evening = _evening(_mean(image * gain, overlap.face), _mean(reference, overlap.face))
    gain, tone, expected = gain * evening, tone * evening, expected * evening
    lit = image * gain
    own, usual = Variation.of(lit, expected, weights), Variation.of(reference, expected, weights)
    saturation = _saturation(lit, expected, own, usual)
    saturation += (1.0 - saturation) * overlap.lips
    return ColourMatch(gain, tone, _contrast(own, usual, weights), saturation)


def spread(image: Pixels, weights: Mask, sigma: float, fallback: Colour) -> Pixels:
    """Return the colour of the weighted pixels around each pixel, without detail; defined everywhere.

    Far from all weighted pixels it is the colour of the nearest ones, and in the end the fallback.

    Args:
        image: Shape (N, N, 3).
        weights: Shape (N, N), 0 to 1.
        sigma: How far around, in pixels.
        fallback: One colour.

    Returns:
        Shape (n, n, 3), coarser than the image: it has no detail.
    """
    return _followed(*_gathered(image, weights), sigma * _COARSE / image.shape[0], fallback)


def enlarged(field: Pixels, size: int) -> Pixels:
    """Return a smooth field at another size, shape (size, size) or (size, size, 3)."""
    if field.shape[0] == size:
        return field
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def luma(image: Pixels) -> Mask:
    """Return the brightness, shape (H, W), in the image's own range."""
    return cv2.transform(image, _LUMA).astype(np.float32, copy=False)


def _tones(image: Pixels, weights: Mask, unit: float) -> tuple[Pixels, Pixels]:
    """Return the skin's colour in broad and in finer shapes."""
    colours, amounts = _gathered(image, weights)
    mean = (colours.sum(axis=(0, 1)) / max(float(amounts.sum()), 1e-6)).astype(np.float32)
    pixel = unit * _COARSE / image.shape[0]
    return _followed(colours, amounts, _BROAD * pixel, mean), _followed(colours, amounts, _FINE * pixel, mean)


def _mean(image: Pixels, weights: Mask) -> Colour:
    mean: Colour = (np.einsum("ijk,ij->k", image, weights) / max(float(weights.sum()), 1e-6)).astype(np.float32)
    return mean


def _evening(colour: Colour, wanted: Colour) -> Colour:
    """Return factors that give a mean colour another's hue, and bring it most of the way to its brightness."""
    if min(float(colour.max()), float(wanted.max())) < 1.0:
        return np.ones(3, np.float32)  # nothing to compare, or nothing but black
    factors = np.clip(wanted / np.maximum(colour, 1.0), *_EVENING_BOUNDS)
    brightness = float(_LUMA[0] @ (factors * colour)) / max(float(_LUMA[0] @ colour), 0.1)
    evening: Colour = (factors / brightness**0.25).astype(np.float32)
    return evening


def _warming(image: Pixels, reference: Pixels, lit: Pixels, tone: Pixels, overlap: Overlap) -> Pixels:
    """Return factors that give an image's shadows the warmth of the reference's; lips have none."""
    own, wanted = (slopes(one, luma(one), overlap.skin) for one in (image, reference))
    # Smoothed: pores and noise are no shadows.
    brightness = cv2.GaussianBlur(luma(lit), (0, 0), 0.8)
    ratio = np.maximum(brightness, 1.0) / np.maximum(luma(tone), 1.0)
    factors = warming(ratio.astype(np.float32, copy=False), own, wanted)
    kept: Pixels = factors + (1.0 - factors) * _thrice(overlap.lips)
    return kept


def _gathered(image: Pixels, weights: Mask) -> tuple[Pixels, Mask]:
    """Return weighted colours and their weights, shrunk."""
    size = (_COARSE, _COARSE)
    colours = cv2.resize(image * _thrice(weights), size, interpolation=cv2.INTER_AREA)
    amounts = cv2.resize(weights, size, interpolation=cv2.INTER_AREA)
    return colours.astype(np.float32, copy=False), amounts.astype(np.float32, copy=False)


def _followed(colours: Pixels, amounts: Mask, sigma: float, fallback: Colour) -> Pixels:
    def around(field: Pixels) -> Pixels:
        near = max(sigma, 0.5)
        close = cv2.GaussianBlur(field, (0, 0), near, borderType=cv2.BORDER_CONSTANT)
        wide = cv2.GaussianBlur(field, (0, 0), 3.0 * near, borderType=cv2.BORDER_CONSTANT)
        return (close + 0.03 * wide).astype(np.float32, copy=False)

    followed: Pixels = (around(colours) + 1e-4 * fallback) / (around(amounts) + 1e-4)[..., None]
    return followed


def _thrice(field: Mask) -> Pixels:
    """Return a field for each of three channels."""
    return cv2.merge([field, field, field]).astype(np.float32, copy=False)


def _rolled_off(brightness: Mask) -> Mask:
    """Return brightness that approaches white instead of being cut off there."""
    over: Mask = np.maximum(brightness - _SHOULDER, 0.0)
    return (brightness - over + over / (1.0 + over / (255.0 - _SHOULDER))).astype(np.float32)


def _hue(colour: Pixels) -> Pixels:
    """Return a colour at brightness 1."""
    hue: Pixels = (colour / np.maximum(luma(colour), 1.0)[..., None]).astype(np.float32, copy=False)
    return hue


@dataclass(frozen=True, slots=True)
class Variation:
    """How much skin varies around its tone: standard deviations, in levels."""

    brightness: float
    colour: float

    @classmethod
    def of(cls, image: Pixels, tone: Pixels, weights: Mask) -> Variation:
        """Measure an image where weights say that it is skin."""
        total = max(float(weights.sum()), 1e-6)
        brightness = float((weights * (luma(image) - luma(tone)) ** 2).sum()) / total
        colour = float((weights * _colour_distance(image, tone) ** 2).sum()) / total
        return cls(brightness**0.25, colour**0.5)


def _contrast(own: Variation, usual: Variation, weights: Mask) -> Mask:
    """Return how much contrast to keep: flatter on skin that would stand out, stronger everywhere in a hard light."""
    ratio = usual.brightness / max(own.brightness, 0.1)
    if ratio > 1.0:
        return np.full(weights.shape, min(ratio, _MOST_CONTRAST), np.float32)
    flat = float(np.clip(_CONTRAST_TOLERANCE * ratio, _LEAST_CONTRAST, 1.0))
    skin = cv2.GaussianBlur(np.minimum(weights, 1.0), (0, 0), 1.0)
    return (1.0 - (1.0 - flat) * skin).astype(np.float32)


def _saturation(lit: Pixels, tone: Pixels, own: Variation, usual: Variation) -> Mask:
    """Return how much colour to keep, so that no shadow's or lamp's colour of the source is left as a stain."""
    overall = float(np.clip(_COLOUR_TOLERANCE * usual.colour / max(own.colour, 0.1), _LEAST_SATURATION, 1.0))
    limit = np.float32(_STAIN_SPREADS * usual.colour + _STAIN_LEVELS)
    distance = cv2.GaussianBlur(_colour_distance(lit, tone), (0, 0), 1.5) * overall
    kept: Mask = (overall * limit / np.maximum(limit, distance)).astype(np.float32)
    return kept


def _colour_distance(image: Pixels, tone: Pixels) -> Mask:
    """Return how far each pixel is from the tone at the pixel's own brightness, in levels."""
    ratio = (luma(image) / np.maximum(luma(tone), 1.0)).astype(np.float32, copy=False)
    difference: Pixels = image - tone * _thrice(ratio)
    return np.sqrt(cv2.transform(difference * difference, np.ones((1, 3), np.float32))).astype(np.float32, copy=False)
