"""EXIF orientation: where the first stored row and column belong in the upright picture."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.uint8 | np.uint16]
"""What files store, shape (H, W) or (H, W, C), 8 or 16 bits, full range."""

# Exif 2.32, tag 0x0112: 1 is upright; 2 to 4 are mirrored or turned by half; 5 to 8 have width and height exchanged.
_FLIPS = {2: 1, 3: -1, 4: 0}  # cv2.flip: 1 left-right, 0 top-bottom, -1 both
_ROTATIONS = {6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}


def exchanges_sides(orientation: int) -> bool:
    """Return whether the upright picture is as wide as the stored one is high."""
    return orientation in range(5, 9)


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn stored samples upright.

    Args:
        samples: Shape (H, W) or (H, W, C).
        orientation: EXIF's 1 to 8; anything else counts as 1.

    Returns:
        Shape (H, W, …), or (W, H, …) where the sides are exchanged; C-contiguous.
    """
    turned: npt.NDArray[np.generic] = samples
    if orientation in _FLIPS:
        turned = cv2.flip(samples, _FLIPS[orientation])
    elif orientation in _ROTATIONS:
        turned = cv2.rotate(samples, _ROTATIONS[orientation])
    elif orientation == 5:  # noqa: PLR2004
        turned = cv2.transpose(samples)
    elif orientation == 7:  # noqa: PLR2004
        turned = cv2.flip(cv2.transpose(samples), -1)
    return np.ascontiguousarray(turned, samples.dtype)
