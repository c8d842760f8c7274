"""TIFF's directory of tags, which is also how EXIF is written."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from predictor.imaging.formats.contents import BrokenPictureError

# TIFF 6.0, section 2: bytes of each field type, 1 to 12; 13 is a sub-directory (TIFF supplement 1).
_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
_INTEGER_CODES = {1: "B", 3: "H", 4: "I"}
_ENTRY_BYTES = 12
_INLINE_BYTES = 4

ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a directory."""

    number: int
    type: int
    count: int
    entry: bytes
    """The twelve bytes as they stand in the file."""
    offset: int
    """Where its value lies in the file."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return _TYPE_BYTES[self.type] * self.count

    @property
    def end(self) -> int:
        """Where its value ends."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Directory:
    """The first directory of a TIFF file or an EXIF block; later ones hold thumbnails and further pages."""

    data: bytes
    order: str
    """struct's byte order: `<` or `>`."""
    tags: dict[int, Tag]
    """By number; where a value lies has not been checked."""
    end: int
    """Where the directory ends."""

    def numbers(self, number: int) -> tuple[int, ...]:
        """Return a tag's values, if it is there and made of unsigned integers; else nothing."""
        tag = self.tags.get(number)
        if tag is None or tag.type not in _INTEGER_CODES or tag.end > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{tag.count}{_INTEGER_CODES[tag.type]}", self.data, tag.offset)

    def number(self, number: int, default: int) -> int:
        """Return a tag's first value, or a default where there is none."""
        return next(iter(self.numbers(number)), default)

    def raw(self, number: int) -> bytes | None:
        """Return a tag's value as it stands in the file."""
        tag = self.tags.get(number)
        return None if tag is None else self.data[tag.offset : tag.end]


def read_directory(data: bytes) -> Directory:
    """Read the first directory; tags of unknown type are left out.

    Raises:
        BrokenPictureError: It is none, or reaches beyond the data.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise BrokenPictureError("no TIFF header")
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        tags = [_read_tag(data, order, start + 2 + i * _ENTRY_BYTES) for i in range(count)]
    except struct.error as error:
        raise BrokenPictureError("the directory ends early") from error
    known = {tag.number: tag for tag in tags if tag is not None}
    return Directory(data, order, known, start + 2 + count * _ENTRY_BYTES)


def exif_orientation(exif: bytes) -> int:
    """Return 1 to 8; 1 where the block is broken or silent: a picture is not refused for its metadata."""
    try:
        orientation = read_directory(exif.removeprefix(b"Exif\0\0")).number(ORIENTATION, 1)
    except BrokenPictureError:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _read_tag(data: bytes, order: str, position: int) -> Tag | None:
    number, kind, count, offset = struct.unpack_from(f"{order}HHII", data, position)
    if not 0 < kind < len(_TYPE_BYTES):
        return None
    if _TYPE_BYTES[kind] * count <= _INLINE_BYTES:
        offset = position + _ENTRY_BYTES - _INLINE_BYTES
    return Tag(number, kind, count, data[position : position + _ENTRY_BYTES], offset)
