"""Both sides on the same files: ours through our registries in fp32, theirs through their own packages.

Every comparison runs on tiny networks of the real architectures, and with `-m full_size` on networks as large as the
real ones. Detectors with random weights find no faces, or thousands: where faces are needed, those that CenterFace
finds are given to both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import pytest

from predictor.detectors import DETECTORS
from predictor.faces import Face, Image, left_to_right
from predictor.reference.analysis import FaceAnalysis, INSwapper, open_analysis, open_swapper
from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.stand_ins import Size, scrfd
from tests.parity.folder import Folder


@dataclass(frozen=True)
class Scene:
    """A picture and the faces both sides are given."""

    image: Image
    faces: list[Face]


@pytest.fixture(
    scope="session", params=["tiny", pytest.param("full", marks=[pytest.mark.full_size, pytest.mark.timeout(1200)])]
)
def size(request: pytest.FixtureRequest) -> Size:
    found: Size = request.param
    return found


@pytest.fixture(scope="session")
def weights(size: Size, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp(size), size)


@pytest.fixture(scope="session")
def resources(weights: Folder) -> Resources:
    return Resources(session_opener("cpu"), weights)


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_opencv() -> Iterator[None]:
    """As the loader sets it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session")
def analysis(weights: Folder) -> FaceAnalysis:
    return open_analysis(weights)


@pytest.fixture(scope="session")
def inswapper(weights: Folder) -> INSwapper:
    return open_swapper(weights)


@pytest.fixture(scope="session")
def sees_much(size: Size, weights: Folder, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A detector whose scores lie about the threshold: hundreds of boxes are decoded and weighed against each other."""
    folder = tmp_path_factory.mktemp("sees_much")
    if size == "full":
        graph = scrfd.scrfd(scrfd.FULL, score_bias=-1.0)
    else:
        graph = scrfd.scrfd(replace(scrfd.TINY, sees_marks=False, variation=0.2), score_bias=0.0)
    (folder / "det_10g.onnx").write_bytes(graph)
    (folder / "w600k_r50.onnx").symlink_to(weights.find("w600k_r50.onnx"))
    return Folder(Path(folder))


@pytest.fixture(scope="session")
def crowd(six_faces: Image) -> Scene:
    """Six faces, 90 to 120 pixels wide."""
    return _scene(six_faces)


@pytest.fixture(scope="session")
def portrait(astronaut: Image) -> Scene:
    return _scene(astronaut)


def _scene(image: Image) -> Scene:
    detector = DETECTORS["centerface"](Resources(session_opener("cpu"), Folder(Path())))
    height, width = image.shape[:2]
    return Scene(image, left_to_right(detector.detect(image), width, height))
