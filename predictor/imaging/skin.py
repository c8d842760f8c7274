"""Where a face is bare skin, and the outline inside which it may be painted on.

The skin's colour is learnt from cheeks and nose and followed outwards, since light changes across a face. The outline
is the closed curve around the landmarks that holds much skin and ends where the skin ends: at the hairline, the
jaw, the visible side's edge. Eyes, brows and mouth are inside by construction, a beard from below the mouth is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from predictor.imaging.colour import spread
from predictor.imaging.heads import head_of
from predictor.imaging.outlines import cheapest_outline

if TYPE_CHECKING:
    from predictor.faces import Crop, Landmarks, Mask
    from predictor.imaging.colour import Pixels
    from predictor.imaging.heads import Head, Places

Inside = npt.NDArray[np.bool_]
"""A shape, (SIZE, SIZE)."""

SIZE = 128
"""Faces are mapped at this size, whatever their crop's: masks and light are smooth."""

_FIELD = 64
"""The head's surface is smoother still."""

_DIRECTIONS, _RADII = 48, 56
_REACH = 0.97
"""How far rays reach, as a share of half the crop's size."""

# All lengths below are in head coordinates: the distance between the eyes is 1.
_FACE_HALF_WIDTH, _JAW_HALF_WIDTH = 1.15, 0.85
_FACE_TOP, _FACE_CHIN = -1.1, 2.02
_CORE_HALF_WIDTH, _CORE_TOP, _CORE_BOTTOM = 0.9, -0.45, 1.42
_BROWS = (-0.5, 0.15)
_BROWS_HALF_WIDTH = 1.1

# In Lab: the least and the most that skin's own spread is taken for, and how far its colour may wander with the light.
_LEAST_SPREAD, _MOST_SPREAD = np.float32([6, 2.5, 3.5]), np.float32([12, 5, 7])
_DARKEST, _BRIGHTEST = np.float32([-32, -8, -9]), np.float32([14, 10, 11])


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """A face, mapped at SIZE."""

    image: Pixels
    """RGB, 0 to 255."""
    landmarks: Landmarks
    head: Head
    places: Places
    """The place of the head that each pixel shows, shape (SIZE, SIZE, 3)."""
    facing: Mask
    """How squarely it is seen, below 0 to 1."""
    skin: Mask
    """How surely each pixel is bare skin; eyes, brows, lips and hair are not."""
    inside: Inside
    """The outline's inside."""


def map_face(crop: Crop) -> FaceMap:
    """Map a face's skin and outline.

    Args:
        crop: Aligned so that there is room around the face.
    """
    ratio = SIZE / crop.image.shape[0]
    image = cv2.resize(crop.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    landmarks = ((crop.landmarks + 0.5) * ratio - 0.5).astype(np.float32)
    head = head_of(landmarks)
    places = head.places_at(grid(_FIELD))
    facing = head.facing(places)
    places, facing = _enlarged(places), _enlarged(facing)
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 0.8).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    oddness = _oddness(lab, places, facing, head.scale)
    inside = _inside(lab, oddness, places, facing, landmarks)
    skin = np.clip(1.0 - oddness, 0.0, 1.0)
    return FaceMap(image.astype(np.float32), landmarks, head, places, facing, skin, inside)


def grid(size: int) -> npt.NDArray[np.float32]:
    """Return the places in a picture of SIZE at which a grid of that size has its pixels, shape (size, size, 2)."""
    across = (np.arange(size, dtype=np.float32) + 0.5) * (SIZE / size) - 0.5
    return np.stack(np.meshgrid(across, across), axis=-1)


def _enlarged(field: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _oddness(lab: Pixels, places: Places, facing: Mask, unit: float) -> Mask:
    """Return how unlike skin each pixel is: -1 like the cheeks, 0 undecided, up to 2 something else."""
    x, y = np.abs(places[..., 0]), places[..., 1]
    cheeks = (x > 0.2) & (x < 0.75) & (y > 0.35) & (y < 0.8)
    nose = (x < 0.18) & (y > 0.1) & (y < 0.5)
    samples = lab[(cheeks | nose) & (facing > 0.3)]
    typical = np.median(samples, axis=0)
    # 1.4826: from the median's distance to the standard deviation of a normal distribution
    width = 1.4826 * np.median(np.abs(samples - typical), axis=0)
    width = (1.3 * np.clip(width, _LEAST_SPREAD, _MOST_SPREAD)).astype(np.float32)
    face = (_beyond_face(places) < 0.05).astype(np.float32)
    expected: Pixels = np.broadcast_to(typical, lab.shape).astype(np.float32)
    far = _distance(lab, expected, width)
    for _ in range(3):
        expected = spread(lab, np.exp(-0.5 * far) * face, 0.3 * unit, typical)
        expected = np.clip(expected, typical + _DARKEST, typical + _BRIGHTEST)
        far = _distance(lab, expected, width)
    return np.clip((far - 5.0) / 5.0, -1.0, 2.0)


def _distance(lab: Pixels, expected: Pixels, width: npt.NDArray[np.float32]) -> Mask:
    difference = (lab - expected) / width
    difference[..., 0] *= np.where(difference[..., 0] > 0, 0.7, 1.0)  # a highlight is still skin
    return np.einsum("ijk,ijk->ij", difference, difference)


def _beyond_face(places: Places) -> Mask:
    """Return how far a place lies beyond a mean face's edge, as a share of its radius; below 0 inside."""
    x, y = places[..., 0], places[..., 1]
    middle, half_height = (_FACE_TOP + _FACE_CHIN) / 2, (_FACE_CHIN - _FACE_TOP) / 2
    down = np.clip((y - 0.6) / (_FACE_CHIN - 0.6), 0.0, 1.0)
    half_width = _FACE_HALF_WIDTH + (_JAW_HALF_WIDTH - _FACE_HALF_WIDTH) * down
    behind = np.maximum(0.0, -1.0 - places[..., 2])
    return np.hypot(x / half_width, (y - middle) / half_height) - 1.0 + behind


def _inside(lab: Pixels, oddness: Mask, places: Places, facing: Mask, landmarks: Landmarks) -> Inside:
    x, y = np.abs(places[..., 0]), places[..., 1]
    # Brows and the rims of glasses lie across the way from the eyes to the forehead; they must not end it.
    brows = (y > _BROWS[0]) & (y < _BROWS[1]) & (x < _BROWS_HALF_WIDTH)
    crossing = np.where(brows, np.minimum(oddness, 0.2), oddness) + 0.15
    crossing += np.clip(_beyond_face(places) / 0.12, 0.0, 4.0) + np.where(facing > 0.02, 0.0, 2.0)
    middle, half_height = (_CORE_TOP + _CORE_BOTTOM) / 2, (_CORE_BOTTOM - _CORE_TOP) / 2
    core = ((x / _CORE_HALF_WIDTH) ** 4 + ((y - middle) / half_height) ** 4 < 1.0) & (facing > 0.1)
    layers = np.dstack([crossing, core.astype(np.float32), lab[..., 0], lab[..., 2]]).astype(np.float32)
    angles = np.arange(_DIRECTIONS, dtype=np.float32) * np.float32(2 * np.pi / _DIRECTIONS)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    radii = (np.arange(_RADII, dtype=np.float32) + 0.5) * np.float32(_REACH * SIZE / 2 / _RADII)
    centre = landmarks.mean(axis=0)
    along = (centre + rays[:, None] * radii[None, :, None]).astype(np.float32)
    seen = cv2.remap(layers, along[..., 0], along[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    chosen = cheapest_outline(_ending_costs(seen[..., 0], seen[..., 1] > 0.5, seen[..., 2:]))
    smooth = cv2.GaussianBlur(np.tile(radii[chosen], 3)[None], (0, 0), 0.9)[0, _DIRECTIONS : 2 * _DIRECTIONS]
    corners = centre + rays * smooth[:, None]
    shape = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(shape, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    return shape.astype(bool)


def _ending_costs(crossing: Mask, core: npt.NDArray[np.bool_], colours: Pixels) -> Mask:
    """Return what it costs to end at each radius: what was crossed on the way, less for ending at an edge."""
    reached = np.maximum.accumulate(core[:, ::-1], axis=1)[:, ::-1]  # from the centre to the core's last pixel
    crossed = np.where(reached, -3.0, crossing)
    steps = np.diff(colours, axis=1, append=colours[:, -1:])
    edges = np.minimum(np.hypot(steps[..., 0], steps[..., 1]) / 15.0, 1.0)
    return (np.cumsum(crossed, axis=1) - crossed / 2 - edges).astype(np.float32)
