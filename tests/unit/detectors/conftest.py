"""The embedded detector on its own network, and where the samples' landmarks really are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.detectors.centerface import CenterFace, centerface_network
from predictor.runtime.providers import session_opener

if TYPE_CHECKING:
    from predictor.faces import Landmarks
    from predictor.runtime.session import Session


@pytest.fixture(scope="session")
def session() -> Session:
    """CenterFace's network."""
    return session_opener()(centerface_network())


@pytest.fixture(scope="session")
def detector(session: Session) -> CenterFace:
    return CenterFace(session)


@pytest.fixture(scope="session")
def astronaut_landmarks() -> Landmarks:
    """Read off by eye on the picture enlarged eight times; the face is 115 pixels high."""
    return np.array([(203.5, 100.5), (246.0, 102.8), (222.5, 125.0), (202.3, 140.5), (244.0, 140.8)], np.float32)


@pytest.fixture(scope="session")
def grace_hopper_landmarks() -> Landmarks:
    """Read off by eye on the picture enlarged five times; the face is 215 pixels high."""
    return np.array([(222.1, 189.9), (304.9, 186.5), (267.5, 237.5), (232.1, 279.5), (301.5, 276.5)], np.float32)
