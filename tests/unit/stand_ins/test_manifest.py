"""A manifest of stand-ins lets a store take them for the real files, each checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import LicenceNotAccepted, WeightsDamaged
from predictor.stand_ins import write, write_manifest
from predictor.weights.licences import Licences
from predictor.weights.manifest import read_manifest
from predictor.weights.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "tiny", ["w600k_r50.onnx", "real_esrgan_x4v3.onnx"])
    return tmp_path


def test_stand_ins_are_found_with_no_licence_accepted(folder: Path) -> None:
    store = Store([folder], read_manifest(write_manifest(folder)))

    assert store.find("w600k_r50.onnx") == folder / "w600k_r50.onnx"
    assert store.find("real_esrgan_x4v3.onnx", "realesr-general-x4v3.onnx") == folder / "real_esrgan_x4v3.onnx"


def test_a_changed_stand_in_is_damaged(folder: Path) -> None:
    store = Store([folder], read_manifest(write_manifest(folder)))
    content = bytearray((folder / "w600k_r50.onnx").read_bytes())
    content[-1] ^= 1

    (folder / "w600k_r50.onnx").write_bytes(content)

    with pytest.raises(WeightsDamaged):
        store.find("w600k_r50.onnx")


def test_a_made_up_licence_is_asked_for_by_its_name(folder: Path) -> None:
    manifest = read_manifest(write_manifest(folder, "made-up", needs_acceptance=True))

    with pytest.raises(LicenceNotAccepted, match="made-up"):
        Store([folder], manifest).find("w600k_r50.onnx")
    accepting = Store([folder], manifest, Licences(frozenset({"made-up"})))
    assert accepting.find("w600k_r50.onnx") == folder / "w600k_r50.onnx"


def test_files_of_weights_that_others_wrote_are_listed_and_nothing_else(folder: Path) -> None:
    (folder / "somebody.pth").write_bytes(b"weights")
    (folder / "notes.txt").write_bytes(b"notes")

    manifest = read_manifest(write_manifest(folder))

    assert manifest.files["somebody.pth"].size == 7
    assert "notes.txt" not in manifest.files
