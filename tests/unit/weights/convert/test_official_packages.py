from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from predictor.errors import PackagesMissing
from predictor.weights.convert import official_packages
from predictor.weights.convert.official_packages import make_importable, non_maximum_suppression

PLAIN_PYTHON = [sys.executable, "-W", "error", "-c"]


@pytest.mark.parametrize("missing", ["torch", "torchvision", "gfpgan"])
def test_what_is_not_installed_is_named_with_the_way_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imported(name: str) -> Any:
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return SimpleNamespace(rgb_to_grayscale=None)

    monkeypatch.setattr(official_packages, "importlib", SimpleNamespace(import_module=imported))
    monkeypatch.setattr(official_packages, "sys", SimpleNamespace(modules={}))

    with pytest.raises(PackagesMissing, match=f"^{missing} is not installed; .*make setup-torch"):
        make_importable()


@pytest.mark.needs_torch
def test_the_official_packages_are_imported_without_a_warning() -> None:
    script = (
        "from predictor.weights.convert.official_packages import make_importable as go; go(); go();"
        "from gfpgan import GFPGANer; from realesrgan import RealESRGANer; import facexlib.parsing"
    )

    imported = subprocess.run([*PLAIN_PYTHON, script], capture_output=True, text=True, check=False)

    assert (imported.returncode, imported.stderr) == (0, "")


@pytest.mark.needs_torch
def test_overlapping_boxes_are_dropped_by_the_detector_of_gfpganer() -> None:
    make_importable()
    boxes = [[0, 0, 10, 10, 0.5], [0, 0, 10, 9, 0.9], [20, 20, 30, 30, 0.7]]

    kept = importlib.import_module("facexlib.detection.retinaface_utils").py_cpu_nms(
        importlib.import_module("numpy").array(boxes, "float32"), 0.4
    )

    assert [int(index) for index in kept] == [1, 2]


@pytest.mark.needs_torch
@pytest.mark.parametrize(("threshold", "kept"), [(0.49, [0, 2]), (0.51, [0, 1, 2]), (0.0, [0, 2])])
def test_a_box_is_dropped_only_above_the_threshold(threshold: float, kept: list[int]) -> None:
    torch: Any = importlib.import_module("torch")
    # the second covers half of what both cover, the third touches the first
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 5, 10], [10, 0, 20, 10]])

    indices = non_maximum_suppression(boxes, torch.tensor([0.9, 0.8, 0.7]), threshold)

    assert indices.tolist() == kept
    assert indices.dtype == torch.int64


@pytest.mark.needs_torch
def test_no_boxes_leave_none() -> None:
    torch: Any = importlib.import_module("torch")

    assert non_maximum_suppression(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
