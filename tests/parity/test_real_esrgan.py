"""The upsamplers against RealESRGANer, which runs the whole picture in one piece."""

from __future__ import annotations

import importlib
from typing import Any

import cv2
import numpy as np
import pytest

from predictor.faces import Image
from predictor.reference import stand_ins
from predictor.reference.upsampler import UPSAMPLERS as PACKAGED
from predictor.reference.upsampler import RealEsrgan
from predictor.resources import Resources
from predictor.stages import Upsampler
from predictor.stand_ins import Size, rrdb, srvgg
from predictor.stand_ins.net import State
from predictor.upsamplers import UPSAMPLERS
from predictor.weights.convert.official_packages import make_importable
from tests.parity.bgr import bgr, levels_apart
from tests.parity.folder import Folder

RealESRGANer = Any

pytestmark = pytest.mark.needs_torch


@pytest.fixture(scope="module", params=sorted(UPSAMPLERS.keys() & PACKAGED.keys()))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ours(name: str, resources: Resources) -> Upsampler:
    return UPSAMPLERS[name](resources)


@pytest.fixture(scope="module")
def theirs(name: str, size: Size, tmp_path_factory: pytest.TempPathFactory) -> RealESRGANer:
    """RealESRGANer as the reference opens it; on a tiny network, which it is told to run instead of the real one."""
    make_importable()
    folder = tmp_path_factory.mktemp("official")
    model = PACKAGED[name]
    if size == "full":
        stand_ins.write(folder, [model.file])
        return RealEsrgan(Folder(folder), name).package
    state, network = tiny(name)
    path = stand_ins.save(state, folder / model.file)
    package: Any = importlib.import_module("realesrgan")
    return package.RealESRGANer(scale=model.scale, model_path=str(path), model=network, tile=0, pre_pad=0, half=False)


def tiny(name: str) -> tuple[State, Any]:
    """Return the weights of a tiny stand-in and the official network that takes them."""
    if name == "real_esrgan":
        small = srvgg.TINY
        compact: Any = importlib.import_module("realesrgan.archs.srvgg_arch").SRVGGNetCompact
        return srvgg.srvgg_state(small), compact(3, 3, small.features, small.convolutions, small.scale, "prelu")
    dense = rrdb.TINY_X4 if name == "real_esrgan_x4plus" else rrdb.TINY_X2
    network: Any = importlib.import_module("basicsr.archs.rrdbnet_arch").RRDBNet
    return rrdb.rrdb_state(dense), network(3, 3, dense.scale, dense.features, dense.blocks, dense.growth)


@pytest.fixture(
    scope="module",
    params=[(64, 80), (33, 47), (24, 610)],
    ids=["small", "odd", "cut_in_tiles"],
)
def picture(request: pytest.FixtureRequest, astronaut: Image) -> Image:
    height, width = request.param
    wide = np.hstack([astronaut, astronaut[:, ::-1]])
    return np.ascontiguousarray(wide[180 : 180 + height, 150 : 150 + width])


def test_the_networks_own_scale_gives_their_pixels(
    name: str, ours: Upsampler, theirs: RealESRGANer, picture: Image
) -> None:
    scale = PACKAGED[name].scale

    expected, _ = theirs.enhance(bgr(picture), outscale=scale)

    assert levels_apart(ours.upsample(picture, scale), bgr(expected)) <= 1


def test_half_of_the_networks_scale_is_the_mean_of_their_pixels(
    name: str, ours: Upsampler, theirs: RealESRGANer, picture: Image
) -> None:
    """RealESRGANer resizes its pixels by Lanczos4, which rings and aliases; ours takes the mean of four.

    Our mean is taken inside the network, before anything is cut off at black or white: so there nothing is compared.
    """
    if PACKAGED[name].scale == 2:
        pytest.skip("the network makes no scale but its own")
    height, width = picture.shape[:2]
    large = bgr(theirs.enhance(bgr(picture), outscale=4)[0])
    means = cv2.resize(large, (2 * width, 2 * height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    in_range = ((large > 0) & (large < 255)).reshape(2 * height, 2, 2 * width, 2, 3).all(axis=(1, 3))
    lanczos = bgr(theirs.enhance(bgr(picture), outscale=2)[0])

    enlarged = ours.upsample(picture, 2)

    assert in_range.mean() > 0.5
    assert levels_apart(enlarged[in_range], means[in_range]) <= 1
    assert np.abs(enlarged.astype(np.int16) - lanczos).mean() <= 6  # 0.6 to 4.2 were seen
