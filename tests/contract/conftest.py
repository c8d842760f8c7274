"""What every registered stage is built from: real sessions, and the weights that come with packages."""

from __future__ import annotations

import pytest

from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.weights.store import Store


@pytest.fixture(scope="session")
def resources() -> Resources:
    return Resources(session_opener(), Store(()))
