"""The detector against FaceAnalysis's, on pictures and at the sizes FaceAnalysis runs by default."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.detectors.scrfd import Scrfd, scrfd_network
from predictor.errors import DegenerateLandmarks
from predictor.faces import Image, Landmarks
from predictor.imaging.alignment import ARCFACE_112, similarity
from predictor.reference.analysis import FaceAnalysis, open_analysis
from predictor.resources import Resources
from predictor.runtime.session import Tensor
from tests.parity.bgr import bgr
from tests.parity.folder import Folder
from tests.parity.recording import Recording


@pytest.fixture(scope="module")
def theirs(sees_much: Folder) -> FaceAnalysis:
    return open_analysis(sees_much)


@pytest.fixture
def session(sees_much: Folder, resources: Resources) -> Recording:
    return Recording(resources.open_session(scrfd_network(sees_much.find("det_10g.onnx"))))


def could_be_swapped(box: Tensor, landmarks: Landmarks, picture: Image) -> bool:
    """Return whether a face lies in the picture and on more than one spot; ours leave out the others."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box[:4]
    try:
        similarity(landmarks, ARCFACE_112.points)
    except DegenerateLandmarks:
        return False
    return bool(min(right, width) > max(left, 0) and min(bottom, height) > max(top, 0))


def test_boxes_landmarks_and_scores_are_theirs(
    theirs: FaceAnalysis, session: Recording, astronaut: Image, six_faces: Image
) -> None:
    ours = Scrfd(session)
    for picture in (astronaut, six_faces, six_faces[:, :200], six_faces[300:420]):
        boxes, landmarks = theirs.det_model.detect(bgr(picture))
        faces = ours.detect(picture)

        kept = [could_be_swapped(*one, picture) for one in zip(boxes, landmarks, strict=True)]
        boxes, landmarks = boxes[kept], landmarks[kept]
        assert len(faces) == len(boxes) >= 50
        mine = np.array([(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in faces])
        # scores that are equal but for rounding may change places
        distances = np.abs(mine[:, None] - boxes[None, :, :4]).max(axis=2)
        nearest = distances.argmin(axis=0)
        assert len(set(nearest.tolist())) == len(boxes)
        assert distances.min(axis=0).max() <= 0.01
        assert np.abs(np.array([one.landmarks for one in faces])[nearest] - landmarks).max() <= 0.01
        assert np.abs(np.array([one.score for one in faces])[nearest] - boxes[:, 4]).max() <= 1e-4


def test_the_network_is_given_and_answers_what_theirs_does(
    theirs: FaceAnalysis, session: Recording, six_faces: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Recording] = []
    session_for = theirs.det_model._session_for_input_size

    def recording(input_size: tuple[int, int]) -> Recording:
        recorded.append(Recording(session_for(input_size)))
        return recorded[-1]

    monkeypatch.setattr(theirs.det_model, "_session_for_input_size", recording)
    Scrfd(session).detect(six_faces)
    theirs.det_model.detect(bgr(six_faces))

    assert len(session.fed) == len(recorded) == 2
    for ours, opened in zip(session.fed, recorded, strict=True):
        (mine,), (other,) = ours.values(), opened.fed[0].values()
        assert mine.shape == other.shape
        assert np.array_equal(mine, other)
        for answer, expected in zip(
            session.session.run(None, ours), opened.session.run(None, opened.fed[0]), strict=True
        ):
            assert np.abs(answer - expected).max() <= 1e-4
