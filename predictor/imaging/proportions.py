"""Where things are in a mean face. Lengths in distances between the eyes, in the coordinates of `imaging.heads`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from predictor.faces import Mask
    from predictor.imaging.heads import Places

Shape = npt.NDArray[np.bool_]
"""Which pixels belong to something, shape (N, N)."""

# The face's outline: half its width at the cheeks and at the chin; heights; and the depth at which its side ends.
_HALF_WIDTH, _JAW_HALF_WIDTH = 1.15, 0.85
_HAIRLINE, _JAW, _CHIN = -1.1, 0.6, 2.02
_BACK = -1.0
# The features: from the brows down to the lower lip, and a disc at the outer end of each brow.
_BROW, _LOWER_LIP = -0.45, 1.42
_BROW_END_INSET, _BROW_END_HEIGHT, _BROW_END_RADIUS = 0.18, -0.3, 0.14
_LIPS_HALF_WIDTH, _LIPS_MIDDLE, _LIPS_HALF_HEIGHT = 0.55, 1.17, 0.26


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the face, on both sides of its middle."""

    nearest: float
    """How close it comes to the middle."""
    farthest: float
    top: float
    bottom: float

    def covers(self, places: Places) -> Shape:
        """Return which places belong to it."""
        x, y = np.abs(places[..., 0]), places[..., 1]
        return (x >= self.nearest) & (x < self.farthest) & (y > self.top) & (y < self.bottom)

    def fades(self, places: Places, width: float) -> Mask:
        """Return how deep inside it places lie: 0 at its edge, 1 from a width on."""
        x, y = np.abs(places[..., 0]), places[..., 1]
        depth = np.minimum(np.minimum(y - self.top, self.bottom - y), self.farthest - x)
        inner: Mask = np.clip(depth / width, 0.0, 1.0)
        return inner


CHEEKS = Part(0.2, 0.75, 0.35, 0.8)
NOSE = Part(0.0, 0.18, 0.1, 0.5)
BROWS_AND_EYES = Part(0.0, 1.1, -0.5, 0.15)
UNDER_LIP = Part(0.0, 0.6, 1.3, 1.75)


def beyond_face(places: Places) -> Mask:
    """Return how far places lie beyond a mean face's edge, as a share of its radius; below 0 inside."""
    x, y = places[..., 0], places[..., 1]
    down = np.clip((y - _JAW) / (_CHIN - _JAW), 0.0, 1.0)
    half_width = _HALF_WIDTH + (_JAW_HALF_WIDTH - _HALF_WIDTH) * down
    middle, half_height = (_HAIRLINE + _CHIN) / 2, (_CHIN - _HAIRLINE) / 2
    behind = np.maximum(0.0, _BACK - places[..., 2])
    beyond: Mask = np.hypot(x / half_width, (y - middle) / half_height) - 1.0 + behind
    return beyond


def features(places: Places, half_width: float) -> Shape:
    """Return where brows, eyes, nose and mouth are.

    Args:
        places: Shape (N, N, 3).
        half_width: How far to the side they reach.
    """
    x, y = np.abs(places[..., 0]), places[..., 1]
    middle, half_height = (_BROW + _LOWER_LIP) / 2, (_LOWER_LIP - _BROW) / 2
    across, down = (x / half_width) ** 2, ((y - middle) / half_height) ** 2
    brow_ends = np.hypot(x - (half_width - _BROW_END_INSET), y - _BROW_END_HEIGHT) < _BROW_END_RADIUS
    # Squared once more, an ellipse comes close to a rounded rectangle.
    covered: Shape = (across * across + down * down < 1.0) | brow_ends
    return covered


def lips(places: Places) -> Mask:
    """Return where the lips are, softly, 0 to 1."""
    across, down = places[..., 0] / _LIPS_HALF_WIDTH, (places[..., 1] - _LIPS_MIDDLE) / _LIPS_HALF_HEIGHT
    soft: Mask = np.clip(2.0 * (1.0 - np.hypot(across, down)), 0.0, 1.0)
    return soft
