"""Sharpen: the embedded restorer. It strengthens the detail a face has; it invents none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.alignment import FFHQ_512

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Image, Mask

# Each band is a difference of two blurs: their widths in pixels of the crop, and how much the band is raised.
# A face that was enlarged to 512 has nothing in the finest band, so coarser ones are raised more.
_SIGMAS = (1.0, 2.0, 4.0)
_GAINS = (0.6, 0.9, 0.5)
_NOISE = 1.5
"""Levels of brightness below which a band is taken for noise and left alone."""
_HALO_PIXELS = 9
"""Brightness may not leave the range that the crop has within this distance."""


class Sharpen:
    """Restorer without weights: raises three bands of the brightness, colours kept, without halos."""

    template = FFHQ_512
    trained = False

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, sharper, same sizes."""
        return [_sharpened(crop) for crop in crops]


def _sharpened(crop: Image) -> Image:
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    raised = luma.copy()
    finer = luma
    for sigma, gain in zip(_SIGMAS, _GAINS, strict=True):
        coarser = cv2.GaussianBlur(luma, (0, 0), sigma).astype(np.float32, copy=False)
        raised += gain * _cored(finer - coarser)
        finer = coarser
    around = np.ones((_HALO_PIXELS, _HALO_PIXELS), np.uint8)
    change = np.clip(raised, cv2.erode(luma, around), cv2.dilate(luma, around)) - luma
    return np.clip(np.rint(crop + change[..., None]), 0, 255).astype(np.uint8)


def _cored(band: Mask) -> Mask:
    """Return a band with its faintest part, the noise, faded out."""
    strength = band * band
    return band * (strength / (strength + np.float32(_NOISE * _NOISE)))
