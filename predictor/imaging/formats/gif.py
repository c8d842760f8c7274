"""GIF through Pillow: the first frame."""

from __future__ import annotations

import struct
from io import BytesIO

from PIL.GifImagePlugin import GifImageFile

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout
from predictor.imaging.formats.pillow import contents_of

# GIF89a specification, sections 18 to 27
_SCREEN_END = 13
_FRAME, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_DESCRIPTOR_BYTES = 9
_TABLE_FLAG, _TABLE_SIZE = 0x80, 0x07


def read_layout(data: bytes) -> Layout:
    """Return the size of the screen, or of what the first frame makes of it; raises BrokenPictureError."""
    try:
        width, height = struct.unpack_from("<HH", data, 6)
        frames = _frames(data)
    except (struct.error, IndexError) as error:
        raise BrokenPictureError("the GIF ends early") from error
    if not frames:
        raise BrokenPictureError("the GIF has no picture")
    left, top, frame_width, frame_height = frames[0]
    return Layout("gif", max(width, left + frame_width), max(height, top + frame_height))


def decode(data: bytes) -> Contents:
    """Decode the samples of the first frame; Pillow raises OSError and others where they are broken."""
    return contents_of(GifImageFile(BytesIO(data)))


def _frames(data: bytes) -> list[tuple[int, int, int, int]]:
    """Walk all blocks to the trailer: a file that was cut is not taken, even where its first frame is whole."""
    frames = []
    position = _SCREEN_END + _table_bytes(data[10])
    while data[position] != _TRAILER:
        kind = data[position]
        if kind == _FRAME:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, position + 1)
            frames.append((left, top, width, height))
            position += 1 + _DESCRIPTOR_BYTES + _table_bytes(flags) + 1
        elif kind == _EXTENSION:
            position += 2
        else:
            raise BrokenPictureError("a GIF block is damaged")
        position = _after_blocks(data, position)
    return frames


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _TABLE_FLAG else 0


def _after_blocks(data: bytes, position: int) -> int:
    while data[position]:
        position += data[position] + 1
    return position + 1
