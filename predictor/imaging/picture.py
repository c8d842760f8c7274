"""A decoded picture, with everything of the file that the answer keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predictor.faces import Image

Alpha: TypeAlias = npt.NDArray[np.uint8]
"""Opacity, straight (colours are not multiplied by it), shape (H, W), 0 to 255."""

Deep: TypeAlias = npt.NDArray[np.uint16]
"""16-bit samples, shape (H, W, 3) for colours in RGB or (H, W) for opacity, 0 to 65535."""

PictureFormat: TypeAlias = Literal["jpeg", "png", "webp", "bmp", "tiff", "gif", "avif"]
"""The kinds that are taken."""

OutputKind: TypeAlias = Literal["jpeg", "png", "webp"]
"""The kinds that are written."""

_DEEP_STEP = 257  # 65535 / 255: one 8-bit step in 16 bits
_BAND_SAMPLES = 2**20


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself before its pixels are decoded."""

    format: PictureFormat
    width: int
    """Pixels of the upright picture."""
    height: int
    """Pixels of the upright picture."""
    deep: bool = False
    """Whether its samples have 16 bits."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def weight(self) -> int:
        """Pixels by the memory they take: one of 16 bits counts twice, since both its depths are kept."""
        return self.pixels * (2 if self.deep else 1)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels of the upright picture, and what travels with them from file to file."""

    image: Image
    """C-contiguous; the colours under transparent pixels are the file's own."""
    format: PictureFormat
    """The kind of file it came from."""
    alpha: Alpha | None = None
    """None where the file has no transparency."""
    deep: Deep | None = None
    """The 16-bit colours `image` was rounded from; None for 8-bit files."""
    deep_alpha: Deep | None = None
    """The 16-bit opacity `alpha` was rounded from; None for 8-bit files."""
    profile: bytes | None = None
    """The ICC profile of the RGB values; None means sRGB."""

    @property
    def nbytes(self) -> int:
        """Memory its pixels take."""
        parts = (self.image, self.alpha, self.deep, self.deep_alpha)
        return sum(part.nbytes for part in parts if part is not None)

    def with_image(self, image: Image) -> Picture:
        """Return the picture with other colours, everything else kept.

        At the same size the 16-bit samples follow by the 8-bit difference: what did not change stays bit for bit,
        what did keeps its low bits. At another size the result has 8 bits, and opacity is resized smoothly.
        """
        if image.shape != self.image.shape:
            alpha = _resized(self.alpha, image.shape[1], image.shape[0])
            return replace(self, image=image, alpha=alpha, deep=None, deep_alpha=None)
        return replace(self, image=image, deep=_follow(self.deep, self.image, image))


def rounded(deep: Deep) -> npt.NDArray[np.uint8]:
    """Return 16-bit samples as the nearest 8-bit ones, same shape."""
    result = np.empty(deep.shape, np.uint8)
    for rows in _bands(deep):
        # floor((x + 128) * 255 / 65536) would be a multiplication, but is off by one on some values; this is exact.
        result[rows] = (deep[rows].astype(np.uint32) + _DEEP_STEP // 2) // _DEEP_STEP
    return result


def _follow(deep: Deep | None, old: Image, new: Image) -> Deep | None:
    if deep is None:
        return None
    result = deep.copy()
    for rows in _bands(deep):
        changed = old[rows] != new[rows]
        if changed.any():
            difference = new[rows][changed].astype(np.int32) - old[rows][changed]
            moved = np.clip(deep[rows][changed] + difference * _DEEP_STEP, 0, np.iinfo(np.uint16).max)
            result[rows][changed] = moved
    return result


def _bands(samples: Deep) -> Iterator[slice]:
    """Return rows that are worked on at a time: wider numbers for all of a large picture would take gigabytes."""
    height = max(1, _BAND_SAMPLES // max(1, samples[:1].size))
    return (slice(top, top + height) for top in range(0, len(samples), height))


def _resized(alpha: Alpha | None, width: int, height: int) -> Alpha | None:
    if alpha is None:
        return None
    return np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
