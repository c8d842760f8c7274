"""The packages that are installed everywhere, on tiny networks; a detector that finds two faces on the astronaut."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.reference.analysis import open_analysis, open_swapper
from predictor.reference.pipeline import Packages
from predictor.stand_ins import scrfd, write
from tests.parity.folder import Folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("weights")
    write(folder, "tiny", ["w600k_r50.onnx", "inswapper_128.onnx"])
    (folder / "det_10g.onnx").write_bytes(scrfd.scrfd(scrfd.TINY, score_bias=-0.5))
    return Folder(Path(folder))


@pytest.fixture(scope="session")
def packages(weights: Folder) -> Packages:
    return Packages(open_analysis(weights), open_swapper(weights))
