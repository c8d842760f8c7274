"""The swapper against insightface's INSwapper, alone and in a whole picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from predictor.engines import Recipe, build
from predictor.faces import Box, Crop, Face, Identity, Image, Mask, SwappedCrop
from predictor.imaging.alignment import (
    ARCFACE_112,
    ARCFACE_128,
    LandmarkTemplate,
    align,
    inverted,
    scale_of,
    similarity,
    transformed,
)
from predictor.job import Job
from predictor.options import Pair, SwapOptions
from predictor.pipeline import Pipeline
from predictor.reference.analysis import FaceAnalysis, INSwapper, insightface_of, open_swapper
from predictor.resources import Resources
from predictor.runtime.session import Network, Session, Tensor
from predictor.selection import Scene as PipelineScene
from predictor.selection import Source
from predictor.stages import carry_on
from predictor.swappers import SWAPPERS
from predictor.swappers.inswapper import Inswapper, open_inswapper
from tests.parity.bgr import bgr, levels_apart
from tests.parity.conftest import Scene
from tests.parity.folder import Folder
from tests.parity.recording import Recording


@pytest.fixture(scope="module")
def swapper(resources: Resources) -> Inswapper:
    return open_inswapper(resources)


@pytest.fixture
def identity(portrait: Scene) -> Identity:
    embedding = np.random.default_rng(5).standard_normal(512).astype(np.float32)
    crop = align(portrait.image, portrait.faces[0].landmarks, ARCFACE_112)
    return Identity(crop, embedding / np.linalg.norm(embedding))


def their_crops(inswapper: INSwapper, scene: Scene, identity: Identity) -> list[tuple[Crop, Image]]:
    """Return each face as INSwapper crops it, and what it makes of it, RGB."""
    found = []
    source = insightface_of(None, identity.embedding)
    for face in scene.faces:
        swapped, matrix = inswapper.get(bgr(scene.image), insightface_of(face), source, paste_back=False)
        crop = cv2.warpAffine(scene.image, matrix, (128, 128), borderValue=0.0)
        found.append((Crop(crop.astype(np.uint8), matrix, face.landmarks), bgr(swapped)))
    return found


def test_the_latent_is_theirs(
    resources: Resources, inswapper: INSwapper, portrait: Scene, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = []

    def opening(network: Network) -> Session:
        recordings.append(Recording(resources.open_session(network)))
        return recordings[-1]

    ours = open_inswapper(Resources(opening, resources.weights))
    theirs = Recording(inswapper.session)
    monkeypatch.setattr(inswapper, "session", theirs)
    ((crop, _),) = their_crops(inswapper, portrait, identity)
    ours.swap([crop], [identity])

    (mine,), (other,) = recordings[-1].fed[-1]["source"], theirs.fed[-1]["source"]
    assert mine @ other / np.linalg.norm(mine) / np.linalg.norm(other) >= 0.99999
    assert np.linalg.norm(mine) == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(recordings[-1].fed[-1]["target"], theirs.fed[-1]["target"], atol=1e-6)


def test_swapped_crops_are_theirs(swapper: Inswapper, inswapper: INSwapper, crowd: Scene, identity: Identity) -> None:
    for crop, theirs in their_crops(inswapper, crowd, identity):
        (ours,) = swapper.swap([crop], [identity])

        assert levels_apart(ours.image, theirs) <= 1


def test_a_batch_is_each_crop_alone(swapper: Inswapper, crowd: Scene, identity: Identity) -> None:
    crops = [align(crowd.image, face.landmarks, ARCFACE_128) for face in crowd.faces]

    together = swapper.swap(crops, [identity] * len(crops))

    for crop, one in zip(crops, together, strict=True):
        (alone,) = swapper.swap([crop], [identity])
        assert levels_apart(one.image, alone.image) <= 1


class White:
    """A network that paints everything white: pasted onto black, what is left is INSwapper's mask."""

    def run(self, *_: object) -> list[Tensor]:
        return [np.ones((1, 3, 128, 128), np.float32)]


@dataclass
class WithTheirMask:
    """Our swapper with INSwapper's mask, which depends on how the face lies in the picture."""

    swapper: Inswapper
    theirs: INSwapper
    canvas: Image
    source_template: LandmarkTemplate = ARCFACE_112
    templates: Sequence[LandmarkTemplate] = (ARCFACE_128,)
    trained: bool = True
    needs_embedding: bool = True
    least_scale: float = 2 / 3

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        swapped = self.swapper.swap(crops, identities, check)
        return [replace(one, mask=self.mask(crop)) for crop, one in zip(crops, swapped, strict=True)]

    def mask(self, crop: Crop) -> Mask:
        landmarks = transformed(crop.landmarks, inverted(crop.matrix))
        face = insightface_of(Face(Box(0, 0, 1, 1), landmarks, 1.0))
        white = self.theirs.get(np.zeros_like(self.canvas), face, insightface_of(None, np.ones(512, np.float32)))
        return cv2.warpAffine(white[..., 0].astype(np.float32) / 255, crop.matrix, (128, 128)).astype(np.float32)


@pytest.fixture
def pipeline(resources: Resources, weights: Folder, crowd: Scene, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Our pipeline with insightface's mask, and its one size of crops."""
    theirs = open_swapper(weights)
    theirs.session = White()
    monkeypatch.setitem(SWAPPERS, "inswapper", lambda found: WithTheirMask(open_inswapper(found), theirs, crowd.image))
    return build(Recipe("centerface", "arcface", "inswapper", "sharpen", "lanczos"), resources, 100)


def test_a_whole_picture_is_theirs(
    pipeline: Pipeline, analysis: FaceAnalysis, inswapper: INSwapper, crowd: Scene, portrait: Scene
) -> None:
    givers = pipeline.identify_all([Source("me", PipelineScene("me", portrait.image, portrait.faces))], [Pair()], Job())
    scene = PipelineScene("crowd", crowd.image, crowd.faces)
    ours = pipeline.swap(scene, givers, SwapOptions((Pair(destination_face_id="all"),)), Job()).image

    source = insightface_of(portrait.faces[0])
    analysis.models["recognition"].get(bgr(portrait.image), source)
    canvas = bgr(crowd.image)
    for face in crowd.faces:
        canvas = inswapper.get(canvas, insightface_of(face), source, paste_back=True)

    apart: npt.NDArray[np.int16] = np.abs(ours.astype(np.int16) - bgr(canvas)).max(axis=2)
    touched = (bgr(canvas) != crowd.image).any(axis=2)

    assert touched.mean() > 0.02
    assert (apart <= 2).mean() >= 0.995
    # the same among the pixels of the faces alone, where nothing else hides a fault
    assert (apart[touched] <= 2).mean() >= 0.99


def test_the_faces_of_the_sample_need_no_larger_crop_than_theirs(crowd: Scene) -> None:
    scales = [scale_of(similarity(face.landmarks, ARCFACE_128.points)) for face in crowd.faces]

    assert len(scales) == 6
    assert min(scales) > 0.5
