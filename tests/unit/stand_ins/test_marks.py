"""The tiny detector finds a face where a mark is, and nowhere else; so pipelines can be tried with no real weights."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.detectors.scrfd import Scrfd, scrfd_network
from predictor.faces import Face, Image
from predictor.imaging.alignment import ARCFACE_112, similarity
from predictor.runtime.providers import session_opener
from predictor.stand_ins import mark, write


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Scrfd:
    (path,) = write(tmp_path_factory.mktemp("weights"), "tiny", ["det_10g.onnx"])
    return Scrfd(session_opener("cpu")(scrfd_network(path)))


def _assert_upright_face(face: Face, x: float, y: float, image: Image) -> None:
    size = max(image.shape[:2])
    assert np.linalg.norm(face.landmarks[2] - (x, y)) < size / 30
    assert face.box.width == pytest.approx(size / 4.5, rel=0.1)
    assert face.box.height == pytest.approx(size / 4.5, rel=0.1)
    linear = similarity(face.landmarks, ARCFACE_112.points)[:, :2]
    assert abs(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))) < 15


@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper", "six_faces"])
def test_a_face_is_found_at_each_mark(detector: Scrfd, picture: str, request: pytest.FixtureRequest) -> None:
    image = request.getfixturevalue(picture)
    height, width = image.shape[:2]
    places = [(0.25 * width, 0.3 * height), (0.51 * width, 0.82 * height), (0.93 * width, 0.1 * height)]

    marked = image
    for x, y in places:
        marked = mark(marked, x, y)
    faces = sorted(detector.detect(marked), key=lambda face: float(face.landmarks[2, 0]))

    assert len(faces) == len(places)
    for face, (x, y) in zip(faces, places, strict=True):
        assert face.detected_by == "plain"
        _assert_upright_face(face, x, y, image)


@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper", "six_faces"])
def test_none_is_found_where_no_mark_is(detector: Scrfd, picture: str, request: pytest.FixtureRequest) -> None:
    assert detector.detect(request.getfixturevalue(picture)) == []


def test_the_picture_itself_stays_unmarked(astronaut: Image) -> None:
    before = astronaut.copy()

    marked = mark(astronaut, 100, 100)

    np.testing.assert_array_equal(astronaut, before)
    assert marked[100, 100].tolist() == [255, 0, 255]
    assert (marked != astronaut).any(axis=2).mean() < 0.005
