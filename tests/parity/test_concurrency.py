"""Sixteen calls at once give the bytes that they give one after another, on our side and on the reference's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from predictor.detectors import DETECTORS
from predictor.embedders import EMBEDDERS
from predictor.engines import RECIPES, build
from predictor.faces import Face, Identity, Image
from predictor.imaging.alignment import ARCFACE_112, ARCFACE_128, FFHQ_512, LandmarkTemplate, align
from predictor.job import Job
from predictor.options import Pair, RestoreOptions, SwapOptions
from predictor.pipelines import AnyPipeline
from predictor.reference.analysis import FaceAnalysis, INSwapper, open_analysis
from predictor.reference.pipeline import Packages, ReferencePipeline
from predictor.resources import Resources
from predictor.restorers import RESTORERS
from predictor.selection import Scene as PipelineScene
from predictor.selection import Source
from predictor.stand_ins import Size
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS
from tests.parity.bgr import bgr
from tests.parity.conftest import Scene
from tests.parity.folder import Folder

THREADS = 16
RESTORED_AND_ENLARGED = SwapOptions((Pair(destination_face_id="all"),), RestoreOptions(), 2)
SWAPPED = SwapOptions((Pair(destination_face_id="all"),))

Array = npt.NDArray[Any]
Call = Callable[[int], Array]
"""Does the work of one number, 0 to 15, and gives what came out."""


@pytest.fixture(scope="session")
def size() -> Size:
    """Sixteen networks of full size at once would take more memory than a machine for tests has."""
    return "tiny"


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def differing(call: Call) -> list[int]:
    """Return which of sixteen calls give other bytes at once than one after another."""
    alone = [call(number).tobytes() for number in range(THREADS)]
    assert len(set(alone)) == THREADS
    with ThreadPoolExecutor(THREADS) as pool:
        at_once = list(pool.map(call, range(THREADS)))
    # only now, so that a call that wrote into another's answer is seen
    return [number for number in range(THREADS) if at_once[number].tobytes() != alone[number]]


def part(picture: Image, number: int) -> Image:
    """Return a part of a picture, another one for each number."""
    return np.ascontiguousarray(picture[number * 20 :][:300, :400])


def swap(pipeline: AnyPipeline, scenes: tuple[Scene, Scene], options: SwapOptions, number: int) -> Array:
    """Swap onto a part of the second scene, another one for each number, from the first in other colours."""
    source, destination = scenes
    giver = Source("me", PipelineScene("me", np.roll(source.image, number, axis=2) // (1 + number % 3), source.faces))
    face = destination.faces[number % len(destination.faces)]
    left, top = (max(int(edge) - 20 - number, 0) for edge in (face.box.left, face.box.top))
    image = np.ascontiguousarray(destination.image[top : top + 160, left : left + 160])
    placed = Face(face.box, face.landmarks - np.array([left, top], np.float32), face.score)
    givers = pipeline.identify_all([giver], options.pairs, Job())
    return pipeline.swap(PipelineScene("crowd", image, [placed]), givers, options, Job()).image


def rows(faces: Sequence[Face]) -> Array:
    return np.array([[*astuple(face.box), *face.landmarks.ravel(), face.score] for face in faces])


def test_our_detector(resources: Resources, sees_much: Folder, crowd: Scene) -> None:
    detector = DETECTORS["scrfd"](Resources(resources.open_session, sees_much))

    assert not differing(lambda number: rows(detector.detect(part(crowd.image, number))))


def test_our_embedder(resources: Resources, crowd: Scene) -> None:
    embedder = EMBEDDERS["arcface"](resources)

    assert not differing(lambda number: embedder.embed([crop(crowd, ARCFACE_112, number)])[0])


def test_our_swapper(resources: Resources, crowd: Scene) -> None:
    swapper = SWAPPERS["inswapper"](resources)

    def call(number: int) -> Array:
        aligned = align(moved(crowd, number), crowd.faces[0].landmarks, ARCFACE_128)
        embedding = np.random.default_rng(number).standard_normal(512).astype(np.float32)
        return swapper.swap([aligned], [Identity(aligned, embedding / np.linalg.norm(embedding))])[0].image

    assert not differing(call)


def test_our_restorer(resources: Resources, crowd: Scene) -> None:
    restorer = RESTORERS["gfpgan_1.4"](resources)

    assert not differing(lambda number: restorer.restore([crop(crowd, FFHQ_512, number)])[0])


def test_our_upsampler(resources: Resources, crowd: Scene) -> None:
    upsampler = UPSAMPLERS["real_esrgan"](resources)

    assert not differing(lambda number: upsampler.upsample(part(crowd.image, number)[:64, :96], 2 + 2 * (number % 2)))


def test_our_pipeline(resources: Resources, crowd: Scene, portrait: Scene) -> None:
    pipeline = build(RECIPES["onnx"], resources, 100)

    assert not differing(partial(swap, pipeline, (portrait, crowd), RESTORED_AND_ENLARGED))


def test_their_detector(sees_much: Folder, crowd: Scene) -> None:
    detector = open_analysis(sees_much).det_model

    assert not differing(lambda number: np.concatenate(detector.detect(bgr(part(crowd.image, number))), axis=None))


def test_the_reference(analysis: FaceAnalysis, inswapper: INSwapper, crowd: Scene, portrait: Scene) -> None:
    pipeline = ReferencePipeline(Packages(analysis, inswapper))

    assert not differing(partial(swap, pipeline, (portrait, crowd), SWAPPED))


def test_one_answer_for_all_would_be_seen() -> None:
    shared = np.zeros(1)

    def call(number: int) -> Array:
        shared[:] = number
        return shared

    assert differing(call)


def moved(scene: Scene, number: int) -> Image:
    return np.roll(scene.image, number, axis=1)


def crop(scene: Scene, template: LandmarkTemplate, number: int) -> Image:
    """Return a crop of a face, moved for each number."""
    return align(moved(scene, number), scene.faces[0].landmarks, template).image
