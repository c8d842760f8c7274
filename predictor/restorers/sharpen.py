"""Sharpen: the embedded restorer. It strengthens the detail a face has; it invents none.

A sharp face has almost as much contrast in fine detail as in coarser one; a blurred or enlarged face has less. Each
band of detail is raised by what it lacks, so a sharp face stays nearly as it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.alignment import FFHQ_512
from predictor.imaging.masks import soft_ellipse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Image, Mask

_SIGMAS = (1.0, 2.0, 4.0, 8.0)
"""Blurs, in pixels of the crop; a band is what lies between two of them."""
_SHARP_RATIO = 0.75
"""Contrast of a band in a sharp face as a share of the next coarser one's; measured on the sample portraits."""
_LEAST_GAIN, _MOST_GAINS = 0.1, (0.6, 1.6, 1.6)
_NOISE = 1.0
"""Levels of brightness below which a band is taken for noise and left alone."""
_HALO_PIXELS = 15
"""Brightness may not leave the range that the crop has within this distance."""


class Sharpen:
    """Restorer without weights: raises three bands of the brightness, colours kept, without halos."""

    template = FFHQ_512
    trained = False

    def __init__(self) -> None:
        self._face = soft_ellipse(self.template)

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, sharper, same sizes."""
        return [_sharpened(crop, self._face) for crop in crops]


def _sharpened(crop: Image, face: Mask) -> Image:
    brightness = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    bands = _bands(brightness)
    raised = brightness.copy()
    for band, gain in zip(bands[:-1], _gains(bands, face), strict=True):
        raised += np.float32(gain) * _without_noise(band)
    around = np.ones((_HALO_PIXELS, _HALO_PIXELS), np.uint8)
    change = np.clip(raised, cv2.erode(brightness, around), cv2.dilate(brightness, around)) - brightness
    return np.clip(np.rint(crop + change[..., None]), 0, 255).astype(np.uint8)


def _bands(brightness: Mask) -> list[Mask]:
    """Return what lies between each blur and the next, finest first."""
    blurs = [brightness, *(cv2.GaussianBlur(brightness, (0, 0), sigma) for sigma in _SIGMAS)]
    return [(finer - coarser).astype(np.float32, copy=False) for finer, coarser in pairwise(blurs)]


def _gains(bands: Sequence[Mask], face: Mask) -> list[float]:
    """Return by how much each band but the coarsest is raised, judged inside the face."""
    total = face.sum()
    contrasts = [float(np.sqrt((face * band * band).sum() / total)) for band in bands]
    gains = []
    wanted = contrasts[-1]
    for contrast, most in zip(reversed(contrasts[:-1]), reversed(_MOST_GAINS), strict=True):
        wanted *= _SHARP_RATIO
        gains.append(float(np.clip(wanted / max(contrast, 1e-3) - 1.0, _LEAST_GAIN, most)))
    return gains[::-1]


def _without_noise(band: Mask) -> Mask:
    """Return a band with its faintest part faded out."""
    strength = band * band
    return band * (strength / (strength + np.float32(_NOISE * _NOISE)))
