"""GIF through Pillow: the first frame."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL.GifImagePlugin import GifImageFile

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout
from predictor.imaging.formats.pillow import contents_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# GIF89a specification, sections 18 to 27
_SCREEN_END = 13
_FRAME, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_DESCRIPTOR_BYTES = 9
_TABLE_FLAG, _TABLE_SIZE = 0x80, 0x07
_CONTROL, _CONTROL_BYTES = 0xF9, 8  # says which colour is transparent
# Full blocks of 255 bytes make 256 MB of it; a file of empty ones would keep a processor busy.
_MOST_BLOCKS = 2**20


@dataclass(frozen=True, slots=True)
class _Block:
    """A frame, or an extension."""

    label: int | None
    """Of an extension; None is a frame."""
    start: int
    end: int


def read_layout(data: bytes) -> Layout:
    """Return the size of the screen, or of what the first frame makes of it; raises BrokenPictureError."""
    _, frame = _first_frame(data)
    return Layout("gif", *_size(data, frame))


def decode(data: bytes) -> Contents:
    """Decode the samples of the first frame; Pillow raises OSError and others where they are broken."""
    control, frame = _first_frame(data)
    shown = data[control.start : control.end] if control else b""
    head = data[: _SCREEN_END + _table_bytes(data[10])]
    # Nothing else reaches Pillow, which counts some empty blocks otherwise than we do.
    bare = b"".join([head, shown, data[frame.start : frame.end], bytes([_TRAILER])])
    return contents_of(GifImageFile(BytesIO(bare)), _size(data, frame))


def _size(data: bytes, frame: _Block) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, frame.start + 1)
    return max(width, left + frame_width), max(height, top + frame_height)


def _first_frame(data: bytes) -> tuple[_Block | None, _Block]:
    """Return the first frame, and the block before it that controls it.

    All blocks are walked to the trailer: a file that was cut is not taken, even where its first frame is whole.
    """
    control, frame = None, None
    try:
        for block in _walk(data):
            if frame is None and block.label is None:
                frame = block
            elif frame is None and block.label == _CONTROL and block.end - block.start == _CONTROL_BYTES:
                control = block
    except (struct.error, IndexError) as error:
        raise BrokenPictureError("the GIF ends early") from error
    if frame is None:
        raise BrokenPictureError("the GIF has no picture")
    return control, frame


def _walk(data: bytes) -> Iterator[_Block]:
    end = _SCREEN_END + _table_bytes(data[10])
    steps = iter(range(_MOST_BLOCKS))
    while data[end] != _TRAILER:
        start, label = end, None
        if data[start] == _FRAME:
            end += 1 + _DESCRIPTOR_BYTES + _table_bytes(data[start + _DESCRIPTOR_BYTES]) + 1
        elif data[start] == _EXTENSION:
            label = data[start + 1]
            end += 2
        else:
            raise BrokenPictureError("a GIF block is damaged")
        for _ in steps:
            length = data[end]
            end += length + 1
            if length == 0:
                break
        else:
            raise BrokenPictureError(f"the GIF has more than {_MOST_BLOCKS:,} blocks")
        yield _Block(label, start, end)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & _TABLE_SIZE) + 1) if flags & _TABLE_FLAG else 0
