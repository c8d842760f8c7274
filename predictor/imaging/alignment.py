"""Landmark templates, and the way from a picture to an aligned crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from predictor.errors import DegenerateLandmarks
from predictor.faces import Crop

if TYPE_CHECKING:
    from predictor.faces import AffineMatrix, Image, Landmarks

_SMALLEST_SPREAD_PIXELS = 1.0
_SMALLEST_SCALE = 1e-3

Pixels = TypeVar("Pixels", npt.NDArray[np.uint8], npt.NDArray[np.float32])
"""A picture or a mask."""


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTemplate:
    """Where a model wants the five points."""

    name: str
    size: int
    """Width and height of the crop, in pixels."""
    points: Landmarks
    """Shape (5, 2), in pixels of the crop."""

    def scaled(self, size: int) -> LandmarkTemplate:
        """Return the same layout for another size, pixel centres kept: p' = (p + 0.5) * n - 0.5."""
        factor = size / self.size
        return LandmarkTemplate(self.name, size, ((self.points + 0.5) * factor - 0.5).astype(np.float32))

    def widened(self, factor: float) -> LandmarkTemplate:
        """Return a layout of the same size that shows `factor` times as much around the face."""
        centre = (self.size - 1) / 2
        return LandmarkTemplate(
            f"{self.name}x{factor:g}", self.size, ((self.points - centre) / factor + centre).astype(np.float32)
        )


def _template(name: str, size: int, points: list[tuple[float, float]]) -> LandmarkTemplate:
    return LandmarkTemplate(name, size, np.array(points, np.float32))


# Source: arcface_dst of insightface's utils/face_align.py
ARCFACE_112 = _template(
    "arcface_112",
    112,
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)],
)
# insightface: the same points, 8 px further right, for crops whose size is a multiple of 128
ARCFACE_128 = LandmarkTemplate("arcface_128", 128, ARCFACE_112.points + np.array([8.0, 0.0], np.float32))
# Source: facexlib's utils/face_restoration_helper.py, the layout of FFHQ at 512
FFHQ_512 = _template(
    "ffhq_512",
    512,
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ],
)


def similarity(points: Landmarks, onto: Landmarks) -> AffineMatrix:
    """Return the rotation, scale and shift that bring points closest to others, in the least-squares sense.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.

    Args:
        points: Shape (N, 2).
        onto: Shape (N, 2).

    Returns:
        Shape (2, 3); no reflection.

    Raises:
        DegenerateLandmarks: The points lie on one spot or are not finite, so no similarity exists.
    """
    source, target = points.astype(np.float64), onto.astype(np.float64)
    if not np.isfinite(source).all() or np.ptp(source, axis=0).max() < _SMALLEST_SPREAD_PIXELS:
        raise DegenerateLandmarks("the landmarks lie on one spot")
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_centre, target - target_centre
    # In the plane, with points as complex numbers, the best rotation and scale are one division.
    turn = (a[:, 0] - 1j * a[:, 1]) @ (b[:, 0] + 1j * b[:, 1]) / (a**2).sum()
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target_centre - linear @ source_centre])


def align(image: Image, landmarks: Landmarks, template: LandmarkTemplate) -> Crop:
    """Crop a face so that its landmarks lie where the template wants them.

    What lies beyond the picture's edge is filled with its nearest pixels. A face much larger than the template is
    shrunk by areas first: no moiré.

    Args:
        image: Picture the landmarks belong to, RGB, shape (H, W, 3).
        landmarks: Five points in the picture, shape (5, 2), in pixels.
        template: The layout to reach.

    Returns:
        The crop, shape (size, size, 3), with its matrix and the landmarks' places in it.

    Raises:
        DegenerateLandmarks: The points lie on one spot, so no similarity exists.
    """
    matrix = similarity(landmarks, template.points)
    return Crop(_warp(image, matrix, template.size), matrix, transformed(landmarks, matrix))


def transformed(points: Landmarks, matrix: AffineMatrix) -> Landmarks:
    """Return points after an affine matrix, shape (N, 2)."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def inverted(matrix: AffineMatrix) -> AffineMatrix:
    """Return the way back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def composed(second: AffineMatrix, first: AffineMatrix) -> AffineMatrix:
    """Return the one matrix that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def scale_of(matrix: AffineMatrix) -> float:
    """Return how many crop pixels one picture pixel becomes along a side."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def prefiltered(image: Pixels, matrix: AffineMatrix) -> tuple[Pixels, AffineMatrix]:
    """Shrink a picture before a warp that would jump over pixels, so that fine texture does not turn into moiré.

    A linear warp looks at four pixels; from half the size down it misses some.

    Args:
        image: Picture or mask, shape (H, W) or (H, W, 3).
        matrix: From the picture's pixels to wherever they go.

    Returns:
        The picture, or one a whole number of times smaller, and the matrix that takes its pixels to the same places.
    """
    factor = int(1.0 / max(scale_of(matrix), _SMALLEST_SCALE))
    if factor <= 1:
        return image, matrix
    height, width = image.shape[:2]
    small = max(1, width // factor), max(1, height // factor)
    # Picture pixel = (small pixel + 0.5) * ratio - 0.5
    ratio = np.array([width / small[0], height / small[1]])
    linear = matrix[:, :2] * ratio
    shift = matrix[:, 2] + matrix[:, :2] @ ((ratio - 1.0) / 2)
    smaller = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)
    return smaller, np.column_stack([linear, shift])


def _warp(image: Image, matrix: AffineMatrix, size: int) -> Image:
    seen, matrix = _seen(image, matrix, size)
    smaller, matrix = prefiltered(seen, matrix)
    crop = cv2.warpAffine(smaller, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop.astype(np.uint8, copy=False)


def _seen(image: Image, matrix: AffineMatrix, size: int) -> tuple[Image, AffineMatrix]:
    """Return the part of a picture that a crop can show, and its matrix: small faces in large pictures are cheap."""
    height, width = image.shape[:2]
    ends = np.array([(-1, -1), (size, -1), (size, size), (-1, size)], np.float32)
    corners = transformed(ends, inverted(matrix))
    left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 2, (left + 1, top + 1), (width, height)).astype(int)
    shift = matrix[:, 2] + matrix[:, :2] @ (left, top)
    return image[top:bottom, left:right], np.column_stack([matrix[:, :2], shift])
