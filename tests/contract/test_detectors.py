"""Every registered detector keeps the contract of `stages.Detector`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.detectors import DETECTORS

if TYPE_CHECKING:
    from predictor.faces import Face, Image
    from predictor.resources import Resources
    from predictor.stages import Detector


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request: pytest.FixtureRequest, resources: Resources) -> Detector:
    return DETECTORS[request.param](resources)


@pytest.fixture(scope="module")
def flat() -> Image:
    return np.full((48, 64, 3), 120, np.uint8)


def _facts(faces: list[Face]) -> list[tuple[object, ...]]:
    return [(face.box, face.landmarks.tolist(), face.score, face.detected_by) for face in faces]


def test_faces_are_described_in_full(detector: Detector, six_faces: Image) -> None:
    height, width = six_faces.shape[:2]

    faces = detector.detect(six_faces)

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


def test_landmarks_come_in_the_order_of_an_upright_head(detector: Detector, astronaut: Image) -> None:
    (face,) = detector.detect(astronaut)

    left_eye, right_eye, nose, left_corner, right_corner = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_corner[0] < nose[0] < right_corner[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_corner[1], right_corner[1])


def test_a_picture_without_faces_gives_an_empty_list(detector: Detector, flat: Image) -> None:
    assert detector.detect(flat) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 2)])
def test_the_smallest_pictures_are_no_failure(detector: Detector, size: tuple[int, int]) -> None:
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


def test_the_picture_is_left_as_it_was(detector: Detector, grace_hopper: Image) -> None:
    picture = grace_hopper.copy()

    detector.detect(picture)

    assert np.array_equal(picture, grace_hopper)


def test_a_picture_need_not_be_contiguous_or_writable(detector: Detector, astronaut: Image) -> None:
    mirrored = astronaut[:, ::-1]
    mirrored.flags.writeable = False

    assert _facts(detector.detect(mirrored)) == _facts(detector.detect(mirrored.copy()))


def test_eight_threads_at_once_see_what_one_after_another_see(
    detector: Detector, astronaut: Image, grace_hopper: Image, flat: Image
) -> None:
    pictures = [astronaut, grace_hopper, astronaut[:, ::-1], grace_hopper[::2, ::2], flat, astronaut[:256]] * 2
    one_after_another = [_facts(detector.detect(picture)) for picture in pictures]

    with ThreadPoolExecutor(8) as threads:
        at_once = list(threads.map(lambda picture: _facts(detector.detect(picture)), pictures))

    assert at_once == one_after_another
    assert sum(map(len, at_once)) == 10
