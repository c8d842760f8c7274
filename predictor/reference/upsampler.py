"""RealESRGANer as its users run it: the whole picture in one tile, fp32."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Image
    from predictor.resources import Weights


def _compact() -> Any:  # noqa: ANN401  # a torch module
    package: Any = importlib.import_module("realesrgan.archs.srvgg_arch")
    return package.SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4, act_type="prelu")


def _dense(scale: int) -> Any:  # noqa: ANN401  # a torch module
    package: Any = importlib.import_module("basicsr.archs.rrdbnet_arch")
    return package.RRDBNet(num_in_ch=3, num_out_ch=3, num_feat=64, num_block=23, num_grow_ch=32, scale=scale)


@dataclass(frozen=True, slots=True)
class _Model:
    file: str
    scale: int
    """Of its network."""
    scales: Sequence[int]
    """What is offered; others than the network's own are resized from it by the package."""
    network: Callable[[], Any]


# Source of the constants: Real-ESRGAN, inference_realesrgan.py
UPSAMPLERS = {
    "real_esrgan": _Model("realesr-general-x4v3.pth", 4, (2, 4), _compact),
    "real_esrgan_x4plus": _Model("RealESRGAN_x4plus.pth", 4, (2, 4), lambda: _dense(4)),
    "real_esrgan_x2plus": _Model("RealESRGAN_x2plus.pth", 2, (2,), lambda: _dense(2)),
}
"""The upsamplers by name."""


class RealEsrgan:
    """RealESRGANer at work. It keeps what it works on in itself: one call at a time.

    Args:
        weights: Where its file is.
        name: Which of `UPSAMPLERS`.

    Raises:
        WeightsMissing, WeightsDamaged, LicenceNotAccepted: The file cannot be run.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        model = UPSAMPLERS[name]
        path = weights.find(model.file)
        package: Any = importlib.import_module("realesrgan")
        # tile, tile_pad and pre_pad as its command line has them
        self.package = package.RealESRGANer(
            scale=model.scale, model_path=str(path), model=model.network(), tile=0, tile_pad=10, pre_pad=0, half=False
        )
        self.scales = model.scales

    def enhance(self, image: Image, scale: int) -> Image:
        """Return a picture, BGR, `scale` times as wide and as high."""
        enlarged: Image = self.package.enhance(image, outscale=scale)[0]
        return enlarged
