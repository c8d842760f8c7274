"""Our side of the bench runs every task, on tiny stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.bench import ours, scene
from predictor.bench.floor import peak
from predictor.bench.table import ROWS
from predictor.imaging.codec import decode
from predictor.runtime.providers import session_opener
from predictor.stand_ins.files import write
from predictor.stand_ins.manifest import write_manifest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> ours.Ours:
    folder: Path = tmp_path_factory.mktemp("stand-ins")
    write(folder, "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREDICTOR_WEIGHTS_DIR", str(folder))
        patch.setenv("PREDICTOR_WEIGHTS_MANIFEST", str(write_manifest(folder)))
        return ours.load(random=True)


@pytest.mark.parametrize("task", sorted({row.task for row in ROWS} - {"enlarge_4x_1024", "enlarge_2x_1024"}))
def test_every_task_runs(side: ours.Ours, task: str) -> None:
    side.tasks[task]()


def test_the_rows_and_the_side_name_the_same_tasks(side: ours.Ours) -> None:
    assert {row.task for row in ROWS} == set(side.tasks)


def test_swapping_six_changes_all_six_faces(side: ours.Ours) -> None:
    picture = scene.six_faces()

    swapped = decode(side.tasks["swap_six"](), "answer", 10**8).image  # type: ignore[arg-type]

    assert len(picture.faces) == 6
    for face in picture.faces:
        x, y = face.landmarks[2].astype(int)
        nose = np.s_[y - 8 : y + 8, x - 8 : x + 8]
        assert np.abs(swapped[nose].astype(int) - picture.image[nose]).mean() > 5


def test_it_says_on_what_every_network_runs(side: ours.Ours) -> None:
    assert {"det_10g", "w600k_r50", "inswapper_128"} <= side.facts.keys()


def test_the_peak_is_a_number_of_this_machine() -> None:
    assert 1e9 < peak(session_opener("cpu", 1)) < 1e14
