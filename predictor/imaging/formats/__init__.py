"""One file per format: how its header is read and its samples are decoded; three of them can be written.

To add one: a module with `read_layout` and `decode`, its line in READERS, and its signature in `signatures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.imaging.formats import avif, bmp, gif, jpeg, png, tiff, webp

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.imaging.formats.contents import Contents, Layout
    from predictor.imaging.picture import PictureFormat


@dataclass(frozen=True, slots=True)
class Reader:
    """How one format is read. Both functions may raise whatever a foreign decoder raises; the codec translates."""

    read_layout: Callable[[bytes], Layout]
    decode: Callable[[bytes], Contents]


READERS: dict[PictureFormat, Reader] = {
    "jpeg": Reader(jpeg.read_layout, jpeg.decode),
    "png": Reader(png.read_layout, png.decode),
    "webp": Reader(webp.read_layout, webp.decode),
    "bmp": Reader(bmp.read_layout, bmp.decode),
    "tiff": Reader(tiff.read_layout, tiff.decode),
    "gif": Reader(gif.read_layout, gif.decode),
    "avif": Reader(avif.read_layout, avif.decode),
}
