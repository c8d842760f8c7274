"""One runtime, not two: builds of ONNX Runtime share a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from predictor.errors import StartupError
from predictor.runtime.packages import is_installed, require_one_runtime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that packages are looked for in."""
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    return tmp_path


def _install(site: Path, names: Sequence[str]) -> None:
    for name in names:
        folder = site / f"{name.replace('-', '_')}-1.31.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"])
def test_one_build_is_right(site: Path, name: str) -> None:
    _install(site, [name, "onnx"])

    require_one_runtime()


@pytest.mark.parametrize("other", ["onnxruntime-gpu", "onnxruntime-openvino"])
def test_two_builds_are_named(site: Path, other: str) -> None:
    _install(site, ["onnxruntime", other])

    with pytest.raises(StartupError, match=f"^onnxruntime and {other} are installed in one folder and spoil"):
        require_one_runtime()


def test_none_is_told_with_the_extras_there_are(site: Path) -> None:
    _install(site, ["onnx"])

    with pytest.raises(StartupError, match="install one of the extras cpu, openvino and cuda"):
        require_one_runtime()


def test_a_package_is_found_without_being_imported(site: Path) -> None:
    assert not is_installed("openvino")

    _install(site, ["openvino"])

    assert is_installed("openvino")
