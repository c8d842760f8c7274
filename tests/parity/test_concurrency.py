"""Sixteen calls at once give the bytes that they give one after another, on our side and on the reference's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from predictor.detectors import DETECTORS
from predictor.engines import RECIPES, build
from predictor.faces import Face, Image
from predictor.job import Job
from predictor.options import Pair, RestoreOptions, SwapOptions
from predictor.pipelines import AnyPipeline
from predictor.reference.analysis import FaceAnalysis, INSwapper, open_analysis
from predictor.reference.pipeline import Packages, ReferencePipeline
from predictor.resources import Resources
from predictor.selection import Scene as PipelineScene
from predictor.selection import Source
from tests.parity.bgr import bgr
from tests.parity.conftest import Scene
from tests.parity.folder import Folder

THREADS = 16
RESTORED_AND_ENLARGED = SwapOptions((Pair(destination_face_id="all"),), RestoreOptions(), 2)
SWAPPED = SwapOptions((Pair(destination_face_id="all"),))


def swaps(pipeline: AnyPipeline, source: Scene, destination: Scene, options: SwapOptions) -> list[Callable[[], bytes]]:
    """Return sixteen swaps, each of another picture with another face."""

    def one(number: int) -> bytes:
        picture: Image = np.roll(source.image, number, axis=2) // (1 + number % 3)
        giver = Source("me", PipelineScene("me", picture, source.faces))
        face = destination.faces[number % len(destination.faces)]
        left, top = (max(int(edge) - 20 - number, 0) for edge in (face.box.left, face.box.top))
        part = np.ascontiguousarray(destination.image[top : top + 160, left : left + 160])
        placed = Face(face.box, face.landmarks - np.array([left, top], np.float32), face.score)
        scene = PipelineScene("crowd", part, [placed])
        givers = pipeline.identify_all([giver], options.pairs, Job())
        return pipeline.swap(scene, givers, options, Job()).image.tobytes()

    return [lambda number=number: one(number) for number in range(THREADS)]  # type: ignore[misc]


def sightings(detect: Callable[[Image], object], picture: Image) -> list[Callable[[], bytes]]:
    """Return sixteen detections, each in another part of a picture."""

    def one(number: int) -> bytes:
        return repr(detect(np.ascontiguousarray(picture[number * 20 :][:300, :400]))).encode()

    return [lambda number=number: one(number) for number in range(THREADS)]  # type: ignore[misc]


def at_once_equals_one_after_another(calls: list[Callable[[], bytes]]) -> bool:
    alone = [call() for call in calls]
    assert len(set(alone)) == THREADS
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda call: call(), calls)) == alone


def test_our_detector(resources: Resources, sees_much: Folder, crowd: Scene) -> None:
    detector = DETECTORS["scrfd"](Resources(resources.open_session, sees_much))

    def detect(picture: Image) -> list[object]:
        return [(face.box, face.landmarks.tolist(), face.score) for face in detector.detect(picture)]

    assert at_once_equals_one_after_another(sightings(detect, crowd.image))


def test_their_detector(sees_much: Folder, crowd: Scene) -> None:
    detector = open_analysis(sees_much).det_model

    assert at_once_equals_one_after_another(
        sightings(lambda picture: [found.tolist() for found in detector.detect(bgr(picture))], crowd.image)
    )


def test_our_pipeline(resources: Resources, crowd: Scene, portrait: Scene) -> None:
    pipeline = build(RECIPES["onnx"], resources, 100)

    assert at_once_equals_one_after_another(swaps(pipeline, portrait, crowd, RESTORED_AND_ENLARGED))


def test_the_reference(analysis: FaceAnalysis, inswapper: INSwapper, crowd: Scene, portrait: Scene) -> None:
    pipeline = ReferencePipeline(Packages(analysis, inswapper))

    assert at_once_equals_one_after_another(swaps(pipeline, portrait, crowd, SWAPPED))


def test_a_difference_would_be_seen() -> None:
    results = iter(range(2 * THREADS))

    assert not at_once_equals_one_after_another([lambda: bytes([next(results)])] * THREADS)
