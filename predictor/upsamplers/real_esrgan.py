"""Real-ESRGAN: networks that enlarge a picture and take away its noise, run on tiles.

Memory is bounded by the tile: of a large picture only the pixels that go in and come out are ever held whole.

Source of the contract (colours, ranges, an even size for x2plus): realesrgan's RealESRGANer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.planes import to_planes, write_pixels
from predictor.imaging.tiling import Tiling
from predictor.runtime.graph_file import GraphFile
from predictor.runtime.graphs import free_batch_and_size
from predictor.runtime.halving import halved
from predictor.runtime.session import Network
from predictor.stages import answer_to, carry_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from predictor.faces import Image
    from predictor.resources import Resources
    from predictor.runtime.session import Session, Tensor

_log = logging.getLogger(__name__)

_SMALLEST = 2
"""The smallest scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Enlarger:
    """A network that makes one scale."""

    session: Session
    shrink: int = 1
    """How many of its pixels a side become one, by their mean; 1 where the network makes the scale itself."""


class RealEsrgan:
    """Upsampler backed by Real-ESRGAN graphs: input (1, 3, H, W) and output, 0 to 1, RGB.

    Args:
        name: What errors call it.
        enlargers: By scale.
        tiling: How large a part of a picture goes through a network at once.
    """

    trained = True

    def __init__(self, name: str, enlargers: Mapping[int, Enlarger], tiling: Tiling) -> None:
        self._name = name
        self._enlargers = enlargers
        self._tiling = tiling

    @property
    def scales(self) -> Sequence[int]:
        """The factors it can do, 1 left out."""
        return sorted(self._enlargers)

    def upsample(self, image: Image, scale: int, check: Callable[[], None] = carry_on) -> Image:
        """Return the picture, `scale` times as wide and as high.

        Raises:
            StageFailed: The network's answer is not finite, constant or of another shape.
        """
        height, width = image.shape[:2]
        enlarged = np.empty((height * scale, width * scale, 3), np.uint8)
        whole = _of_even_size(image, self._tiling.even)
        for tile in self._tiling.tiles(*whole.shape[:2]):
            check()
            answer = self._answer(to_planes(whole[tile.seen]), scale)[:, *tile.inner(scale)]
            region = enlarged[tile.kept(scale)]
            write_pixels(answer[:, : region.shape[0], : region.shape[1]], region)
        return enlarged

    def _answer(self, tile: Tensor, scale: int) -> Tensor:
        """Return a tile enlarged, shape (3, H, W)."""
        enlarger = self._enlargers[scale]
        times = scale * enlarger.shrink
        due = (1, 3, tile.shape[2] * times, tile.shape[3] * times)
        answer = answer_to(tile, enlarger.session, self._name, due)
        return _means(answer[0], enlarger.shrink)


def open_x4v3(resources: Resources) -> RealEsrgan:
    """Open `realesr-general-x4v3`: small and quick; tiled it gives the pixels it gives untiled.

    Raises:
        StartupError: The file cannot be run.
    """
    # 34 convolutions of 3x3 see 34 pixels far. A tile of 640 holds 0.4 GB at its peak; of large pictures 1.2 times the
    # pixels go through the network, with tiles of 512 it would be 1.3 times.
    return _open(resources, "real_esrgan", ("real_esrgan_x4v3.onnx", "realesr-general-x4v3.onnx"), Tiling(640, 34))


def open_x4plus(resources: Resources) -> RealEsrgan:
    """Open `RealESRGAN_x4plus`: 15 times the work of x4v3.

    Raises:
        StartupError: The file cannot be run.
    """
    # It sees 349 pixels far, too far for tiles that fit into memory. With random weights 16 leave nothing of a seam
    # (0.0002 levels), 4 leave 1 level; what trained weights do with far pixels could not be measured here.
    return _open(resources, "real_esrgan_x4plus", ("real_esrgan_x4plus.onnx",), Tiling(256, 24))


def open_x2plus(resources: Resources) -> RealEsrgan:
    """Open `RealESRGAN_x2plus`: x4plus on a picture folded two by two.

    Raises:
        StartupError: The file cannot be run.
    """
    # As x4plus once the pixels are folded, so all sizes are doubled.
    tiling = Tiling(512, 48, step=16, even=2)
    return _open(resources, "real_esrgan_x2plus", ("real_esrgan_x2plus.onnx",), tiling, scale=2)


def _open(resources: Resources, name: str, files: Sequence[str], tiling: Tiling, scale: int = 4) -> RealEsrgan:
    path = resources.weights.find(*files)
    with GraphFile(path) as graph:
        (given,) = graph.inputs
    probe = {given: _probe()}
    model = free_batch_and_size(path)
    whole = resources.open_session(Network(name, model, probe))
    if scale == _SMALLEST:
        return RealEsrgan(name, {scale: Enlarger(whole)}, tiling)
    half = halved(model)
    if half is None:
        _log.warning("%s is of another make; enlarging twice costs as much as four times", path.name)
        smaller = Enlarger(whole, shrink=scale // _SMALLEST)
    else:
        smaller = Enlarger(resources.open_session(Network(f"{name}_halved", half, probe)))
    return RealEsrgan(name, {_SMALLEST: smaller, scale: Enlarger(whole)}, tiling)


def _probe() -> Tensor:
    """Return a picture with smooth parts, edges and noise, shape (1, 3, 64, 64)."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (64, 64), interpolation=cv2.INTER_LINEAR)
    image[:, 32:] = 255 - image[:, 32:]
    return to_planes(np.clip(image + rng.normal(0.0, 4.0, image.shape), 0, 255).astype(np.uint8))


def _of_even_size(image: Image, even: int) -> Image:
    """Return a picture whose sides are multiples of `even`, mirrored at its right and bottom edge where they are not.

    Source: RealESRGANer.pre_process.
    """
    rows, columns = (-side % even for side in image.shape[:2])
    if not rows and not columns:
        return image
    return cv2.copyMakeBorder(image, 0, rows, 0, columns, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)


def _means(planes: Tensor, size: int) -> Tensor:
    """Return the mean of every square of that size, shape (3, H / size, W / size)."""
    if size == 1:
        return planes
    height, width = planes.shape[1:]
    smaller = (width // size, height // size)
    return np.stack([cv2.resize(plane, smaller, interpolation=cv2.INTER_AREA) for plane in planes])
