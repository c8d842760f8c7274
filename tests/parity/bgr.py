"""The packages take and give BGR."""

from __future__ import annotations

import numpy as np

from predictor.faces import Image


def bgr(image: Image) -> Image:
    """Return a picture with its channels in the other order."""
    return np.ascontiguousarray(image[..., ::-1])


def levels_apart(ours: Image, theirs: Image) -> int:
    """Return the largest difference of two pictures, in levels of 255."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == np.uint8
    return int(np.abs(ours.astype(np.int16) - theirs).max())
