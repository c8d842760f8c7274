"""AVIF through Pillow (libavif), which reads no pixels before it is asked to."""

from __future__ import annotations

from io import BytesIO

from PIL.AvifImagePlugin import AvifImageFile

from predictor.imaging.formats.contents import Contents, Layout
from predictor.imaging.formats.ifd import exif_orientation
from predictor.imaging.formats.pillow import contents_of


def read_layout(data: bytes) -> Layout:
    """Return size and orientation; Pillow raises ValueError and others where they are broken."""
    image = AvifImageFile(BytesIO(data))
    # Pillow writes the file's own turn and mirror (irot, imir) over what EXIF says, as the format demands.
    return Layout("avif", image.width, image.height, exif_orientation(image.info.get("exif", b"")))


def decode(data: bytes) -> Contents:
    """Decode the samples of the first frame; Pillow raises ValueError and others where they are broken."""
    return contents_of(AvifImageFile(BytesIO(data)))
