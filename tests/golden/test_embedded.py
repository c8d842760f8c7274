"""Golden pictures of the embedded recipe; written only by `pytest --update-golden`, see README.md beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor.detectors import DETECTORS
from predictor.imaging.alignment import align
from predictor.imaging.compositing import paste_back
from predictor.imaging.masks import soft_ellipse
from predictor.resources import Resources
from predictor.restorers.sharpen import Sharpen
from predictor.runtime.providers import session_opener
from predictor.swappers.blend import Blend
from predictor.upsamplers.lanczos import Lanczos
from predictor.weights.store import Store
from tests.unit.swappers.swaps import Faces, swapped

if TYPE_CHECKING:
    from predictor.faces import Face, Image

_HERE = Path(__file__).parent
_SIZE, _STRIP = 256, 18
_MEAN_TOLERANCE, _PIXEL_TOLERANCE, _PIXELS_OVER = 0.75, 12, 0.001
"""Mean difference, largest difference, and the share of pixels that may exceed it, in levels of 255."""


@pytest.fixture(scope="module")
def faces(astronaut: Image, grace_hopper: Image) -> Faces:
    detector = DETECTORS["centerface"](Resources(session_opener(), Store(())))
    pictures = {"astronaut": astronaut, "grace_hopper": grace_hopper}
    return {name: (picture, detector.detect(picture)[0]) for name, picture in pictures.items()}


def _portrait(picture: Image, face: Face) -> Image:
    """The face with some room, as large as the golden picture."""
    centre = face.landmarks.mean(axis=0)
    half = face.box.height
    matrix = np.array([[1, 0, half - centre[0]], [0, 1, half - centre[1]]]) * (_SIZE / (2 * half))
    return cv2.warpAffine(picture, matrix, (_SIZE, _SIZE), flags=cv2.INTER_LINEAR).astype(np.uint8)


def _captioned(picture: Image, words: str) -> Image:
    strip = np.full((_STRIP, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, f"ALTERED: {words}", (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (160, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([picture, strip])


def _compare(picture: Image, name: str, *, update: bool) -> None:
    path = _HERE / f"{name}_altered.png"
    if update:
        cv2.imwrite(str(path), cv2.cvtColor(_captioned(picture, name.replace("_", " ")), cv2.COLOR_RGB2BGR))
    golden = np.array(PillowImage.open(path).convert("RGB"))[:-_STRIP].astype(int)
    difference = np.abs(picture.astype(int) - golden)
    assert difference.mean() <= _MEAN_TOLERANCE
    assert (difference > _PIXEL_TOLERANCE).any(axis=-1).mean() <= _PIXELS_OVER


@pytest.mark.parametrize(("source", "destination"), [("astronaut", "grace_hopper"), ("grace_hopper", "astronaut")])
def test_a_swapped_portrait_looks_as_it_did(
    faces: Faces, source: str, destination: str, *, update_golden: bool
) -> None:
    result = swapped(Blend(), faces, source, destination).result

    _compare(_portrait(result, faces[destination][1]), f"{source}_onto_{destination}", update=update_golden)


def test_a_restored_portrait_looks_as_it_did(faces: Faces, *, update_golden: bool) -> None:
    picture, face = faces["astronaut"]
    restorer = Sharpen()
    crop = align(picture, face.landmarks, restorer.template)
    canvas = picture.copy()

    paste_back(canvas, restorer.restore([crop.image])[0], soft_ellipse(restorer.template), crop.matrix)

    _compare(_portrait(canvas, face), "astronaut_restored", update=update_golden)


def test_an_enlarged_face_looks_as_it_did(faces: Faces, *, update_golden: bool) -> None:
    picture, face = faces["astronaut"]
    x, y = face.landmarks.mean(axis=0).astype(int).tolist()

    enlarged = Lanczos().upsample(np.ascontiguousarray(picture[y - 32 : y + 32, x - 32 : x + 32]), 4)

    _compare(enlarged, "astronaut_enlarged", update=update_golden)


def test_a_change_that_the_eye_would_see_is_found(faces: Faces) -> None:
    picture, face = faces["astronaut"]
    other = _portrait(picture, face)

    with pytest.raises(AssertionError):
        _compare(other, "grace_hopper_onto_astronaut", update=False)
