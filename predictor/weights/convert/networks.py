"""What can be converted: from which official files, through which module of the official packages.

Every network that is made has one input, `input`, and one output, `output`, and takes any number of pictures at once:

| network | input, RGB | output |
|---|---|---|
| gfpgan | (N, 3, 512, 512), -1 to 1 | (N, 3, 512, 512), about -1 to 1 |
| real_esrgan | (N, 3, H, W), 0 to 1 | (N, 3, scale·H, scale·W), about 0 to 1; x2plus wants H and W even |
| parsenet | (N, 3, 512, 512), -1 to 1 | (N, 19, 512, 512), how much each pixel is of each class |

GFPGAN adds noise in its decoder. GFPGANer draws it anew for every face (it calls the network with
`randomize_noise=True`, the default), so that no two runs agree; here it is the noise stored with the weights, and the
same face always gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from basicsr.archs.rrdbnet_arch import RRDBNet
from facexlib.parsing.parsenet import ParseNet
from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean
from realesrgan.archs.srvgg_arch import SRVGGNetCompact
from torch import nn

from predictor.weights.convert.constant_weights import make_weights_constant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

Shape = tuple[int, int, int, int]

_FACES: tuple[Shape, ...] = ((1, 3, 512, 512), (2, 3, 512, 512))
# small, of two sizes, neither square: what is right on both is right on any
_PICTURES: tuple[Shape, ...] = ((1, 3, 64, 48), (2, 3, 34, 46))


@dataclass(frozen=True, slots=True)
class Source:
    """An official network and how it is made into ours.

    Attributes:
        build: Makes the official module, without weights.
        file: The official file.
        weaker_file: The one with weak denoising, which a strength below 1 blends in.
        lowest: The darkest a pixel of the input is; the brightest is 1.
        shapes: Inputs on which ours is compared with the official one; the last has at least two pictures.
        free_axes: Axes of the input that may have any length.
        wrap: Makes one input and one output of the module, as the official packages use it.
        prepare: Makes ours of the wrapped module, in place.
    """

    build: Callable[[], nn.Module]
    file: str
    weaker_file: str | None = None
    lowest: float = 0.0
    shapes: tuple[Shape, ...] = _PICTURES
    free_axes: tuple[int, ...] = (0, 2, 3)
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module
    prepare: Callable[[Any], None] = lambda _: None


class _Restoring(nn.Module):
    """GFPGAN without what GFPGANer does not use of it (pictures half way), and with the noise that is stored."""

    def __init__(self, network: Any) -> None:  # noqa: ANN401  # gfpgan has no types
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        restored: Tensor = self.network(faces, return_rgb=False, randomize_noise=False)[0]
        return restored


class _Parsing(nn.Module):
    """ParseNet's first answer, the classes; the second is a picture."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        classes: Tensor = self.network(faces)[0]
        return classes


def gfpgan(file: str, style: int = 512, narrow: float = 1.0) -> Source:
    """Return GFPGAN as GFPGANer builds it; a smaller style and a narrower network only for tests."""
    return Source(
        build=lambda: GFPGANv1Clean(
            out_size=512,
            num_style_feat=style,
            channel_multiplier=2,
            fix_decoder=False,
            input_is_latent=True,
            different_w=True,
            narrow=narrow,
            sft_half=True,
        ),
        file=file,
        lowest=-1.0,
        shapes=_FACES,
        free_axes=(0,),
        wrap=_Restoring,
        prepare=lambda module: make_weights_constant(module.network),
    )


def srvgg(file: str, weaker_file: str | None, features: int = 64, convolutions: int = 32) -> Source:
    """Return Real-ESRGAN's small network, as `inference_realesrgan.py` builds it for general-x4v3."""
    return Source(
        lambda: SRVGGNetCompact(num_feat=features, num_conv=convolutions, upscale=4, act_type="prelu"),
        file,
        weaker_file,
    )


def rrdb(file: str, scale: int, features: int = 64, growth: int = 32, blocks: int = 23) -> Source:
    """Return Real-ESRGAN's large network; for scale 2 it folds each 2x2 pixels into channels first."""
    return Source(lambda: RRDBNet(3, 3, scale=scale, num_feat=features, num_block=blocks, num_grow_ch=growth), file)


def parsenet(file: str, **smaller: Any) -> Source:  # noqa: ANN401  # ParseNet's own, only for tests
    """Return the parser of GFPGANer's face helper, as facexlib builds it."""
    return Source(
        lambda: ParseNet(in_size=512, out_size=512, parsing_ch=19, **smaller),
        file,
        lowest=-1.0,
        shapes=_FACES,
        free_axes=(0,),
        wrap=_Parsing,
    )


SOURCES: Mapping[str, Source] = {
    "gfpgan_1.2.onnx": gfpgan("GFPGANv1.2.pth"),
    "gfpgan_1.3.onnx": gfpgan("GFPGANv1.3.pth"),
    "gfpgan_1.4.onnx": gfpgan("GFPGANv1.4.pth"),
    "real_esrgan_x4v3.onnx": srvgg("realesr-general-x4v3.pth", "realesr-general-wdn-x4v3.pth"),
    "real_esrgan_x4plus.onnx": rrdb("RealESRGAN_x4plus.pth", scale=4),
    "real_esrgan_x2plus.onnx": rrdb("RealESRGAN_x2plus.pth", scale=2),
    "parsenet.onnx": parsenet("parsing_parsenet.pth"),
}
"""By the name of the file that is made."""
