from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from predictor.errors import WeightsMissing
from predictor.faces import Image
from predictor.reference.upsampler import UPSAMPLERS, RealEsrgan
from tests.parity.folder import Folder
from tests.unit.fakes import plain

Settings = dict[str, object]


class FakeRealESRGANer:
    def __init__(self, **settings: object) -> None:
        self.settings = settings

    def enhance(self, image: Image, *, outscale: int) -> tuple[Image, str]:
        return image.repeat(outscale, 0).repeat(outscale, 1), "RGB"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(**settings: object) -> object:
        return settings

    for module, name, value in (
        ("realesrgan", "RealESRGANer", FakeRealESRGANer),
        ("realesrgan.archs.srvgg_arch", "SRVGGNetCompact", network),
        ("basicsr.archs.rrdbnet_arch", "RRDBNet", network),
    ):
        fake = ModuleType(module)
        fake.__dict__[name] = value
        monkeypatch.setitem(sys.modules, module, fake)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("name", "file", "scale", "network"),
    [
        ("real_esrgan", "realesr-general-x4v3.pth", 4, {"num_feat": 64, "num_conv": 32, "upscale": 4}),
        ("real_esrgan_x4plus", "RealESRGAN_x4plus.pth", 4, {"num_feat": 64, "num_block": 23, "scale": 4}),
        ("real_esrgan_x2plus", "RealESRGAN_x2plus.pth", 2, {"num_feat": 64, "num_block": 23, "scale": 2}),
    ],
)
def test_realesrganer_gets_the_file_and_the_network_it_belongs_to(
    tmp_path: Path, name: str, file: str, scale: int, network: Settings
) -> None:
    (tmp_path / file).touch()

    settings = RealEsrgan(Folder(tmp_path), name).package.settings

    assert settings["model_path"] == str(tmp_path / file)
    assert settings["scale"] == scale
    assert settings["model"].items() >= network.items()


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("name", UPSAMPLERS)
def test_a_picture_comes_out_at_every_scale_that_is_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / UPSAMPLERS[name].file).touch()
    upsampler = RealEsrgan(Folder(tmp_path), name)

    sizes = [upsampler.enhance(plain((1, 2, 3), 4, 6), scale).shape for scale in upsampler.scales]

    assert sizes == [(4 * scale, 6 * scale, 3) for scale in upsampler.scales]


def test_without_its_file_there_is_no_upsampler(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        RealEsrgan(Folder(tmp_path), "real_esrgan")


@pytest.mark.needs_torch
def test_the_real_package_enlarges_with_a_file_of_the_real_size(tmp_path: Path) -> None:
    from predictor.reference.stand_ins import write  # noqa: PLC0415
    from predictor.weights.convert.official_packages import make_importable  # noqa: PLC0415

    make_importable()
    write(tmp_path, ["realesr-general-x4v3.pth"])
    picture = np.arange(32 * 24 * 3, dtype=np.uint8).reshape(32, 24, 3)

    upsampler = RealEsrgan(Folder(tmp_path), "real_esrgan")

    assert upsampler.enhance(picture, 4).shape == (128, 96, 3)
    assert upsampler.enhance(picture, 2).shape == (64, 48, 3)
