"""Pixels as networks take and give them: one plane a colour, numbers in place of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from predictor.faces import Image

Planes: TypeAlias = npt.NDArray[np.float32]


def to_planes(image: Image) -> Planes:
    """Return a picture as float32 of shape (1, 3, H, W), 0 to 1."""
    return np.divide(image.transpose(2, 0, 1)[None], np.float32(255.0), dtype=np.float32, order="C")


def write_pixels(planes: Planes, region: Image) -> None:
    """Round planes to the nearest pixels; what is out of range becomes black or full.

    Args:
        planes: Finite, shape (3, H, W), 0 to 1.
        region: Where to write, shape (H, W, 3); may be a part of a picture.
    """
    within = np.clip(planes, 0.0, 1.0)
    # OpenCV multiplies and rounds half to even in one go, in half the time of NumPy's passes.
    planes_of_bytes = [cv2.convertScaleAbs(plane, alpha=255.0) for plane in within]
    if region.strides[1:] == (3, 1):
        cv2.merge(planes_of_bytes, dst=region)
    else:  # every n-th pixel of a picture: OpenCV cannot write there, and NumPy is three times as fast colour by colour
        for colour, plane in enumerate(planes_of_bytes):
            region[..., colour] = plane
