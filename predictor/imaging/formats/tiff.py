"""TIFF: 16-bit RGB through cv2 (Pillow cannot hold it), everything else through Pillow."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout, UntakenKindError
from predictor.imaging.formats.ifd import ORIENTATION, Directory, read_directory
from predictor.imaging.formats.pillow import contents_of

if TYPE_CHECKING:
    from predictor.imaging.orientation import Samples

# TIFF 6.0, sections 8, 15, 18 and 19
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT, _PROFILE = 284, 322, 323, 338, 339, 34675
_WHITE_IS_ZERO, _RGB = 0, 2
_SEPARATE_PLANES = 2
_OLD_JPEG = 6  # withdrawn by Adobe in TIFF technical note 2
_PREMULTIPLIED, _STRAIGHT = 1, 2
_UNSIGNED = 1
_DEEP_BITS = 16
_STRIPS, _TILES = (273, 279), (324, 325)  # where they are, how many bytes they have
_NEXT_BYTES = 4  # after its last tag a directory says where the next one is
_MOST_STRIPS = 65_536  # Pillow goes through them in Python
_LARGEST_TILE_PIXELS = 2**26  # a tile is unpacked whole, however little of it the picture needs
# What the pixels depend on: the rest (profile, EXIF, text, thumbnails, orientation) no decoder gets to see.
_PIXEL_TAGS = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339}
    | {347, 529, 530, 531, 532}
)


def read_layout(data: bytes) -> Layout:
    """Return size and orientation; raises BrokenPictureError or UntakenKindError."""
    directory = _directory(data)
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    if directory.number(_TILE_WIDTH, 0) * directory.number(_TILE_HEIGHT, 0) > _LARGEST_TILE_PIXELS:
        raise UntakenKindError("TIFF with huge tiles")
    if any(number in directory.tags and directory.tags[number].count > _MOST_STRIPS for number, _ in (_STRIPS, _TILES)):
        raise UntakenKindError(f"TIFF with more than {_MOST_STRIPS:,} strips or tiles")
    orientation = directory.number(ORIENTATION, 1)
    deep = _DEEP_BITS in directory.numbers(_BITS)
    return Layout("tiff", width, height, orientation if orientation in range(1, 9) else 1, deep)


def decode(data: bytes) -> Contents:
    """Decode the samples, 8 or 16 bits.

    Raises:
        BrokenPictureError: They are broken; Pillow raises OSError and others.
        UntakenKindError: Floats, 32 bits, 16-bit Lab and the like.
    """
    directory = _directory(data)
    for offsets, sizes in (_STRIPS, _TILES):
        pairs = zip(directory.numbers(offsets), directory.numbers(sizes), strict=False)
        if any(offset + size > len(data) for offset, size in pairs):
            raise BrokenPictureError("the TIFF ends early")
    bits = set(directory.numbers(_BITS))
    if set(directory.numbers(_FORMAT)) - {_UNSIGNED} or bits - {1, 2, 4, 8, _DEEP_BITS}:
        raise UntakenKindError(f"TIFF with samples of {max(bits, default=1)} bits or not whole numbers")
    if directory.number(_COMPRESSION, 1) == _OLD_JPEG:
        raise UntakenKindError("TIFF with old-style JPEG")
    bare = _bare(directory)
    profile = directory.raw(_PROFILE)
    if bits == {_DEEP_BITS} and directory.number(_PHOTOMETRIC, 0) == _RGB:
        return _deep_rgb(bare, directory, profile)
    return _shallow(bare, directory, profile)


def _directory(data: bytes) -> Directory:
    """Read the directory and check that it lies in the file with all its values, which are together no larger.

    Many tags that point to the same megabytes would make a decoder copy them many times.
    """
    directory = read_directory(data)
    ends = [directory.end + _NEXT_BYTES, *(tag.end for tag in directory.tags.values())]
    if max(ends) > len(data) or sum(tag.size for tag in directory.tags.values()) > len(data):
        raise BrokenPictureError("the TIFF ends early")
    return directory


def _shallow(bare: bytes, directory: Directory, profile: bytes | None) -> Contents:
    try:
        image = TiffImageFile(BytesIO(bare))
    except SyntaxError as error:  # Pillow's word for a combination of bits and colours it does not know
        raise UntakenKindError("TIFF of an unusual layout") from error
    contents = contents_of(image, (directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)))
    samples = contents.samples
    if samples.dtype == np.uint16 and directory.number(_PHOTOMETRIC, 0) == _WHITE_IS_ZERO:
        samples = np.iinfo(np.uint16).max - samples  # Pillow inverts 8 bits, not 16
    return Contents(samples, contents.space, contents.alpha, profile)


def _deep_rgb(bare: bytes, directory: Directory, profile: bytes | None) -> Contents:
    if directory.number(_PLANAR, 1) == _SEPARATE_PLANES:
        raise UntakenKindError("16-bit TIFF in separate planes")
    samples = cv2.imdecode(np.frombuffer(bare, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise BrokenPictureError("the TIFF data are damaged")
    if samples.dtype != np.uint16 or samples.shape[2:] not in {(3,), (4,)}:
        raise UntakenKindError("TIFF of an unusual layout")
    deep = np.asarray(samples, np.uint16)
    if deep.shape[2] == 3:  # noqa: PLR2004
        return Contents(np.asarray(cv2.cvtColor(deep, cv2.COLOR_BGR2RGB), np.uint16), "rgb", profile=profile)
    rgb, alpha = np.asarray(cv2.cvtColor(deep, cv2.COLOR_BGRA2RGB), np.uint16), np.ascontiguousarray(deep[..., 3])
    kind = directory.number(_EXTRA, _STRAIGHT)
    if kind == _PREMULTIPLIED:
        return Contents(_divided(rgb, alpha), "rgb", alpha, profile)
    return Contents(rgb, "rgb", alpha if kind == _STRAIGHT else None, profile)


def _divided(rgb: Samples, alpha: Samples) -> Samples:
    """Undo the multiplication of colours by opacity."""
    opacity = np.maximum(alpha, 1)[..., None].astype(np.uint64)
    full = np.iinfo(np.uint16).max
    straight = (rgb.astype(np.uint64) * full + opacity // 2) // opacity
    return np.asarray(np.minimum(straight, full), np.uint16)


def _bare(directory: Directory) -> bytes:
    """Return the file with a new directory that holds nothing but what the pixels depend on."""
    kept = [directory.tags[number] for number in sorted(_PIXEL_TAGS & directory.tags.keys())]
    start = len(directory.data) + len(directory.data) % 2
    padding = bytes(start - len(directory.data))
    count, end = struct.pack(f"{directory.order}H", len(kept)), bytes(4)
    header = directory.data[:4] + struct.pack(f"{directory.order}I", start)
    return b"".join([header, directory.data[8:], padding, count, *(tag.entry for tag in kept), end])
