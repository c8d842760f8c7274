"""What makes a swapped face look right, as numbers. Said once, here; the tests only compare.

All take pictures as RGB, 0 to 255, and the mask in pixels of the destination. A gradient is Sobel's on Lab, a colour
distance the Euclidean one in Lab (CIE76).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from predictor.faces import Face, Image, Landmarks, Mask
from predictor.imaging.alignment import ARCFACE_128, similarity, transformed

Floats = npt.NDArray[np.float32]
Inside = npt.NDArray[np.bool_]

_MIRRORED_ORDER = [1, 0, 2, 4, 3]
_HARDEST_SLOPE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Swap:
    """One face, before and after."""

    source: Image
    source_face: Face
    destination: Image
    destination_face: Face
    result: Image
    mask: Mask
    """In pixels of the destination."""
    fit: str


def likeness(swap: Swap) -> tuple[float, float]:
    """Return the correlation of the aligned result, inside the mask, with the source and with the old destination.

    The destination is compared with itself in place. The source is laid onto the destination's landmarks by the affine
    map that fits all five best, straight or mirrored, or by the similarity of those on one side; the best of them
    counts, since a turned face shows a part of a frontal one and the other way round. None of them knows our warp.
    """
    matrix = similarity(swap.destination_face.landmarks, ARCFACE_128.points)
    size = (ARCFACE_128.size, ARCFACE_128.size)

    def aligned(image: Image, way: npt.NDArray[np.float64]) -> Floats:
        smooth = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 0.7), cv2.COLOR_RGB2GRAY)
        return cv2.warpAffine(smooth, way, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)

    weights = cv2.warpAffine(swap.mask, matrix, size).astype(np.float32)
    result = aligned(swap.result, matrix)
    marks = transformed(swap.destination_face.landmarks, matrix)
    flipped = np.ascontiguousarray(swap.source[:, ::-1])
    points = swap.source_face.landmarks
    turned = (points * [-1, 1] + [swap.source.shape[1] - 1, 0]).astype(np.float32)[_MIRRORED_ORDER]
    laid = [aligned(swap.source, way) for way in _ways(points, marks)]
    laid += [aligned(flipped, way) for way in _ways(turned, marks)]
    likest = max(_correlation(result, source, weights) for source in laid)
    return likest, _correlation(result, aligned(swap.destination, matrix), weights)


def edge_steepness(swap: Swap) -> float:
    """Return the mean gradient across the mask's edge, as a multiple of the destination's own at the same place."""
    across, down = (cv2.Sobel(swap.mask, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    slope = np.hypot(across, down)
    edge = slope > _HARDEST_SLOPE
    normal = np.stack([across, down], axis=-1)[edge] / slope[edge][:, None]

    def steepness(image: Image) -> float:
        colours = lab(image)
        horizontal = cv2.Sobel(colours, cv2.CV_32F, 1, 0)[edge] * normal[:, :1]
        vertical = cv2.Sobel(colours, cv2.CV_32F, 0, 1)[edge] * normal[:, 1:]
        return float(np.linalg.norm(horizontal + vertical, axis=-1).mean())

    return steepness(swap.result) / steepness(swap.destination)


def colour_cast(swap: Swap, face: Inside) -> float:
    """Return how far the mean colour in the mask is from that of the face's skin which stays visible around it.

    The mean in the mask weighs each pixel of the result as the mask does, features and all. The skin around is all of
    the face that the mask leaves or nearly leaves (below 0.3), in the light and in the shade, with the colours that it
    had before, so that nothing of the new face can count as its own surroundings. What the mask covers of the old face
    counts for nothing.

    Args:
        swap: The face.
        face: Where the destination shows the face's skin, drawn by eye; no model of skin that the swapper has.
    """
    around = lab(swap.destination)[face & (swap.mask < 0.3)].mean(axis=0)  # outside, and faded
    new = (lab(swap.result) * swap.mask[..., None]).sum(axis=(0, 1)) / swap.mask.sum()
    return float(np.linalg.norm(new - around))


def coverage(swap: Swap) -> float:
    """Return the share of the detector's box in which at least half of each pixel is new."""
    height, width = swap.mask.shape
    box = swap.destination_face.box.clipped(width, height)
    left, top, right, bottom = (round(edge) for edge in (box.left, box.top, box.right, box.bottom))
    covered = swap.mask[top:bottom, left:right] >= 0.5  # half
    return float(covered.sum()) / (swap.destination_face.box.width * swap.destination_face.box.height)


def changed_outside(swap: Swap) -> int:
    """Return how many pixels differ from the destination where the mask is 0."""
    return int((swap.result != swap.destination)[swap.mask == 0].any(axis=-1).sum())


def share_outside(mask: Mask, face: Inside) -> float:
    """Return the share of the mask that lies outside the face."""
    room = cv2.dilate(face.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return float(mask[~room].sum() / mask.sum())


def lab(image: Image) -> Floats:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)


def _ways(points: Landmarks, onto: Landmarks) -> list[npt.NDArray[np.float64]]:
    affine = np.linalg.lstsq(np.column_stack([points, np.ones(len(points))]), onto, rcond=None)[0].T
    left, right = [0, 2, 3], [1, 2, 4]
    return [affine, similarity(points[left], onto[left]), similarity(points[right], onto[right])]


def _correlation(first: Floats, second: Floats, weights: Mask) -> float:
    a = first - np.average(first, weights=weights)
    b = second - np.average(second, weights=weights)
    return float((weights * a * b).sum() / np.sqrt((weights * a * a).sum() * (weights * b * b).sum()))
