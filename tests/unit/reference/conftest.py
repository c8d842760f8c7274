"""The packages that are installed everywhere, on tiny networks; marks are faces to their detector."""

from __future__ import annotations

import pytest

from predictor.faces import Image
from predictor.reference.analysis import open_analysis, open_swapper
from predictor.reference.pipeline import Packages
from predictor.stand_ins import write
from predictor.stand_ins.marks import mark
from tests.parity.folder import Folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("weights")
    write(folder, "tiny", ["det_10g.onnx", "w600k_r50.onnx", "inswapper_128.onnx"])
    return Folder(folder)


@pytest.fixture(scope="session")
def packages(weights: Folder) -> Packages:
    return Packages(open_analysis(weights), open_swapper(weights))


@pytest.fixture(scope="session")
def two_faces(astronaut: Image) -> Image:
    """A picture with two faces, the surer one perhaps not the left one."""
    return mark(mark(astronaut, 370, 300), 130, 180)
