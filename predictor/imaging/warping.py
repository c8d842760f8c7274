"""Lay one face over another: which pixel of the source each pixel of the destination shows.

Each pixel of the destination is a place of its head; the source's head, turned as it is, says where that place lies in
the source. What five points know better than a mean head is mended around them. Places that the source hides are
taken from the other half of its face, mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from predictor.imaging.alignment import similarity, transformed
from predictor.imaging.skin import SIZE, grid

if TYPE_CHECKING:
    from predictor.faces import Landmarks, Mask
    from predictor.imaging.alignment import Pixels
    from predictor.imaging.heads import Head, Places, Points
    from predictor.imaging.skin import FaceMap

_FIELD = 64
_MIRROR = np.float32([-1, 1, 1])
_MIRRORED_ORDER = [1, 0, 2, 4, 3]
# How far around eyes, nose and mouth corners a mend reaches, in distances between the eyes. The nose stands out of
# the surface, so it moves against its surroundings and must not drag them along.
_MEND_REACH = np.float32([1.0, 1.0, 0.42, 1.0, 1.0])
_LEAST_STRETCH = 0.1
"""Source pixels a destination pixel's area must cover at least; at 0 the warp folds."""

_NEAR_PROFILE_DEGREES = 45.0
_BEYOND_PROFILE_DEGREES = 70.0
# From which turn of the source on which part of its far half is mirrored: first the cheek, then the eye too. The seam
# never runs through an eye, which lies between 0.3 and 0.75.
_SEAMS = ((38.0, 0.1), (21.0, 0.2), (12.0, 0.95))
_SEAM_WIDTH = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where each pixel of a destination finds its colour in a source."""

    kind: str
    """`warp` or `similarity`."""
    straight: Points
    """Points of the source mapped at SIZE, on a coarse grid over the destination; shape (n, n, 2)."""
    mirrored: Points | None
    """The same in the other half of the source's face; None where nothing is taken from there."""
    share: Mask
    """How much is taken straight, shape (SIZE, SIZE), 0 to 1."""

    def seen(self, image: Pixels, size: int) -> Pixels:
        """Return a picture or mask of the source, square, laid over the destination; shape (size, size, ...)."""
        straight = _sampled(image, self.straight, size)
        if self.mirrored is None:
            return straight
        share = cv2.resize(self.share, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        return _mixed(straight, _sampled(image, self.mirrored, size), share)


def fit(source: FaceMap, destination: FaceMap) -> Fit:
    """Lay a source over a destination: warped, or as it is where a warp would smear or fold.

    A destination seen nearly in profile gets the source as it is, mirrored if it looks the other way.
    """
    turned = destination.head.yaw_degrees
    if abs(turned) < _NEAR_PROFILE_DEGREES and abs(source.head.yaw_degrees) < _BEYOND_PROFILE_DEGREES:
        warped = _warp(source, destination)
        if _stays_flat(warped, destination):
            return warped
    return _similarity(source, destination)


def _warp(source: FaceMap, destination: FaceMap) -> Fit:
    share = _share(source.head.yaw_degrees, destination.places)
    straight = _lay(source.head, source.landmarks, destination, np.float32([1, 1, 1]))
    mirrored = None
    if share.min() < 1.0:
        mirrored = _lay(source.head, source.landmarks[_MIRRORED_ORDER], destination, _MIRROR)
    return Fit("warp", straight, mirrored, share)


def _lay(head: Head, goals: Landmarks, destination: FaceMap, side: npt.NDArray[np.float32]) -> Points:
    """Return where a head shows the places of a destination, and shows them exactly at its landmarks."""
    points = grid(_FIELD)
    places: Places = destination.head.places_at(points) * side
    marks: Places = destination.head.places_at(destination.landmarks) * side
    missing = goals - head.points_of(marks)
    return head.points_of(places) + _mend(points, destination.landmarks, missing, destination.head.scale)


def _mend(points: Points, marks: Landmarks, missing: Points, unit: float) -> Points:
    """Return shifts that are exactly what is missing at the marks and fade away from them."""
    reach = -0.5 / (_MEND_REACH * np.float32(unit)) ** 2

    def nearness(to: Points) -> npt.NDArray[np.float32]:
        difference = to[..., None, :] - marks
        return np.exp((difference * difference).sum(axis=-1) * reach)

    shares = np.linalg.solve(nearness(marks), missing)
    return (nearness(points) @ shares).astype(np.float32)


def _share(yaw_degrees: float, places: Places) -> Mask:
    """Return how much to take straight: all on the side the source shows, nothing beyond the seam."""
    for least, seam in _SEAMS:
        if abs(yaw_degrees) >= least:
            beyond = (places[..., 0] * np.sign(yaw_degrees) - seam) / _SEAM_WIDTH + 0.5
            rise = np.clip(beyond, 0.0, 1.0)
            return (1.0 - rise * rise * (3.0 - 2.0 * rise)).astype(np.float32)
    return np.ones(places.shape[:2], np.float32)


def _stays_flat(warped: Fit, destination: FaceMap) -> bool:
    size = (_FIELD, _FIELD)
    inside = cv2.resize(destination.inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    share = cv2.resize(warped.share, size, interpolation=cv2.INTER_AREA)
    flat = _areas(warped.straight)[inside & (share > 0.5)] > _LEAST_STRETCH
    if warped.mirrored is None:
        return bool(flat.all())
    return bool(flat.all() and (_areas(warped.mirrored)[inside & (share <= 0.5)] < -_LEAST_STRETCH).all())


def _areas(points: Points) -> npt.NDArray[np.float32]:
    """Return the signed area of the source that each pixel of the destination covers."""
    step = np.float32(SIZE / _FIELD)
    down, right = np.gradient(points, step, axis=(0, 1))
    return right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]


def _similarity(source: FaceMap, destination: FaceMap) -> Fit:
    marks = source.landmarks
    points = grid(_FIELD).reshape(-1, 2)
    if min(abs(source.head.yaw_degrees), abs(destination.head.yaw_degrees)) > _SEAMS[-1][0] and (
        source.head.yaw_degrees * destination.head.yaw_degrees < 0
    ):
        flipped = (marks * np.float32([-1, 1]) + np.float32([SIZE - 1, 0]))[_MIRRORED_ORDER]
        laid = transformed(points, similarity(destination.landmarks, flipped))
        laid = laid * np.float32([-1, 1]) + np.float32([SIZE - 1, 0])
    else:
        laid = transformed(points, similarity(destination.landmarks, marks))
    return Fit("similarity", laid.reshape(_FIELD, _FIELD, 2), None, np.ones((SIZE, SIZE), np.float32))


def _sampled(image: Pixels, points: Points, size: int) -> Pixels:
    if image.shape[0] > size:  # a linear sample looks at four pixels; shrunk first, none is jumped over
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype(image.dtype, copy=False)
    ratio = image.shape[0] / SIZE
    at = cv2.resize(points, (size, size), interpolation=cv2.INTER_LINEAR)
    at = (at + np.float32(0.5)) * np.float32(ratio) - np.float32(0.5)
    kind = cv2.INTER_CUBIC if image.shape[0] < size else cv2.INTER_LINEAR
    seen = cv2.remap(image, at[..., 0], at[..., 1], kind, borderMode=cv2.BORDER_REPLICATE)
    return seen.astype(image.dtype, copy=False)


def _mixed(first: Pixels, second: Pixels, share: Mask) -> Pixels:
    if first.dtype == np.uint8:
        return cv2.blendLinear(first, second, share, 1.0 - share).astype(first.dtype, copy=False)
    weight = share if first.ndim == share.ndim else share[..., None]
    return second + (first - second) * weight
