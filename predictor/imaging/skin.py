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

from predictor.imaging.colour import enlarged, spread
from predictor.imaging.heads import Surface, head_of
from predictor.imaging.outlines import cheapest_outline
from predictor.imaging.proportions import BROWS_AND_EYES, CHEEKS, NOSE, UNDER_LIP, beyond_face, features

if TYPE_CHECKING:
    from predictor.faces import Crop, Landmarks, Mask
    from predictor.imaging.colour import Colour, Pixels
    from predictor.imaging.heads import Head, Points
    from predictor.imaging.proportions import Shape

SIZE = 128
"""Faces are mapped at this size, whatever their crop's: masks and light are smooth."""
FIELD = 64
"""The head's surface is smoother still."""

# In Lab: the least and the most that skin's own spread is taken for, and how far its colour may wander with the light.
_LEAST_SPREAD, _MOST_SPREAD = np.array([6, 2.5, 3.5]), np.array([12, 5, 7])
_DARKEST, _BRIGHTEST = np.array([-26, -8, -9], np.float32), np.array([14, 7, 22], np.float32)
_SPREADS = 1.3
_HIGHLIGHT = np.float32(0.7)
"""Skin becomes brighter more easily than darker: brightness above the expected counts less."""
_UNDECIDED = 5.0
"""Squared distance, in spreads, at which a pixel is as likely skin as not."""
_WELL_SEEN, _SEEN, _OUTLINE = 0.3, 0.1, 0.02
"""How squarely a place must be seen to learn from it, to be a feature, and to lie on the head at all."""
_FACE_EDGE = 0.05
_FEW_SAMPLES = 8

_DIRECTIONS, _RADII, _REACH = 48, 56, 0.97
"""Rays from the middle of the face, steps along each, and their end as a share of half the crop."""
_LANDMARK_RADII = (0.16, 0.16, 0.05, 0.12, 0.12)
"""What lies this close to a landmark is inside, in distances between the eyes."""
# Costs of a step of the way from the middle outwards; skin costs -1, everything else up to 2.
_FEATURE, _PASSABLE, _STEP, _BESIDE_HEAD, _BEYOND_FACE, _FAR = -3.0, 0.2, 0.15, 1.0, 1 / 0.12, 4.0
_STRONG_EDGE = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class FaceMap:
    """A face, mapped at SIZE."""

    image: Pixels
    """RGB, 0 to 255."""
    landmarks: Landmarks
    head: Head
    surface: Surface
    """What of the head each pixel shows."""
    skin: Mask
    """How surely each pixel is bare skin; eyes, brows, lips and hair are not."""
    inside: Shape
    """The outline's inside."""


def map_face(crop: Crop, features_half_width: float) -> FaceMap:
    """Map a face's skin and outline.

    Args:
        crop: Aligned so that there is room around the face.
        features_half_width: Brows, eyes and mouth are inside up to this distance from the middle of the face,
            whatever they look like; in distances between the eyes.
    """
    ratio = SIZE / crop.image.shape[0]
    image = cv2.resize(crop.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    landmarks = ((crop.landmarks + 0.5) * ratio - 0.5).astype(np.float32)
    head = head_of(landmarks)
    coarse = head.surface_at(grid(FIELD))
    surface = Surface(enlarged(coarse.places, SIZE), enlarged(coarse.facing, SIZE))
    lab = _lab(image)
    oddness = _oddness(lab, coarse, _features(coarse, features_half_width), head.scale)
    certain = _features(surface, features_half_width) | _around(landmarks, head.scale)
    inside = _outlined(_crossing_costs(oddness, surface), certain, lab, landmarks.mean(axis=0))
    return FaceMap(image, landmarks, head, surface, np.clip(1.0 - oddness, 0.0, 1.0), inside)


def grid(size: int) -> Points:
    """Return the places in a picture of SIZE at which a grid of that size has its pixels, shape (size, size, 2)."""
    across = (np.arange(size, dtype=np.float32) + 0.5) * (SIZE / size) - 0.5
    return np.stack(np.meshgrid(across, across), axis=-1)


def _lab(image: Pixels) -> Pixels:
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8) / np.float32(255.0)
    return cv2.cvtColor(smooth, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)


def _features(surface: Surface, half_width: float) -> Shape:
    return features(surface.places, half_width) & (surface.facing > _SEEN)


def _oddness(lab: Pixels, surface: Surface, certain: Shape, unit: float) -> Mask:
    """Return how unlike skin each pixel is: -1 like the cheeks, 0 undecided, up to 2 something else.

    All but the last step is done on the coarse grid of the surface.
    """
    small = cv2.resize(lab, (FIELD, FIELD), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
    cheeks = CHEEKS.covers(surface.places)
    typical, width = _learnt(small, cheeks | NOSE.covers(surface.places), surface, certain)
    # Cheeks are skin in whatever light: one in the shadow looks like hair.
    known = (0.25 * (cheeks & (surface.facing > _SEEN))).astype(np.float32)
    face = (beyond_face(surface.places) < _FACE_EDGE) & (surface.facing > _SEEN)
    expected = np.broadcast_to(typical, small.shape)
    for _ in range(3):
        likely = np.where(face, np.exp(-0.5 * _distance(small, expected, width)), np.float32(0.0))
        tone = enlarged(spread(small, np.maximum(likely, known), 0.3 * unit * FIELD / SIZE, typical), FIELD)
        expected = np.where(certain[..., None], tone, np.clip(tone, typical + _DARKEST, typical + _BRIGHTEST))
    far = _distance(lab, enlarged(expected, SIZE), width)
    oddness: Mask = np.clip(far / _UNDECIDED - 1.0, -1.0, 2.0)
    return oddness


def _learnt(lab: Pixels, samples: Shape, surface: Surface, certain: Shape) -> tuple[Colour, Colour]:
    """Return the typical colour of skin and how far it spreads."""
    colours = lab[samples & (surface.facing > _WELL_SEEN)]
    if len(colours) < _FEW_SAMPLES:  # a head seen from far above or behind: whatever is in the middle
        colours = lab[certain] if certain.any() else lab.reshape(-1, 3)
    typical = np.median(colours, axis=0)
    # 1.4826: from the median's distance to the standard deviation of a normal distribution
    width = 1.4826 * np.median(np.abs(colours - typical), axis=0)
    return typical, (_SPREADS * np.clip(width, _LEAST_SPREAD, _MOST_SPREAD)).astype(np.float32)


def _distance(lab: Pixels, expected: Pixels, width: Colour) -> Mask:
    """Return squared distances from the expected colour, in spreads."""
    difference = (lab - expected) * (1.0 / width)
    difference[..., 0] *= np.where(difference[..., 0] > 0, _HIGHLIGHT, np.float32(1.0))
    return cv2.transform(difference * difference, np.ones((1, 3), np.float32)).astype(np.float32, copy=False)


def _around(landmarks: Landmarks, unit: float) -> Shape:
    discs = np.zeros((SIZE, SIZE), np.uint8)
    for (x, y), radius in zip(landmarks.tolist(), _LANDMARK_RADII, strict=True):
        cv2.circle(discs, (round(x), round(y)), round(radius * unit), 1, -1)
    return discs.astype(bool)


def _crossing_costs(oddness: Mask, surface: Surface) -> Mask:
    """Return what it costs the outline to lie beyond each pixel rather than before it."""
    # Brows, rims of glasses and the shadow under the lip lie across the way outwards; they must not end it.
    across = BROWS_AND_EYES.covers(surface.places) | UNDER_LIP.covers(surface.places)
    costs = np.where(across, np.minimum(oddness, _PASSABLE), oddness) + _STEP
    costs += np.clip(beyond_face(surface.places) * _BEYOND_FACE, 0.0, _FAR)
    return np.where(surface.facing > _OUTLINE, costs, costs + _BESIDE_HEAD).astype(np.float32)


def _outlined(costs: Mask, certain: Shape, lab: Pixels, centre: Points) -> Shape:
    """Return the inside of the cheapest outline around a centre that leaves out nothing that is certain."""
    layers = cv2.merge([costs, certain.astype(np.float32), lab[..., 0], lab[..., 2]])
    angles = np.arange(_DIRECTIONS, dtype=np.float32) * np.float32(2 * np.pi / _DIRECTIONS)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    radii = (np.arange(_RADII, dtype=np.float32) + 0.5) * np.float32(_REACH * SIZE / 2 / _RADII)
    along = centre + rays[:, None] * radii[None, :, None]
    met = cv2.remap(layers, along[..., 0], along[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    chosen = radii[cheapest_outline(_ending_costs(met.astype(np.float32, copy=False)))]
    smooth = cv2.GaussianBlur(np.tile(chosen, 3)[None], (0, 0), 0.9)[0, _DIRECTIONS : 2 * _DIRECTIONS]
    corners = centre + rays * smooth[:, None]
    shape = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(shape, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
    return shape.astype(bool)


def _ending_costs(met: Pixels) -> Mask:
    """Return what it costs to end at each radius: what was crossed on the way, less for ending at an edge.

    Args:
        met: Along each ray: costs, certainty, brightness and yellowness; shape (directions, radii, 4).
    """
    certain = met[..., 1] > 0.5  # noqa: PLR2004  # more than half
    to_the_last = np.maximum.accumulate(certain[:, ::-1], axis=1)[:, ::-1]
    crossed = np.where(to_the_last, np.float32(_FEATURE), met[..., 0])
    steps = np.diff(met[..., 2:], axis=1, append=met[:, -1:, 2:])
    edges = np.minimum(np.hypot(steps[..., 0], steps[..., 1]) / _STRONG_EDGE, 1.0)
    return (np.cumsum(crossed, axis=1) - crossed / 2 - edges).astype(np.float32, copy=False)
