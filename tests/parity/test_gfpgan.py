"""The restorer against GFPGANer, which is handed an aligned face."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import pytest

from predictor.faces import Image
from predictor.imaging.alignment import FFHQ_512, align
from predictor.reference import stand_ins
from predictor.reference.restorer import Gfpgan
from predictor.resources import Resources
from predictor.restorers import RESTORERS
from predictor.stages import Restorer
from predictor.stand_ins import Size, gfpgan
from predictor.weights.convert.official_packages import make_importable
from tests.parity.bgr import bgr, levels_apart
from tests.parity.conftest import Scene
from tests.parity.folder import Folder

GFPGANer = Any


@pytest.fixture(scope="module", params=["gfpgan_1.4.onnx", "GFPGANv1.4.onnx"])
def ours(request: pytest.FixtureRequest, weights: Folder, resources: Resources) -> Restorer:
    """Our restorer on either form of the network: its inputs modulated, or its weights."""

    class OneForm:
        def find(self, *names: str) -> object:
            assert request.param in names
            return weights.find(request.param)

    return RESTORERS["gfpgan_1.4"](Resources(resources.open_session, OneForm()))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def theirs(size: Size, tmp_path_factory: pytest.TempPathFactory) -> GFPGANer:
    """GFPGANer as the reference opens it; a tiny network is set into one that was given no other.

    It draws new noise for every face, so that no two answers are the same. Here it takes the noise that lies in its
    file, as every export of it does.
    """
    make_importable()
    if size == "full":
        folder = tmp_path_factory.mktemp("official")
        stand_ins.write(folder, ["GFPGANv1.4.pth"])
        return with_stored_noise(Gfpgan(Folder(folder), "gfpgan_1.4").package)
    torch: Any = importlib.import_module("torch")
    package: Any = importlib.import_module("gfpgan").GFPGANer
    helper: Any = importlib.import_module("facexlib.utils.face_restoration_helper").FaceRestoreHelper
    found = package.__new__(package)
    found.device = torch.device("cpu")
    found.face_helper = helper.__new__(helper)
    found.gfpgan = tiny_network()
    return with_stored_noise(found)


def with_stored_noise(package: GFPGANer) -> GFPGANer:
    package.gfpgan.forward = partial(package.gfpgan.forward, randomize_noise=False)
    return package


def tiny_network() -> Any:  # noqa: ANN401  # a torch module
    torch: Any = importlib.import_module("torch")
    clean: Any = importlib.import_module("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
    # as GFPGANer builds its own, but for the two numbers that make it tiny
    network = clean(
        out_size=512,
        num_style_feat=gfpgan.TINY.style,
        channel_multiplier=2,
        decoder_load_path=None,
        fix_decoder=False,
        num_mlp=8,
        input_is_latent=True,
        different_w=True,
        narrow=gfpgan.TINY.narrow,
        sft_half=True,
    )
    state = gfpgan.gfpgan_state(gfpgan.TINY)
    network.load_state_dict({name: torch.from_numpy(values) for name, values in state.items()}, strict=True)
    return network.eval()


@pytest.fixture(scope="module")
def crops(crowd: Scene, portrait: Scene) -> list[Image]:
    faces = [(portrait, portrait.faces[0]), (crowd, crowd.faces[0]), (crowd, crowd.faces[1])]
    return [align(scene.image, face.landmarks, FFHQ_512).image for scene, face in faces]


@pytest.mark.needs_torch
def test_restored_faces_are_theirs(ours: Restorer, theirs: GFPGANer, crops: list[Image]) -> None:
    for crop in crops:
        _, (expected,), _ = theirs.enhance(bgr(crop), has_aligned=True)
        (restored,) = ours.restore([crop])

        assert levels_apart(restored, bgr(expected)) <= 1


def test_a_batch_is_each_crop_alone(ours: Restorer, crops: list[Image]) -> None:
    for crop, together in zip(crops, ours.restore(crops), strict=True):
        (alone,) = ours.restore([crop])

        assert levels_apart(together, alone) <= 1
