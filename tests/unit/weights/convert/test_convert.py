from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import onnxruntime
import pytest

from predictor.errors import PackagesMissing
from predictor.stand_ins import srvgg
from predictor.weights.convert import convert

if TYPE_CHECKING:
    from pathlib import Path


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, *names: str) -> Path:
        return self.path / names[0]


def run(path: Path, sample: Any) -> Any:
    return onnxruntime.InferenceSession(str(path)).run(None, {"input": sample})


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_without_torch_it_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(PackagesMissing, match=r"^torch is not installed; .*make setup-torch"):
        convert(["gfpgan_1.4.onnx"], Folder(tmp_path), tmp_path, run)


@pytest.mark.needs_torch
def test_files_are_made_in_the_order_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch: Any = importlib.import_module("torch")
    networks: Any = importlib.import_module("predictor.weights.convert.networks")
    small = networks.srvgg("small.pth", "weak.pth", features=8, convolutions=2)
    monkeypatch.setitem(networks.SOURCES, "real_esrgan_x4v3.onnx", small)
    monkeypatch.setitem(networks.SOURCES, "another.onnx", small)
    state = {key: torch.tensor(value) for key, value in srvgg.srvgg_state(srvgg.TINY).items()}
    torch.save({"params": state}, tmp_path / "small.pth")

    made = convert(["real_esrgan_x4v3.onnx", "another.onnx"], Folder(tmp_path), tmp_path / "made", run)

    assert made == [tmp_path / "made" / "real_esrgan_x4v3.onnx", tmp_path / "made" / "another.onnx"]
    assert all(path.is_file() for path in made)
