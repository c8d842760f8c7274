"""What both sides work on: the same pictures, with the same faces where a random detector would find none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.client.samples import ASTRONAUT, SIX_FACES
from predictor.detectors import DETECTORS
from predictor.faces import Box, Face, left_to_right
from predictor.imaging.codec import decode
from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.weights.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Image

_MAX_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture, encoded and decoded, and its faces left to right."""

    data: bytes
    image: Image
    """RGB."""
    faces: Sequence[Face]


def source() -> Scene:
    """Return the portrait that gives its face."""
    return _scene(ASTRONAUT.read())


def six_faces() -> Scene:
    """Return the picture with six faces, 1280×886, a JPEG."""
    return _scene(SIX_FACES.read())


def one_face(width: int, height: int) -> Scene:
    """Return the first of the six faces in a picture of another size; the face keeps its share of the height."""
    scene = six_faces()
    scale = height / scene.image.shape[0]
    resized = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    canvas = np.zeros((height, width, 3), np.uint8)
    shared = min(width, resized.shape[1])
    canvas[:, :shared] = resized[:, :shared]
    face = scene.faces[0]
    box = Box(face.box.left * scale, face.box.top * scale, face.box.right * scale, face.box.bottom * scale)
    return Scene(b"", canvas, [Face(box, (face.landmarks * scale).astype(np.float32), face.score)])


def noise(size: int) -> Image:
    """Return a square picture with detail everywhere."""
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)


def _scene(data: bytes) -> Scene:
    image = decode(data, "sample", _MAX_PIXELS).image
    detector = DETECTORS["centerface"](Resources(session_opener(), Store(())))
    return Scene(data, image, left_to_right(detector.detect(image), image.shape[1], image.shape[0]))
