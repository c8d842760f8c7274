"""The nouns: pictures as arrays, faces and what is known of them.

Conventions, said once. Origin is the top-left corner of the upright picture (EXIF orientation applied); x runs
right, y down; coordinates are pixels with the centre of the first pixel at (0, 0). Colours are RGB. Landmarks are
five points: the eye on the picture's left, the eye on its right, the tip of the nose, the mouth's left corner,
its right corner (left and right as seen in the picture when the head is upright).
Faces are ordered left to right: by the left edge of the box clipped to the picture, then by its top. Ids are
1-based positions in that order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

Image: TypeAlias = npt.NDArray[np.uint8]
"""Pixels, RGB, shape (H, W, 3), 0 to 255."""

Mask: TypeAlias = npt.NDArray[np.float32]
"""How much each pixel counts, shape (H, W), 0 to 1."""

Landmarks: TypeAlias = npt.NDArray[np.float32]
"""Five points (x, y), shape (5, 2), in pixels of the picture or crop they belong to."""

AffineMatrix: TypeAlias = npt.NDArray[np.float64]
"""The way from picture to crop, shape (2, 3): crop = matrix @ (x, y, 1)."""

Embedding: TypeAlias = npt.NDArray[np.float32]
"""Who a face is, shape (512,), length 1."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; may reach beyond the picture until it is clipped."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def clipped(self, width: int, height: int) -> Box:
        """Return the part inside a picture of that size."""
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one picture."""

    box: Box
    landmarks: Landmarks
    score: float
    """How sure the detector is, 0 to 1."""
    detected_by: str = "plain"
    """The step of the detector's ladder that found it; `plain` is the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A face cut out and aligned to a landmark template."""

    image: Image
    """Shape (size, size, 3)."""
    matrix: AffineMatrix
    """From pixels of the picture to pixels of the crop."""
    landmarks: Landmarks
    """Where the face's landmarks lie in the crop: close to the template's, but five points never fit exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """What a swapper needs of the source."""

    crop: Crop
    """The source face, aligned to the swapper's `source_template`."""
    embedding: Embedding | None
    """None where the recipe has no embedder."""


@dataclass(frozen=True, slots=True, eq=False)
class SwappedCrop:
    """What a swapper gives back for one crop."""

    image: Image
    """Same shape as the crop that went in."""
    mask: Mask
    """Where the swapped pixels count, shape (size, size); 0 at the crop's border."""
    fit: str
    """How the source was fitted: `warp`, `similarity` (near profile: a warp would smear) or `network`."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceReport:
    """What happened to one face."""

    id: int
    face: Face
    swapped: bool = False
    restored: bool = False
    source: str | None = None
    source_face_id: int | None = None
    fit: str | None = None
    similarity_before: float | None = None
    """Cosine to the source's embedding before the swap, -1 to 1; None where the face was not swapped, the recipe has no
    embedder, or nobody asked."""
    similarity_after: float | None = None
    """The same of the finished face, before the picture was enlarged."""
    stage_seconds: dict[str, float] = field(default_factory=dict)


def left_to_right(faces: Iterable[Face], width: int, height: int) -> list[Face]:
    """Order faces by the left edge of the box clipped to the picture, then by its top."""

    def position(face: Face) -> tuple[float, float]:
        clipped = face.box.clipped(width, height)
        return clipped.left, clipped.top

    return sorted(faces, key=position)
