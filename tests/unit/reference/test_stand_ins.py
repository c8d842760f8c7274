from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from predictor.faces import Image
from predictor.reference.stand_ins import STATES, planted, save, write
from predictor.stand_ins import srvgg
from tests.unit.fakes import face_at, plain


class FakeDetector:
    def __init__(self) -> None:
        self.seen: list[Image] = []

    def detect_faces(self, image: Image, _threshold: float) -> npt.NDArray[np.float64]:
        self.seen.append(image)
        return np.empty((0, 15))


def restorer_with(detector: FakeDetector) -> Any:  # noqa: ANN401  # as much of a restorer as is needed
    return SimpleNamespace(package=SimpleNamespace(face_helper=SimpleNamespace(face_det=detector)))


def test_a_planted_detector_works_and_finds_what_was_planted_until_the_end() -> None:
    detector, face, picture = FakeDetector(), face_at(10, 20), plain((1, 2, 3))

    with planted(restorer_with(detector), [face]):
        rows = detector.detect_faces(picture, 0.97)

    assert len(detector.seen) == 1
    assert rows.shape == (1, 15)
    assert rows[0, :4].tolist() == [10, 20, 70, 80]
    assert np.array_equal(rows[0, 5:].reshape(5, 2), face.landmarks)
    assert len(detector.detect_faces(picture, 0.97)) == 0


def test_nothing_planted_is_nothing_found() -> None:
    detector = FakeDetector()

    with planted(restorer_with(detector), []):
        assert detector.detect_faces(plain((1, 2, 3)), 0.97).shape == (0, 15)


@pytest.mark.needs_torch
def test_a_state_is_written_as_official_files_hold_it(tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    state = srvgg.srvgg_state(srvgg.TINY)

    loaded = torch.load(save(state, tmp_path / "tiny.pth"))["params_ema"]

    assert set(loaded) == set(state)
    assert all(np.array_equal(loaded[name].numpy(), values) for name, values in state.items())


@pytest.mark.needs_torch
def test_files_are_written_under_their_official_names(tmp_path: Path) -> None:
    paths = write(tmp_path / "new", ["realesr-general-x4v3.pth"])

    assert paths == [tmp_path / "new" / "realesr-general-x4v3.pth"]
    assert "realesr-general-x4v3.pth" in STATES
