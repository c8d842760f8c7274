"""GFPGANer as its users run it, kept from the network."""

from __future__ import annotations

import importlib
import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np

from predictor.errors import StageFailed, WeightsMissing
from predictor.faces import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predictor.faces import Image
    from predictor.reference.upsampler import RealEsrgan
    from predictor.resources import Weights

_log = logging.getLogger(__name__)

RESTORERS = {name: f"GFPGANv{name.removeprefix('gfpgan_')}.pth" for name in ("gfpgan_1.2", "gfpgan_1.3", "gfpgan_1.4")}
"""The file of each restorer."""


class Gfpgan:
    """GFPGANer at work: finds faces with a detector of its own and restores every one, masked by its own parser.

    It keeps what it works on in itself: one call at a time.

    Args:
        weights: Where its file is, and those of its own two networks.
        name: Which of `RESTORERS`.

    Raises:
        WeightsMissing, WeightsDamaged, LicenceNotAccepted: The file cannot be run.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        path = weights.find(RESTORERS[name])
        package: Any = importlib.import_module("gfpgan")
        with own_networks(weights):
            self.package = package.GFPGANer(str(path), upscale=1)

    def enhance(self, image: Image, upscale: int, upsampler: RealEsrgan | None) -> tuple[Image, list[Box]]:
        """Restore every face it finds and enlarge the picture.

        Args:
            image: BGR, shape (H, W, 3).
            upscale: 1 or a factor of the upsampler's.
            upsampler: Enlarges what is around the faces; not asked at 1.

        Returns:
            The picture, BGR, and where the restored faces are in the picture that went in.

        Raises:
            StageFailed: The package gave up on a face; it prints that and hands back what it was given.
        """
        self.package.upscale = upscale
        self.package.face_helper.set_upscale_factor(upscale)
        self.package.bg_upsampler = upsampler.package if upsampler and upscale != 1 else None
        crops, faces, restored = self.package.enhance(image, paste_back=True)
        boxes = [Box(*(float(edge) for edge in box[:4])) for box in self.package.face_helper.det_faces]
        if any(np.array_equal(crop, face) for crop, face in zip(crops, faces, strict=True)):
            raise StageFailed("restore", "GFPGANer handed a face back as it was")
        return restored, boxes


@contextmanager
def own_networks(weights: Weights) -> Iterator[None]:
    """While GFPGANer is built, hand it the files of its detector and its parser instead of downloading them.

    One that is not there is made from facexlib's class with random weights: the work is the same, and where nobody
    has the real file (tests, the bench) nothing else could run. A detector like that finds no face.
    """
    modules = [importlib.import_module(name) for name in ("facexlib.detection", "facexlib.parsing")]
    downloads = [module.__dict__["load_file_from_url"] for module in modules]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # facexlib builds its detector in words that torchvision has since renamed
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")

        def local(url: str, **_: object) -> str:
            name = Path(urlparse(url).path).name
            try:
                return str(weights.find(name))
            except WeightsMissing:
                _log.warning("%s is missing: GFPGANer runs on random weights in its place", name)
                return _random(name, Path(folder, name))

        try:
            for module in modules:
                module.__dict__["load_file_from_url"] = local
            yield
        finally:
            for module, download in zip(modules, downloads, strict=True):
                module.__dict__["load_file_from_url"] = download


def _random(name: str, path: Path) -> str:
    """Write one of GFPGANer's own networks with random weights, the same in every run; return its path."""
    torch: Any = importlib.import_module("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = _NETWORKS[name]()
    torch.save(network.state_dict(), path)
    return str(path)


def _detector() -> Any:  # noqa: ANN401  # a torch module
    """Return facexlib's RetinaFace, as sure of a face as of none everywhere; random scores would reach 0 and 1."""
    package: Any = importlib.import_module("facexlib.detection.retinaface")
    torch: Any = importlib.import_module("torch")
    network = package.RetinaFace(network_name="resnet50", device=torch.device("cpu"))
    for parameter in network.ClassHead.parameters():
        torch.nn.init.zeros_(parameter)
    return network


def _parser() -> Any:  # noqa: ANN401  # a torch module
    package: Any = importlib.import_module("facexlib.parsing.parsenet")
    return package.ParseNet(in_size=512, out_size=512, parsing_ch=19)


_NETWORKS = {"detection_Resnet50_Final.pth": _detector, "parsing_parsenet.pth": _parser}
