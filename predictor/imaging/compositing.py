"""Puts a crop back into its picture, touching no pixel that the mask leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.alignment import inverted, prefiltered, scale_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from predictor.faces import AffineMatrix, Image, Mask
    from predictor.imaging.alignment import Pixels


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole pixels inside a picture; empty where the sides are 0."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a picture with."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def paste_back(canvas: Image, crop: Image, mask: Mask, matrix: AffineMatrix) -> Mask:
    """Composite a crop into a picture, in place; only the rectangle that the mask reaches is worked on.

    Where the warped mask is 0 the canvas keeps its pixels bit for bit; what lies beyond its border is cut off.

    Args:
        canvas: The picture, RGB, shape (H, W, 3); written to.
        crop: RGB, shape (size, size, 3).
        mask: How much each pixel of the crop counts, shape (size, size), 0 to 1.
        matrix: From pixels of the picture to pixels of the crop.

    Returns:
        The mask as it lies in the picture, shape (H, W), 0 to 1.
    """
    region, weights = composite(canvas, crop, mask, matrix)
    placed = np.zeros(canvas.shape[:2], np.float32)
    placed[region.slices] = weights
    return placed


def composite(canvas: Image, crop: Image, mask: Mask, matrix: AffineMatrix) -> tuple[Region, Mask]:
    """Do what `paste_back` does, and return the mask of the rectangle alone: a large picture's whole one costs time.

    Args:
        canvas: The picture, RGB, shape (H, W, 3); written to.
        crop: RGB, shape (size, size, 3).
        mask: How much each pixel of the crop counts, shape (size, size), 0 to 1.
        matrix: From pixels of the picture to pixels of the crop.
    """
    height, width = canvas.shape[:2]
    region = region_of(mask, matrix, width, height)
    if not region.width or not region.height:
        return region, np.zeros((region.height, region.width), np.float32)
    pixels = _warped_into(crop, matrix, region, cv2.BORDER_REPLICATE)
    weights = _warped_into(mask, matrix, region, cv2.BORDER_CONSTANT)
    canvas[region.slices] = cv2.blendLinear(pixels, np.ascontiguousarray(canvas[region.slices]), weights, 1.0 - weights)
    return region, weights


def region_of(mask: Mask, matrix: AffineMatrix, width: int, height: int) -> Region:
    """Return the rectangle of a picture of that size in which a crop's mask can be above 0.

    Args:
        mask: Of the crop, shape (size, size).
        matrix: From pixels of the picture to pixels of the crop.
        width: Of the picture.
        height: Of the picture.
    """
    ends = _ends_of_rows(mask > 0)
    if not ends.size:
        return Region(0, 0, 0, 0)
    way_back = inverted(matrix)
    placed = way_back[:, :2] @ ends + way_back[:, 2:]
    # Between two pixels the mask fades to 0, so it reaches one pixel further than its last pixel above 0. Where it is
    # shrunk first, that is one of those larger pixels, from the middle of the one in which its last pixel went.
    factor = max(1, int(scale_of(matrix)))
    reach = np.abs(way_back[:, :2]).sum(axis=1) * (1.5 * factor - 0.5)
    first = np.clip(np.floor(placed.min(axis=1) - reach), 0, (width, height)).astype(int)
    end = np.clip(np.ceil(placed.max(axis=1) + reach) + 1, 0, (width, height)).astype(int)
    return Region(int(first[0]), int(first[1]), int(end[0] - first[0]), int(end[1] - first[1]))


def _ends_of_rows(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the first and the last point of each row of a shape that is not empty; x and y, shape (2, N)."""
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside.argmax(axis=1)[rows]
    mirrored = cv2.flip(inside.view(np.uint8), 1).view(np.bool_)  # NumPy is slow backwards
    last = inside.shape[1] - 1 - mirrored.argmax(axis=1)[rows]
    return np.array([np.concatenate([first, last]), np.concatenate([rows, rows])], np.float64)


def _warped_into(crop: Pixels, matrix: AffineMatrix, region: Region, border: int) -> Pixels:
    """Return what a region of the picture sees of a crop."""
    smaller, forward = prefiltered(crop, inverted(matrix))
    back = inverted(forward)
    back[:, 2] += back[:, :2] @ (region.left, region.top)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(smaller, back, (region.width, region.height), flags=flags, borderMode=border)
    return seen.astype(crop.dtype, copy=False)
