"""PNG through cv2, both ways: it holds 16-bit RGB, which Pillow cannot, notices missing rows, and writes fastest."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout
from predictor.imaging.formats.ifd import exif_orientation
from predictor.imaging.profiles import LARGEST_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predictor.imaging.orientation import Samples

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR_END = len(_SIGNATURE) + 12 + 13
# PNG 3rd edition, section 11.2.1: colour types by number
_PALETTE, _GREY_ALPHA = 3, 4
_COLOUR_AXES = 3
_DEEP_BITS = 16
# An encoder's chunks have kilobytes; a file of empty ones would keep a processor busy.
_MOST_CHUNKS = 100_000


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    chunks: list[_Chunk]

    def first(self, name: bytes) -> bytes:
        """Return what a chunk holds; nothing where there is none."""
        return next((self.data[chunk.start : chunk.end] for chunk in self.chunks if chunk.name == name), b"")

    def ihdr(self) -> tuple[int, int, int, int]:
        """Return width, height, bits and colour type."""
        ihdr = self.first(b"IHDR")
        if self.chunks[0].name != b"IHDR" or len(ihdr) != 13:  # noqa: PLR2004
            raise BrokenPictureError("the PNG has no header")
        width, height, bits, colour_type = struct.unpack_from(">IIBB", ihdr)
        return width, height, bits, colour_type


def read_layout(data: bytes) -> Layout:
    """Return size and orientation; raises BrokenPictureError."""
    file = _read(data)
    width, height, bits, _ = file.ihdr()
    return Layout("png", width, height, exif_orientation(file.first(b"eXIf")), deep=bits == _DEEP_BITS)


def decode(data: bytes) -> Contents:
    """Decode the samples, 8 or 16 bits; raises BrokenPictureError."""
    file = _read(data)
    _check(file)
    profile = _profile(file.first(b"iCCP"))
    _, _, bits, colour_type = file.ihdr()
    samples, alpha = _samples(_bare(file, colour_type), colour_type)
    if alpha is None and colour_type != _PALETTE:
        alpha = _key_alpha(samples, file.first(b"tRNS"), bits)
    return Contents(samples, "rgb" if samples.ndim == _COLOUR_AXES else "grey", alpha, profile)


def encode(colours: Samples, alpha: Samples | None, profile: bytes | None, mark: bytes | None) -> bytes:
    """Encode RGB samples, shape (H, W, 3), and their opacity, 8 or 16 bits, with an ICC profile and an XMP packet."""
    if alpha is None:
        planes = cv2.cvtColor(colours, cv2.COLOR_RGB2BGR)
    else:
        planes = cv2.cvtColor(colours, cv2.COLOR_RGB2BGRA)
        planes[..., 3] = alpha
    plain = cv2.imencode(".png", planes)[1].data
    return b"".join([plain[:_IHDR_END], *_metadata_chunks(profile, mark), plain[_IHDR_END:]])


def _read(data: bytes) -> _File:
    chunks: list[_Chunk] = []
    position = len(_SIGNATURE)
    while len(chunks) < _MOST_CHUNKS:
        try:
            length, name = struct.unpack_from(">I4s", data, position)
        except struct.error as error:
            raise BrokenPictureError("the PNG ends early") from error
        chunk = _Chunk(name, position + 8, position + 8 + length)
        position = chunk.end + 4
        if position > len(data):
            raise BrokenPictureError("the PNG ends early")
        chunks.append(chunk)
        if name == b"IEND":
            return _File(data, chunks)
    raise BrokenPictureError(f"the PNG has more than {_MOST_CHUNKS} chunks")


def _check(file: _File) -> None:
    """Check the sums that the decoders leave unchecked, of every chunk that pixels depend on.

    And that those come once which there is one of: libpng writes a line to stderr for each further one.
    """
    counts = Counter(chunk.name for chunk in file.chunks)
    if any(counts[name] > 1 for name in (b"IHDR", b"PLTE", b"tRNS")):
        raise BrokenPictureError("the PNG data are damaged")
    for chunk in file.chunks:
        if chunk.name in {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}:
            (written,) = struct.unpack_from(">I", file.data, chunk.end)
            if zlib.crc32(file.data[chunk.start - 4 : chunk.end]) != written:
                raise BrokenPictureError("the PNG data are damaged")


def _bare(file: _File, colour_type: int) -> bytes:
    """Return the file without what is not pixels: no text, profile or animation reaches a decoder."""
    kept = {b"IHDR", b"PLTE", b"IDAT", b"IEND"} | ({b"tRNS"} if colour_type == _PALETTE else set())
    return _SIGNATURE + b"".join(
        file.data[chunk.start - 8 : chunk.end + 4] for chunk in file.chunks if chunk.name in kept
    )


def _samples(bare: bytes, colour_type: int) -> tuple[Samples, Samples | None]:
    """Return grey or RGB samples of 8 or 16 bits, and their opacity."""
    read = cv2.imdecode(np.frombuffer(bare, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if read is None or read.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise BrokenPictureError("the PNG data are damaged")
    samples: Samples = np.asarray(read, np.uint16 if read.dtype == np.uint16 else np.uint8)
    if samples.ndim < _COLOUR_AXES:
        return samples, None
    if samples.shape[2] == 3:  # noqa: PLR2004
        return np.asarray(cv2.cvtColor(samples, cv2.COLOR_BGR2RGB), samples.dtype), None
    alpha = np.ascontiguousarray(samples[..., 3])
    if colour_type == _GREY_ALPHA:  # cv2 repeats the grey in three channels
        return np.ascontiguousarray(samples[..., 0]), alpha
    return np.asarray(cv2.cvtColor(samples, cv2.COLOR_BGRA2RGB), samples.dtype), alpha


def _key_alpha(samples: Samples, trns: bytes, bits: int) -> Samples | None:
    """Return the opacity where one colour is said to be transparent (section 11.3.1.1), in the file's own bits."""
    channels = 1 if samples.ndim == 2 else 3  # noqa: PLR2004
    if len(trns) != 2 * channels:
        return None
    full = np.iinfo(samples.dtype).max
    key = np.array(struct.unpack(f">{channels}H", trns), np.uint32) * full // (2**bits - 1)
    shown = (samples.reshape(*samples.shape[:2], channels) != key).any(axis=2)
    return np.asarray(np.where(shown, full, 0), samples.dtype)


def _profile(iccp: bytes) -> bytes | None:
    """Unpack an iCCP chunk; None where it is broken or beyond bounds: a picture is not refused for its metadata."""
    _, _, packed = iccp.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(packed[1:], LARGEST_PROFILE_BYTES + 1)
    except zlib.error:
        return None
    return profile or None


def _metadata_chunks(profile: bytes | None, mark: bytes | None) -> Iterator[bytes]:
    if profile is not None:
        yield _written(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if mark is not None:
        # XMP specification part 3, section 1.1.5: uncompressed, no language, no translated keyword
        yield _written(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + mark)


def _written(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))
