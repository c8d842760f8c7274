"""The README's picture: two public-domain portraits, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image as PillowImage

from predictor.detectors import DETECTORS
from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.swappers.blend import Blend
from predictor.weights.store import Store
from tests.unit.swappers.swaps import swapped

if TYPE_CHECKING:
    from predictor.faces import Face, Image
    from tests.unit.swappers.swaps import Faces

_PICTURE = Path(__file__).with_name("before_after_altered.jpg")
_TILE, _STRIP, _GAP = 300, 26, 8
_LIMIT_BYTES = 200_000


def _framed(picture: Image, face: Face, words: str) -> Image:
    """A square around the head with a caption."""
    centre, half = face.landmarks.mean(axis=0) - (0, 0.08 * face.box.height), 1.02 * face.box.height
    matrix = np.array([[1, 0, half - centre[0]], [0, 1, half - centre[1]]]) * (_TILE / (2 * half))
    tile = cv2.warpAffine(picture, matrix, (_TILE, _TILE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    strip = np.full((_STRIP, _TILE, 3), 255, np.uint8)
    colour = (160, 0, 0) if words.startswith("ALTERED") else (60, 60, 60)
    cv2.putText(strip, words, (4, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, colour, 1, cv2.LINE_AA)
    return np.vstack([tile, strip]).astype(np.uint8)


def _sheet(faces: Faces) -> Image:
    rows = []
    for source, destination in (("astronaut", "grace_hopper"), ("grace_hopper", "astronaut")):
        result = swapped(Blend(), faces, source, destination).result
        face = faces[destination][1]
        tiles = [
            _framed(*faces[source], "source"),
            _framed(*faces[destination], "destination"),
            _framed(result, face, "ALTERED: result"),
        ]
        gap = np.full((_TILE + _STRIP, _GAP, 3), 255, np.uint8)
        rows.append(np.hstack([tiles[0], gap, tiles[1], gap, tiles[2]]))
    return np.vstack(rows)


def test_the_readmes_picture_shows_what_the_predictor_does(
    astronaut: Image, grace_hopper: Image, *, update_golden: bool
) -> None:
    detector = DETECTORS["centerface"](Resources(session_opener(), Store(())))
    pictures = {"astronaut": astronaut, "grace_hopper": grace_hopper}
    sheet = _sheet({name: (picture, detector.detect(picture)[0]) for name, picture in pictures.items()})

    if update_golden:
        cv2.imwrite(str(_PICTURE), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])

    stored = np.array(PillowImage.open(_PICTURE).convert("RGB"))
    assert stored.shape == sheet.shape
    assert cv2.PSNR(stored, sheet) > 32.0
    assert _PICTURE.stat().st_size < _LIMIT_BYTES
