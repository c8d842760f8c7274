"""AVIF through libavif, by Pillow's binding to it, which decodes no pixels before it is asked to.

Pillow's own reader of AVIF is passed by: it reads all EXIF at once, and warns of every broken tag in it, tens of
thousands, in a file that is made for it.
"""

from __future__ import annotations

import numpy as np
from PIL import _avif

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout

_CHANNELS = {"RGB": 3, "RGBA": 4}
_THREADS = 4  # each takes memory, and a still picture has few tiles


def read_layout(data: bytes) -> Layout:
    """Return size and orientation; libavif raises ValueError and others where they are broken."""
    # The orientation is that of the file's own turn and mirror (irot, imir), which win over EXIF as the format demands.
    (width, height), _, _, _, _, orientation, _ = _opened(data).get_info()
    return Layout("avif", width, height, orientation)


def decode(data: bytes) -> Contents:
    """Decode the samples of the first frame; libavif raises ValueError and others where they are broken."""
    decoder = _opened(data)
    (width, height), _, mode, profile, *_ = decoder.get_info()
    pixels, *_ = decoder.get_frame(0)
    samples = np.frombuffer(pixels, np.uint8)
    if len(samples) != width * height * _CHANNELS[mode]:
        raise BrokenPictureError("the AVIF data are damaged")
    planes = samples.reshape(height, width, _CHANNELS[mode])
    if mode == "RGB":
        return Contents(planes, "rgb", profile=profile)
    return Contents(np.ascontiguousarray(planes[..., :3]), "rgb", np.ascontiguousarray(planes[..., 3]), profile)


def _opened(data: bytes) -> _avif.AvifDecoder:
    return _avif.AvifDecoder(data, "auto", _THREADS)
