"""One file per format: how its header is read and its samples are decoded; three of them can be written.

To add one: its name in `PictureFormat`, a module with `read_layout` and `decode`, its line in READERS, its signature in
`signatures`, and its name in the sentence of `UnsupportedImage`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.imaging.formats import avif, bmp, gif, jpeg, png, tiff, webp

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.imaging.formats.contents import Contents, Layout
    from predictor.imaging.picture import OutputKind, PictureFormat


@dataclass(frozen=True, slots=True)
class Reader:
    """How one format is read. Both functions may raise whatever a foreign decoder raises; the codec translates."""

    read_layout: Callable[[bytes], Layout]
    decode: Callable[[bytes], Contents]
    written_as: OutputKind
    """The same kind, or the nearest one that is written."""


READERS: dict[PictureFormat, Reader] = {
    "jpeg": Reader(jpeg.read_layout, jpeg.decode, "jpeg"),
    "png": Reader(png.read_layout, png.decode, "png"),
    "webp": Reader(webp.read_layout, webp.decode, "webp"),
    "bmp": Reader(bmp.read_layout, bmp.decode, "png"),
    "tiff": Reader(tiff.read_layout, tiff.decode, "png"),
    "gif": Reader(gif.read_layout, gif.decode, "png"),
    "avif": Reader(avif.read_layout, avif.decode, "webp"),
}
