"""Every registered detector keeps the contract of `stages.Detector`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.detectors import DETECTORS
from predictor.stand_ins import mark

if TYPE_CHECKING:
    from predictor.faces import Face, Image
    from predictor.resources import Resources
    from predictor.stages import Detector


_REAL = {"centerface"}
"""Detectors with real weights; the others run on stand-ins, which see marks instead of faces."""


@pytest.fixture(scope="module", params=DETECTORS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def detector(name: str, resources: Resources) -> Detector:
    return DETECTORS[name](resources)


@pytest.fixture(scope="module")
def portrait(name: str, astronaut: Image) -> Image:
    """One face."""
    return astronaut if name in _REAL else mark(astronaut, 224, 125)


@pytest.fixture(scope="module")
def other_portrait(name: str, grace_hopper: Image) -> Image:
    """One face."""
    return grace_hopper if name in _REAL else mark(grace_hopper, 264, 255)


@pytest.fixture(scope="module")
def group(name: str, six_faces: Image) -> Image:
    """Several faces."""
    return six_faces if name in _REAL else mark(mark(six_faces, 420, 300), 900, 250)


@pytest.fixture(scope="module")
def flat() -> Image:
    return np.full((48, 64, 3), 120, np.uint8)


def _facts(faces: list[Face]) -> list[tuple[object, ...]]:
    return [(face.box, face.landmarks.tolist(), face.score, face.detected_by) for face in faces]


def test_faces_are_described_in_full(detector: Detector, group: Image) -> None:
    height, width = group.shape[:2]

    faces = detector.detect(group)

    assert faces
    for face in faces:
        assert face.landmarks.shape == (5, 2)
        assert face.landmarks.dtype == np.dtype(np.float32)
        assert np.isfinite(face.landmarks).all()
        assert 0.0 <= face.score <= 1.0
        assert face.detected_by
        visible = face.box.clipped(width, height)
        assert visible.width > 0
        assert visible.height > 0


def test_landmarks_come_in_the_order_of_an_upright_head(detector: Detector, portrait: Image) -> None:
    (face,) = detector.detect(portrait)

    left_eye, right_eye, nose, left_corner, right_corner = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_corner[0] < nose[0] < right_corner[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])


def test_a_picture_without_faces_gives_an_empty_list(detector: Detector, flat: Image) -> None:
    assert detector.detect(flat) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2)])
def test_the_smallest_pictures_are_no_failure(detector: Detector, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


def test_the_picture_is_left_as_it_was(detector: Detector, other_portrait: Image) -> None:
    picture = other_portrait.copy()

    detector.detect(picture)

    assert np.array_equal(picture, other_portrait)


def test_a_picture_need_not_be_contiguous_or_writable(detector: Detector, portrait: Image) -> None:
    mirrored = portrait[:, ::-1]
    mirrored.flags.writeable = False

    assert _facts(detector.detect(mirrored)) == _facts(detector.detect(mirrored.copy()))


def test_eight_threads_at_once_see_what_one_after_another_see(
    detector: Detector, portrait: Image, other_portrait: Image, flat: Image
) -> None:
    pictures = [portrait, other_portrait, portrait[:, ::-1], other_portrait[::2, ::2], flat, portrait[:256]] * 2
    one_after_another = [_facts(detector.detect(picture)) for picture in pictures]

    with ThreadPoolExecutor(8) as threads:
        at_once = list(threads.map(lambda picture: _facts(detector.detect(picture)), pictures))

    assert at_once == one_after_another
    assert sum(map(len, at_once)) == 10
