"""Looks at every guess again, upright and at one size, and keeps what is a face there, too.

On the whole picture faces are tilted, large and small; there a network's landmarks are off by some hundredths of the
face, and parts of a close-up pass for faces. On a crop that those landmarks turned upright and scaled, the same
network's are several times steadier, and what was no face is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from predictor.detectors.candidates import Candidates, Floats, same_face
from predictor.errors import DegenerateLandmarks
from predictor.faces import Box, Image
from predictor.imaging.alignment import FFHQ_512, align, inverted, transformed

if TYPE_CHECKING:
    from predictor.faces import AffineMatrix, Crop, Landmarks

Look: TypeAlias = Callable[[Sequence[Image]], list[Candidates]]
"""Runs a network on canvases of one size, and returns what it takes for faces on each."""

_TEMPLATE = FFHQ_512.scaled(128).widened(1.2)
"""A face is about 75 pixels high in it. Among widths of 1 to 1.6 and sizes of 128 to 192, landmarks were best here."""
_MAX_ROUNDS = 3
_SETTLED_PIXELS = 3.0
"""A guess that was off by more, in pixels of the crop, made a crop that was not upright: look once more."""
_MOST_CROPS = 8
"""At once, so that memory does not grow with the faces of a picture."""
_LEAST_SCORE = 0.5
_MAX_OVERLAP_OF_FACES = 0.5
"""Two guesses that settled on the same face agree far better than this; two faces cheek to cheek do not."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face that was seen upright; in pixels of the picture."""

    box: Box
    landmarks: Landmarks
    score: float
    moved: float
    """How far the landmarks lie from the guess, root mean square, in pixels of the crop."""


def look_again(image: Image, guesses: Sequence[Landmarks], look: Look) -> list[Sighting]:
    """Return the faces that guesses were right about, each once, surest first.

    Args:
        image: The whole picture.
        guesses: Landmarks of what may be faces, in pixels of the picture.
        look: The network.
    """
    settled: list[Sighting] = []
    sightings: list[Sighting] = []
    for _ in range(_MAX_ROUNDS):
        sightings = _one_round(image, guesses, look)
        settled += [sighting for sighting in sightings if sighting.moved <= _SETTLED_PIXELS]
        sightings = [sighting for sighting in sightings if sighting.moved > _SETTLED_PIXELS]
        guesses = [sighting.landmarks for sighting in sightings]
    return _each_once(settled + sightings)


def _one_round(image: Image, guesses: Sequence[Landmarks], look: Look) -> list[Sighting]:
    crops: list[Crop] = []
    for guess in guesses:
        with suppress(DegenerateLandmarks):  # five points on one spot are no face
            crops.append(align(image, guess, _TEMPLATE))
    seen: list[Candidates] = []
    for start in range(0, len(crops), _MOST_CROPS):
        seen += look([_black_beyond(image, crop) for crop in crops[start : start + _MOST_CROPS]])
    sightings = [_sighting(candidates, crop) for candidates, crop in zip(seen, crops, strict=True)]
    return [sighting for sighting in sightings if sighting is not None]


def _black_beyond(image: Image, crop: Crop) -> Image:
    """Return the crop, black beyond the picture's edge: its pixels repeated would hide a face that the edge cuts."""
    height, width = image.shape[:2]
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    inside = np.zeros(crop.image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(transformed(corners, crop.matrix)).astype(np.int32), 1)
    return crop.image * inside[..., None]


def _sighting(candidates: Candidates, crop: Crop) -> Sighting | None:
    """Return the candidate nearest to where the guess lies in the crop, or None where the crop has none."""
    faces = candidates.merged().at_least(_LEAST_SCORE)
    if not faces.scores.size:
        return None
    distances = np.sqrt(np.square(faces.landmarks - crop.landmarks).sum(axis=2).mean(axis=1))
    nearest = int(distances.argmin())
    return Sighting(
        box=_box_in_picture(faces.boxes[nearest], crop.matrix),
        landmarks=transformed(faces.landmarks[nearest], inverted(crop.matrix)),
        score=float(faces.scores[nearest]),
        moved=float(distances[nearest]),
    )


def _box_in_picture(box: Floats, matrix: AffineMatrix) -> Box:
    """Return the box around the oval that fills the crop's box: a face has no corners, so a tilt does not swell it."""
    back = inverted(matrix)
    middle = (box[:2] + box[2:]) / 2
    x, y = transformed(middle[None].astype(np.float32), back)[0]
    half_width, half_height = np.hypot(*(back[:, :2] * (box[2:] - box[:2]) / 2).T)
    return Box(float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height))


def _each_once(sightings: list[Sighting]) -> list[Sighting]:
    boxes = np.array([(s.box.left, s.box.top, s.box.right, s.box.bottom) for s in sightings], np.float32).reshape(-1, 4)
    scores = np.array([sighting.score for sighting in sightings], np.float32)
    return [sightings[group[0]] for group in same_face(boxes, scores, _MAX_OVERLAP_OF_FACES)]
