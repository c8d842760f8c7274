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
from predictor.imaging.colour import enlarged
from predictor.imaging.masks import smooth
from predictor.imaging.skin import FIELD, SIZE, grid

if TYPE_CHECKING:
    from predictor.faces import Landmarks, Mask
    from predictor.imaging.alignment import Pixels
    from predictor.imaging.heads import Places, Points
    from predictor.imaging.skin import FaceMap

_MIRROR = np.array([-1, 1, 1], np.float32)
_MIRRORED_ORDER = [1, 0, 2, 4, 3]
# How far around eyes, nose and mouth corners a mend reaches, in distances between the eyes. The nose stands out of
# the surface, so it moves against its surroundings and must not drag them along.
_MEND_REACH = np.array([1.0, 1.0, 0.42, 1.0, 1.0], np.float32)
_LEAST_FACING = 0.12
"""How squarely a place must be seen in the source to be shown."""
_LEAST_STRETCH = 0.1
"""Source pixels a destination pixel's area must cover at least; at 0 the warp folds."""

_NEAR_PROFILE_DEGREES = 38.0
"""From here on a destination's far side is too narrow for a warp: it would smear the nose over it."""
_PROFILE_DEGREES = 45.0
"""From here on a source shows what lies behind the head on both sides of its mouth."""
_BEYOND_PROFILE_DEGREES = 70.0
"""From here on a source shows too little of its face for a warp."""
# From which turn of the source on which part of its far half is mirrored: first the cheek, then the eye too. The seam
# never runs through an eye, which lies between 0.3 and 0.75.
_HALF_HIDDEN_DEGREES = 21.0
_SEAMS = ((_HALF_HIDDEN_DEGREES, 0.0), (12.0, 0.95))
_SEAM_WIDTH = 0.2
"""Over which straight and mirrored are mixed, in distances between the eyes."""
_EYE = 0.5
"""How far an eye lies from the middle; nearer places are moved outwards where the middle is hidden."""
_MIDDLE_HIDDEN = ((21.0, 55.0), (0.04, 0.16))
"""How far from the middle a face turned by so many degrees is surely seen."""
_BROWS_APART, _LIP_DENT = 0.16, 0.13
"""Half widths of the two places where halves must not meet, in distances between the eyes."""


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
    trust: Mask
    """How far what is seen is what the source shows, shape (SIZE, SIZE), 0 to 1; its hidden side is 0."""

    def seen(self, image: Pixels, size: int) -> Pixels:
        """Return a picture or mask of the source, square, laid over the destination; shape (size, size, ...)."""
        straight = _sampled(image, self.straight, size)
        if self.mirrored is None:
            return straight
        return _mixed(straight, _sampled(image, self.mirrored, size), enlarged(self.share, size))


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
    yaw, marks, unit = source.head.yaw_degrees, destination.landmarks, destination.head.scale
    share = _share(yaw, destination.surface.places)
    doubt = np.zeros_like(share)
    points = grid(FIELD)
    places = destination.head.places_at(points)
    others = places * _MIRROR
    missing, missing_mirrored = _missing(source, destination)
    if abs(yaw) >= _HALF_HIDDEN_DEGREES:
        places = others = _on_near_half(places, yaw)
        _believe_near_side(missing, missing_mirrored, yaw)
        doubt = _midline(destination.surface.places, profile=abs(yaw) >= _PROFILE_DEGREES)
    straight = source.head.points_of(places) + _mend(points, marks, missing, unit)
    mirrored = source.head.points_of(others) + _mend(points, marks, missing_mirrored, unit)
    facing = share * enlarged(source.head.facing(places), SIZE)
    facing += (1.0 - share) * enlarged(source.head.facing(others), SIZE)
    return Fit(
        "warp", straight, mirrored if share.min() < 1.0 else None, share, (facing > _LEAST_FACING) * (1.0 - doubt)
    )


def _believe_near_side(missing: Points, missing_mirrored: Points, yaw_degrees: float) -> None:
    """Let the far side's uncertain landmarks not bend the near side: what is missing there is what is missing here."""
    left, right = [0, 3], [1, 4]
    far, near = (left, right) if yaw_degrees < 0 else (right, left)
    missing[far] = missing[near]
    missing_mirrored[near] = missing_mirrored[far]


def _on_near_half(places: Places, yaw_degrees: float) -> Places:
    """Return the same places, or their mirror images, on the half of the face that a turned source shows.

    None comes closer to the middle than it must: there the nose hides what is behind it, or shows what lies behind
    the head.
    """
    distance = np.interp(abs(yaw_degrees), *_MIDDLE_HIDDEN)
    across = np.abs(places[..., 0])
    across = -np.sign(yaw_degrees) * np.maximum(across, distance + across * (1.0 - distance / _EYE))
    return np.dstack([across, places[..., 1:]]).astype(np.float32, copy=False)


def _missing(source: FaceMap, destination: FaceMap) -> tuple[Points, Points]:
    """Return by how much the heads alone miss the source's landmarks, straight and mirrored."""
    marks = destination.head.places_at(destination.landmarks)
    straight = source.landmarks - source.head.points_of(marks)
    mirrored = source.landmarks[_MIRRORED_ORDER] - source.head.points_of(marks * _MIRROR)
    return straight, mirrored


def _mend(points: Points, marks: Landmarks, missing: Points, unit: float) -> Points:
    """Return shifts that are exactly what is missing at the marks and fade away from them."""
    reach = -0.5 / (_MEND_REACH * np.float32(unit)) ** 2

    def nearness(to: Points) -> npt.NDArray[np.float32]:
        difference = to[..., None, :] - marks
        near: npt.NDArray[np.float32] = np.exp((difference * difference).sum(axis=-1) * reach)
        return near

    # A little on the diagonal: landmarks may coincide.
    shares = np.linalg.solve(nearness(marks) + np.eye(len(marks)) * 1e-3, missing)
    return (nearness(points) @ shares).astype(np.float32)


def _share(yaw_degrees: float, places: Places) -> Mask:
    """Return how much to take straight: all on the side the source shows, nothing beyond the seam."""
    for least, seam in _SEAMS:
        if abs(yaw_degrees) >= least:
            beyond = (places[..., 0] * np.sign(yaw_degrees) - seam) / _SEAM_WIDTH + 0.5
            share: Mask = (1.0 - smooth(np.clip(beyond, 0.0, 1.0))).astype(np.float32)
            return share
    return np.ones(places.shape[:2], np.float32)


def _midline(places: Places, *, profile: bool) -> Mask:
    """Return where a half that meets its mirror image would join what is apart.

    Between the brows; and below the nose, where a profile shows what lies behind the head.
    """
    x, y = places[..., 0], places[..., 1]
    doubt = np.exp(-((x / _BROWS_APART) ** 4) - ((y + 0.35) / 0.3) ** 4)
    if profile:
        doubt = np.maximum(doubt, np.exp(-((x / _LIP_DENT) ** 4) - ((y - 0.85) / 0.17) ** 4))
    return doubt


def _stays_flat(warped: Fit, destination: FaceMap) -> bool:
    """Return whether a warp neither folds nor tears where the destination shows it."""
    step = SIZE // FIELD
    inside = (destination.inside & (warped.trust > 0))[::step, ::step]
    share = warped.share[::step, ::step]
    flat = bool((_areas(warped.straight)[inside & (share == 1.0)] > _LEAST_STRETCH).all())
    if warped.mirrored is None:
        return flat
    return flat and bool((_areas(warped.mirrored)[inside & (share == 0.0)] < -_LEAST_STRETCH).all())


def _areas(points: Points) -> npt.NDArray[np.float32]:
    """Return the signed area of the source that each pixel of the destination covers."""
    down, right = np.gradient(points, SIZE / FIELD, axis=0), np.gradient(points, SIZE / FIELD, axis=1)
    areas: npt.NDArray[np.float32] = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    return areas


def _similarity(source: FaceMap, destination: FaceMap) -> Fit:
    """Return the source as it is, held by the landmarks on the side that both show; the nose keeps its profile."""
    turned, marks = destination.head.yaw_degrees, source.landmarks
    flips = turned * source.head.yaw_degrees < 0 and abs(source.head.yaw_degrees) > _SEAMS[-1][0]
    if flips:
        marks = _flipped(marks)[_MIRRORED_ORDER]
    everywhere = np.ones((SIZE, SIZE), np.float32)
    seen = [1, 2, 4] if turned < 0 else [0, 2, 3]
    points = transformed(grid(FIELD).reshape(-1, 2), similarity(destination.landmarks[seen], marks[seen]))
    points = _flipped(points) if flips else points
    return Fit("similarity", points.reshape(FIELD, FIELD, 2), None, everywhere, everywhere)


def _flipped(points: Points) -> Points:
    return np.column_stack([SIZE - 1 - points[:, 0], points[:, 1]])


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
