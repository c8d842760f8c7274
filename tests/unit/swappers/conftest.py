"""The faces of the sample pictures, found once."""

from __future__ import annotations

import pytest

from predictor.detectors import DETECTORS
from predictor.faces import Image, left_to_right
from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.weights.store import Store
from tests.unit.swappers.swaps import SIX, Faces


@pytest.fixture(scope="session")
def faces(astronaut: Image, grace_hopper: Image, six_faces: Image) -> Faces:
    """Every face of the samples, by name, with its picture."""
    detector = DETECTORS["centerface"](Resources(session_opener(), Store(())))
    named = {name: (image, detector.detect(image)[0]) for name, image in _portraits(astronaut, grace_hopper).items()}
    height, width = six_faces.shape[:2]
    six = left_to_right(detector.detect(six_faces), width, height)
    return named | {name: (six_faces, face) for name, face in zip(SIX, six, strict=True)}


def _portraits(astronaut: Image, grace_hopper: Image) -> dict[str, Image]:
    return {"astronaut": astronaut, "grace_hopper": grace_hopper}
