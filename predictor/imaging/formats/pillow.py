"""From a picture that Pillow opened to samples.

Pillow's readers are called by their own classes, never through `Image.open`: only the reader of the kind that was
recognised sees the bytes, and the global guard against large pictures, which warns, is replaced by our limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from predictor.imaging.formats.contents import BrokenPictureError, Contents, UntakenKindError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# Pillow's mode → the mode whose samples we take; what is missing holds no picture we can show (floats, 32 bits).
_OPAQUE = {
    "1": "L",
    "L": "L",
    "I;16": "I;16",
    "I;16L": "I;16L",
    "I;16B": "I;16B",
    "P": "RGB",
    "RGB": "RGB",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "CMYK": "CMYK",
    "LAB": "LAB",
}


def contents_of(image: PillowImage, size: tuple[int, int]) -> Contents:
    """Decode an opened picture; its profile is the one Pillow found.

    Args:
        image: Opened, not loaded.
        size: Width and height that our own reading of the header found, and the limits were held against.

    Raises:
        BrokenPictureError: Pillow found another size.
        UntakenKindError: Its samples are neither 8 nor 16 bits.
        OSError: Its data are broken; Pillow raises many others too.
    """
    if image.size != size:
        raise BrokenPictureError("the header can be read in two ways")
    image.load()
    profile = image.info.get("icc_profile") or None
    if image.has_transparency_data:
        grey = image.mode in {"1", "L", "LA", "La"}
        planes = np.asarray(image.convert("LA" if grey else "RGBA"))
        colours = planes[..., 0] if grey else planes[..., :3]
        alpha = np.ascontiguousarray(planes[..., -1])
        return Contents(np.ascontiguousarray(colours), "grey" if grey else "rgb", alpha, profile)
    mode = _OPAQUE.get(image.mode)
    if mode is None:
        raise UntakenKindError(f"{image.format} with samples of mode {image.mode}")
    samples = np.asarray(image if mode == image.mode else image.convert(mode))
    if mode.startswith("I;16"):
        return Contents(samples.astype(np.uint16), "grey", profile=profile)
    if mode == "CMYK":
        return Contents(samples, "cmyk", profile=profile)
    if mode == "LAB":
        return Contents(samples, "lab", profile=profile)
    return Contents(samples, "grey" if mode == "L" else "rgb", profile=profile)
