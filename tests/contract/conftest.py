"""What every registered stage is built from: real sessions on stand-ins, the real architectures in miniature."""

from __future__ import annotations

import pytest

from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.stand_ins import write, write_manifest
from predictor.weights.manifest import read_manifest
from predictor.weights.store import Store


@pytest.fixture(scope="session")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("weights")
    write(folder, "tiny")
    return Resources(session_opener("cpu"), Store([folder], read_manifest(write_manifest(folder))))
