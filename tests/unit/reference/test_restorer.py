from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from predictor.errors import StageFailed, WeightsMissing
from predictor.faces import Box, Image
from predictor.reference.restorer import Gfpgan, own_networks
from predictor.weights.convert.official_packages import make_importable
from tests.parity.folder import Folder
from tests.unit.fakes import plain

DETECTOR, PARSER = "detection_Resnet50_Final.pth", "parsing_parsenet.pth"
URL = "https://example.org/releases/"


class FakeHelper:
    det_faces = ((10.0, 20.0, 30.0, 40.0, 0.99),)

    def set_upscale_factor(self, factor: int) -> None:
        self.factor = factor


class FakeGFPGANer:
    """Asks for its files as the real one does, and paints its one face white."""

    paint = 255

    def __init__(self, model_path: str, upscale: int) -> None:
        self.model_path, self.upscale = model_path, upscale
        self.face_helper = FakeHelper()
        self.bg_upsampler: object = "not set"
        self.files = [
            importlib.import_module(f"facexlib.{part}").load_file_from_url(
                url=URL + name, model_dir="facexlib/weights", progress=True, file_name=None, save_dir="gfpgan/weights"
            )
            for part, name in (("detection", DETECTOR), ("parsing", PARSER))
        ]

    def enhance(self, image: Image, *, paste_back: bool) -> tuple[list[Image], list[Image], Image]:
        assert paste_back
        crop = plain((0, 0, 0), 512, 512)
        return [crop], [np.full_like(crop, self.paint)], image.repeat(self.upscale, 0).repeat(self.upscale, 1)


def no_download(*_: object, **__: object) -> str:
    raise AssertionError("a download was tried")


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("facexlib.detection", "facexlib.parsing"):
        module = ModuleType(name)
        module.__dict__["load_file_from_url"] = no_download
        monkeypatch.setitem(sys.modules, name, module)
    gfpgan = ModuleType("gfpgan")
    gfpgan.__dict__["GFPGANer"] = FakeGFPGANer
    monkeypatch.setitem(sys.modules, "gfpgan", gfpgan)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name in ("GFPGANv1.3.pth", DETECTOR, PARSER):
        (tmp_path / name).touch()
    return Folder(tmp_path)


@pytest.mark.usefixtures("packages")
def test_gfpganer_gets_all_its_files_from_the_weights_and_may_download_again_afterwards(folder: Folder) -> None:
    restorer = Gfpgan(folder, "gfpgan_1.3")

    assert restorer.package.model_path == str(folder.path / "GFPGANv1.3.pth")
    assert restorer.package.files == [str(folder.path / DETECTOR), str(folder.path / PARSER)]
    for name in ("facexlib.detection", "facexlib.parsing"):
        assert importlib.import_module(name).__dict__["load_file_from_url"] is no_download


@pytest.mark.usefixtures("packages")
def test_without_its_file_there_is_no_restorer(folder: Folder) -> None:
    with pytest.raises(WeightsMissing):
        Gfpgan(folder, "gfpgan_1.4")


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("scale", "asked"), [(1, None), (2, "RealESRGANer")])
def test_the_picture_is_restored_at_the_scale_that_is_asked(folder: Folder, scale: int, asked: str | None) -> None:
    class FakeUpsampler:
        package = "RealESRGANer"

    restorer = Gfpgan(folder, "gfpgan_1.3")
    restored, boxes = restorer.enhance(plain((9, 9, 9), 8, 8), scale, FakeUpsampler())  # type: ignore[arg-type]

    assert restored.shape == (8 * scale, 8 * scale, 3)
    assert boxes == [Box(10.0, 20.0, 30.0, 40.0)]
    assert restorer.package.face_helper.factor == scale
    assert restorer.package.bg_upsampler == asked


@pytest.mark.usefixtures("packages")
def test_a_face_that_gfpganer_hands_back_as_it_was_is_a_failure(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGFPGANer, "paint", 0)

    with pytest.raises(StageFailed):
        Gfpgan(folder, "gfpgan_1.3").enhance(plain((9, 9, 9), 8, 8), 1, None)


@pytest.mark.needs_torch
def test_its_own_networks_are_random_where_their_files_are_missing_and_find_no_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, astronaut: Image
) -> None:
    make_importable()
    torch: Any = importlib.import_module("torch")
    monkeypatch.setattr("torch.hub.download_url_to_file", no_download)
    detection: Any = importlib.import_module("facexlib.detection")
    parsing: Any = importlib.import_module("facexlib.parsing")

    with own_networks(Folder(tmp_path)):
        device = torch.device("cpu")
        detector = detection.init_detection_model("retinaface_resnet50", device=device, model_rootpath="elsewhere")
        parser = parsing.init_parsing_model("parsenet", device=device, model_rootpath="elsewhere")

    with torch.no_grad():
        assert len(detector.detect_faces(astronaut[:128, :128], 0.97)) == 0
        assert parser(torch.zeros(1, 3, 128, 128))[0].shape[1] == 19
    assert [DETECTOR in caplog.text, PARSER in caplog.text] == [True, True]
    assert not Path("elsewhere").exists()
