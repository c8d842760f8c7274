"""How a head is turned, and a round surface to see it on, from nothing but five landmarks.

Head coordinates: the unit is the distance between the eyes, the origin lies between them; x runs to the side that
is right in the picture, y down, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from predictor.faces import Landmarks

Points = npt.NDArray[np.float32]
"""Points of a picture, shape (..., 2), in pixels."""

Places = npt.NDArray[np.float32]
"""Places of a head, shape (..., 3), in head coordinates."""

# Eyes, nose and mouth. Proportions as in ARCFACE_112; the nose stands out by about half the distance of the eyes
# (Farkas, "Anthropometry of the Head and Face", 1994: 2 cm to 3 cm against 6.3 cm).
_FIVE_PLACES = np.array(
    [(-0.5, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.57, 0.5), (-0.415, 1.155, 0.02), (0.415, 1.155, 0.02)], np.float32
)
# The ellipsoid through the eyes and the corners of the mouth that is as wide and as deep as a head.
_CENTRE = np.array([0.0, 0.5, -1.16], np.float32)
_RADII = np.array([1.25, 2.0, 1.33], np.float32)
_SMALLEST_SCALE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What of a head a picture shows, pixel by pixel."""

    places: Places
    """Shape (H, W, 3)."""
    facing: npt.NDArray[np.float32]
    """How squarely each place is seen: 1 from the front, 0 at the outline and beside the head; shape (H, W)."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A head as a camera far away sees it: point = scale * axes[:2] @ place + shift."""

    axes: npt.NDArray[np.float32]
    """The picture's x axis, its y axis and the direction to the viewer, in head coordinates; shape (3, 3)."""
    scale: float
    """Pixels between the eyes if they were seen from the front."""
    shift: npt.NDArray[np.float32]
    """Where the point between the eyes lies, in pixels; shape (2,)."""

    @property
    def yaw_degrees(self) -> float:
        """How far it is turned to the side; positive if the nose points to the picture's right."""
        return float(np.degrees(np.arctan2(-self.axes[2, 0], self.axes[2, 2])))

    def places_at(self, points: Points) -> Places:
        """Return the places that points of the picture show; points beside the head show its outline."""
        flat = ((points - self.shift) / self.scale) @ self.axes[:2]
        towards = self.axes[2] / _RADII
        start = (flat - _CENTRE) / _RADII
        # Where the line of sight meets the ellipsoid, which is the unit sphere once everything is divided by its radii.
        a, b, c = towards @ towards, start @ towards, (start * start).sum(axis=-1) - 1.0
        depth = (np.sqrt(np.maximum(b * b - a * c, 0.0)) - b) / a
        places: Places = flat + depth[..., None] * self.axes[2]
        return places

    def surface_at(self, points: Points) -> Surface:
        """Return the places that points of the picture show, and how squarely."""
        places = self.places_at(points)
        return Surface(places, self.facing(places))

    def points_of(self, places: Places) -> Points:
        """Return where places of the head lie in the picture, seen or hidden."""
        return np.float32(self.scale) * (places @ self.axes[:2].T) + self.shift

    def facing(self, places: Places) -> npt.NDArray[np.float32]:
        """Return how squarely places are seen: 1 from the front, 0 at the outline, below 0 from behind."""
        normals = (places - _CENTRE) / _RADII**2
        facing: npt.NDArray[np.float32] = (normals @ self.axes[2]) / np.sqrt((normals * normals).sum(axis=-1))
        return facing


def head_of(landmarks: Landmarks) -> Head:
    """Return the head whose five places come closest to landmarks.

    Args:
        landmarks: Shape (5, 2), in pixels; not all on one spot.
    """
    middle, place = landmarks.mean(axis=0), _FIVE_PLACES.mean(axis=0)
    affine = np.linalg.lstsq(_FIVE_PLACES - place, landmarks - middle, rcond=None)[0].T
    left, stretches, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    scale = max(float(stretches.mean()), _SMALLEST_SCALE)
    axes = np.vstack([rows, np.cross(rows[0], rows[1])]).astype(np.float32)
    return Head(axes, scale, (middle - scale * (rows @ place)).astype(np.float32))
