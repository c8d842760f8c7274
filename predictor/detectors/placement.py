"""Puts a picture on a canvas of a fixed size for a detector, and knows the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from predictor.imaging.alignment import inverted, transformed

if TYPE_CHECKING:
    from predictor.faces import AffineMatrix, Image, Landmarks

_SHORT_SIDES = (0.4, 0.6, 0.7, 0.8, 1.0)
"""A canvas is as short as the first of these shares of its long side that holds the picture: few sizes, flat memory."""


@dataclass(frozen=True, slots=True)
class View:
    """How a detector looks at a picture."""

    name: str
    long_side: int = 640
    """Of the canvas, in pixels; a multiple of 320, so that each short side is a multiple of 32."""
    share: float = 1.0
    """How much of the canvas's long side the picture takes; the rest is black."""
    quarter_turns: int = 0
    """How often the picture is turned by 90° clockwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A picture on its canvas."""

    canvas: Image
    matrix: AffineMatrix
    """From pixels of the picture to pixels of the canvas."""

    def points_in_picture(self, points: Landmarks) -> Landmarks:
        """Return points of the canvas, shape (N, 2), as points of the picture."""
        return transformed(points, inverted(self.matrix))


def place(image: Image, view: View) -> Placement:
    """Scale a picture, its aspect ratio kept, turn it, and put it in the middle of a black canvas."""
    height, width = image.shape[:2]
    scale = view.share * view.long_side / max(height, width)
    small = _resized(image, max(1, round(width * scale)), max(1, round(height * scale)))
    turned = np.rot90(small, -view.quarter_turns)
    canvas = np.zeros((*_canvas_size(turned, view), 3), np.uint8)
    top, left = (canvas.shape[0] - turned.shape[0]) // 2, (canvas.shape[1] - turned.shape[1]) // 2
    canvas[top : top + turned.shape[0], left : left + turned.shape[1]] = turned
    way = _shift(left, top) @ _turn(small, view.quarter_turns) @ _scaling(image, small)
    return Placement(canvas, way[:2])


def _resized(image: Image, width: int, height: int) -> Image:
    interpolation = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


def _canvas_size(picture: Image, view: View) -> tuple[int, int]:
    """Return height and width."""
    height, width = picture.shape[:2]
    needed = min(height, width) / view.share
    short_side = next(
        (side for share in _SHORT_SIDES if (side := round(share * view.long_side)) >= needed), view.long_side
    )
    return (view.long_side, short_side) if height > width else (short_side, view.long_side)


def _scaling(image: Image, small: Image) -> npt.NDArray[np.float64]:
    """Pixel centres kept: p' = (p + 0.5) * k - 0.5, with a k of its own per axis, since sizes were rounded."""
    k_x, k_y = small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]
    return np.array([[k_x, 0, 0.5 * k_x - 0.5], [0, k_y, 0.5 * k_y - 0.5], [0, 0, 1]])


def _turn(small: Image, quarter_turns: int) -> npt.NDArray[np.float64]:
    """Clockwise by 90°, so often: (x, y) goes to (height - 1 - y, x)."""
    matrix = np.eye(3)
    height, width = small.shape[:2]
    for _ in range(quarter_turns % 4):
        matrix = np.array([[0, -1, height - 1], [1, 0, 0], [0, 0, 1]]) @ matrix
        height, width = width, height
    return matrix


def _shift(left: int, top: int) -> npt.NDArray[np.float64]:
    return np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
