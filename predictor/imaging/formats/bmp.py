"""BMP through Pillow; run-length encoded through cv2, since Pillow unpacks that in Python, pixel by pixel."""

from __future__ import annotations

import struct
from io import BytesIO

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout, UntakenKindError
from predictor.imaging.formats.pillow import contents_of

_OS2_HEADER_BYTES = 12
_RAW, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS = 0, 1, 2, 3, 6


def read_layout(data: bytes) -> Layout:
    """Return the size; raises BrokenPictureError or UntakenKindError."""
    width, height, compression = _header(data)
    if compression not in {_RAW, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS}:
        raise UntakenKindError(f"BMP with compression {compression}")
    return Layout("bmp", width, abs(height))  # a negative height means top row first


def decode(data: bytes) -> Contents:
    """Decode the samples; raises BrokenPictureError, Pillow OSError and others, where they are broken."""
    width, height, compression = _header(data)
    if compression not in {_RLE8, _RLE4}:
        return contents_of(BmpImageFile(BytesIO(data)), (width, abs(height)))
    offset, packed_bytes = struct.unpack_from("<10xI20xI", data)
    if offset + packed_bytes > len(data):
        raise BrokenPictureError("the BMP ends early")
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if samples is None:
        raise BrokenPictureError("the BMP data are damaged")
    return Contents(np.asarray(samples, np.uint8), "rgb")


def _header(data: bytes) -> tuple[int, int, int]:
    """Return width, height and compression."""
    try:
        (header_bytes,) = struct.unpack_from("<I", data, 14)
        if header_bytes == _OS2_HEADER_BYTES:
            width, height = struct.unpack_from("<HH", data, 18)
            return width, height, _RAW
        width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    except struct.error as error:
        raise BrokenPictureError("the BMP ends early") from error
    return width, height, compression
