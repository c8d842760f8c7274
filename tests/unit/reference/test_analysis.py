from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import WeightsMissing
from predictor.faces import Image
from predictor.reference.analysis import open_analysis, open_swapper
from predictor.stand_ins import write
from tests.parity.folder import Folder


def test_only_detection_and_recognition_are_loaded_at_insightfaces_own_sizes(weights: Folder) -> None:
    analysis = open_analysis(weights)

    assert sorted(analysis.models) == ["detection", "recognition"]
    assert analysis.det_size == [(128, 128), (640, 640)]


def test_the_analysis_works_after_its_folder_is_gone(tmp_path: Path, weights: Folder, two_faces: Image) -> None:
    for name in ("det_10g.onnx", "w600k_r50.onnx"):
        (tmp_path / name).write_bytes((weights.path / name).read_bytes())
    analysis = open_analysis(Folder(tmp_path))
    for file in tmp_path.iterdir():
        file.unlink()

    assert len(analysis.get(np.ascontiguousarray(two_faces[..., ::-1]))) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "tiny", ["det_10g.onnx"])

    with pytest.raises(WeightsMissing, match=r"w600k_r50\.onnx"):
        open_analysis(Folder(tmp_path))
    with pytest.raises(WeightsMissing, match=r"inswapper_128\.onnx"):
        open_swapper(Folder(tmp_path))


def test_insightface_prints_nothing_among_answers(weights: Folder) -> None:
    with redirect_stdout(io.StringIO()) as printed:
        open_swapper(weights)

    assert printed.getvalue() == ""
