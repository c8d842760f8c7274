"""Pictures with faces, and the embedded detector on the real network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from predictor.detectors.centerface import CenterFace, centerface_graph
from predictor.runtime.providers import session_opener

if TYPE_CHECKING:
    from predictor.faces import Image
    from predictor.runtime.session import Session


def _packaged(package: str, *parts: str) -> Image:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    picture = cv2.imread(str(Path(next(iter(spec.submodule_search_locations)), *parts)))
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """One face, public domain, 512x512."""
    return _packaged("skimage", "data", "astronaut.png")


@pytest.fixture(scope="session")
def grace_hopper() -> Image:
    """One face, public domain, 512x600."""
    return _packaged("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")


@pytest.fixture(scope="session")
def six_people() -> Image:
    """Six faces, 1280x886, two of them nearly in profile."""
    return _packaged("insightface", "data", "images", "t1.jpg")


@pytest.fixture(scope="session")
def session() -> Session:
    """CenterFace's network."""
    return session_opener(threads=1)(centerface_graph())


@pytest.fixture(scope="session")
def detector(session: Session) -> CenterFace:
    return CenterFace(session)
