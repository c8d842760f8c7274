"""The embedder, and the crops it is given, against FaceAnalysis's recognition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from insightface.utils import face_align

from predictor.embedders import EMBEDDERS
from predictor.imaging.alignment import ARCFACE_112, ARCFACE_128, LandmarkTemplate, align, similarity
from predictor.reference.analysis import FaceAnalysis, insightface_of
from predictor.resources import Resources
from predictor.stages import Embedder
from tests.parity.bgr import bgr, levels_apart
from tests.parity.conftest import Scene


@pytest.fixture(scope="module")
def embedder(resources: Resources) -> Embedder:
    return EMBEDDERS["arcface"](resources)


def cosine(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_embeddings_of_their_crops_are_theirs(embedder: Embedder, analysis: FaceAnalysis, crowd: Scene) -> None:
    for face in crowd.faces:
        theirs = analysis.models["recognition"].get(bgr(crowd.image), insightface_of(face))
        crop = face_align.norm_crop(crowd.image, face.landmarks)
        (ours,) = embedder.embed([crop])

        assert cosine(ours, theirs) >= 0.99999
        assert np.linalg.norm(ours) == pytest.approx(1.0, abs=1e-5)


def test_embeddings_of_our_own_crops_are_theirs_too(embedder: Embedder, analysis: FaceAnalysis, crowd: Scene) -> None:
    crops = [align(crowd.image, face.landmarks, embedder.template).image for face in crowd.faces]
    theirs = [analysis.models["recognition"].get(bgr(crowd.image), insightface_of(face)) for face in crowd.faces]

    assert min(cosine(*both) for both in zip(embedder.embed(crops), theirs, strict=True)) >= 0.99999


def test_embeddings_tell_faces_apart(embedder: Embedder, crowd: Scene) -> None:
    first, second, *_ = embedder.embed([align(crowd.image, face.landmarks, ARCFACE_112).image for face in crowd.faces])

    assert cosine(first, second) < 0.9999


@pytest.mark.parametrize("template", [ARCFACE_112, ARCFACE_128], ids=lambda template: template.name)
def test_crops_are_theirs(template: LandmarkTemplate, crowd: Scene, portrait: Scene) -> None:
    for scene in (crowd, portrait):
        for face in scene.faces:
            theirs, matrix = face_align.norm_crop2(scene.image, face.landmarks, template.size)

            assert np.abs(similarity(face.landmarks, template.points) - matrix).max() <= 1e-3
            assert levels_apart(align(scene.image, face.landmarks, template).image, theirs) <= 1


def test_a_batch_is_each_crop_alone(embedder: Embedder, crowd: Scene) -> None:
    crops = [align(crowd.image, face.landmarks, embedder.template).image for face in crowd.faces]

    for crop, together in zip(crops, embedder.embed(crops), strict=True):
        (alone,) = embedder.embed([crop])
        assert np.abs(together - alone).max() <= 1e-5
