"""Marks on pictures: what the tiny stand-in for SCRFD takes for faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from predictor.faces import Image

_MAGENTA = (255, 0, 255)
_SHARE = 1 / 16  # of the picture's long side; the detector sees 40 of 640 pixels, two cells and a half


def mark(image: Image, x: float, y: float) -> Image:
    """Return a picture in which a face will be found about a point.

    The face found there takes about a fifth of the picture's long side.

    Args:
        image: RGB; left as it is.
        x: Of the tip of the nose, in pixels.
        y: As x.
    """
    marked = np.array(image)
    radius = round(max(image.shape[:2]) * _SHARE / 2)
    cv2.circle(marked, (round(x), round(y)), radius, _MAGENTA, cv2.FILLED)
    return marked
