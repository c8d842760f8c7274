"""JPEG: libjpeg through cv2, which decodes straight into RGB; CMYK through Pillow, which knows Adobe's inversion."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from predictor.imaging.formats.contents import BrokenPictureError, Contents, Layout, UntakenKindError
from predictor.imaging.formats.ifd import exif_orientation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from predictor.faces import Image

# ITU-T T.81, table B.1
_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1})  # Huffman-coded
_RESTARTS = range(0xD0, 0xD8)
_WITHOUT_LENGTH = frozenset({0x00, 0x01, _SOI, _EOI, *_RESTARTS})
# Comments and applications' own, but for JFIF's and Adobe's, which say what the samples mean.
_UNNEEDED = frozenset({0xFE, *range(0xE0, 0xF0)}) - {0xE0, 0xEE}
_BETWEEN_SCANS = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_SEGMENT_BYTES = 65_533  # a segment's length is two bytes, itself included
_MOST_SEGMENTS = 4096  # metadata of 256 MB; a file of empty segments would keep a processor busy
# Each scan of a progressive file visits every pixel, however short it is; encoders write about ten.
_MOST_SCANS = 100
# libjpeg reads on a little before it needs to; and then there is nothing: no end of the image, and no more data.
_READ_AHEAD = bytes(16)
_BITS = 8
_FINE_CHROMA_QUALITY = 90


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Head:
    """Everything before the first scan."""

    frame: _Segment
    scan: _Segment
    segments: list[_Segment]

    def metadata(self, data: bytes, beginning: bytes) -> list[bytes]:
        """Return the applications' segments that begin with a name, such as `Exif`."""
        found = [data[one.start : one.end] for one in self.segments if one.marker in {_APP1, _APP2}]
        return [one for one in found if one.startswith(beginning)]


def read_layout(data: bytes) -> Layout:
    """Return size and orientation; raises BrokenPictureError or UntakenKindError."""
    head = _read_head(data)
    bits, height, width, components = struct.unpack_from(">BHHB", data, head.frame.start)
    if bits != _BITS or components not in {1, 3, 4}:
        raise UntakenKindError(f"JPEG with {components} components of {bits} bits")
    exif = next(iter(head.metadata(data, _EXIF)), b"")
    return Layout("jpeg", width, height, exif_orientation(exif))


def decode(data: bytes) -> Contents:
    """Decode the samples; raises BrokenPictureError."""
    head = _read_head(data)
    bare = _bare(data, head)
    components = data[head.frame.start + 5]
    profile = _profile(head.metadata(data, _ICC))
    if components == 4:  # noqa: PLR2004
        # No marker says whether 0 or 255 is full ink. Pillow reads all of them as Adobe writes them, as browsers do.
        return Contents(np.asarray(JpegImageFile(BytesIO(bare))), "cmyk", profile=profile)
    wanted = cv2.IMREAD_GRAYSCALE if components == 1 else cv2.IMREAD_COLOR_RGB
    samples = cv2.imdecode(np.frombuffer(bare, np.uint8), wanted | cv2.IMREAD_IGNORE_ORIENTATION)
    if samples is None:
        raise BrokenPictureError("the JPEG data are damaged")
    return Contents(np.asarray(samples, np.uint8), "grey" if components == 1 else "rgb", profile=profile)


def encode(image: Image, quality: int, profile: bytes | None, mark: bytes | None) -> bytes:
    """Encode RGB pixels, with an ICC profile and an XMP packet.

    From quality 90 on, colour is kept at full resolution: lips, irises and the edge of a face are where halved
    colour shows first, and a swap then differs from its destination as little as JPEG allows. Below, size counts more.
    """
    fine = quality >= _FINE_CHROMA_QUALITY
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if fine else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    plain = encoded.data
    after_jfif = 4 + struct.unpack_from(">H", plain, 4)[0]
    return b"".join([plain[:after_jfif], *_metadata_segments(profile, mark), plain[after_jfif:]])


def _read_head(data: bytes) -> _Head:
    frame: _Segment | None = None
    segments: list[_Segment] = []
    for segment in _segments(data):
        if segment.marker in _WITHOUT_LENGTH or (segment.marker in _FRAMES and frame is not None):
            raise BrokenPictureError("the JPEG header is damaged")
        if segment.marker in _FRAMES:
            frame = segment
        if segment.marker == _SOS and frame is not None:
            return _Head(frame, segment, segments)
        segments.append(segment)
    raise BrokenPictureError("the JPEG has no picture")


def _bare(data: bytes, head: _Head) -> bytes:
    """Return a file of nothing but what the pixels depend on.

    Its header has only segments that we have read, so that no decoder can find another header among them. Where all
    pixels come in one scan, the end of the image is taken away: a decoder that meets it too early paints the rest grey
    and only murmurs, but gives up where there is nothing.
    """
    end, scans = _check_scans(data, head.scan)
    whole = memoryview(data)
    kept = [whole[one.start - 4 : one.end] for one in head.segments if one.marker not in _UNNEEDED]
    ending = _READ_AHEAD if scans == 1 and head.frame.marker in _SEQUENTIAL else bytes([0xFF, _EOI])
    return b"".join([bytes([0xFF, _SOI]), *kept, whole[head.scan.start - 4 : end], ending])


def _segments(data: bytes) -> Iterator[_Segment]:
    position = 2
    for _ in range(_MOST_SEGMENTS):
        segment = _segment(data, position)
        yield segment
        position = segment.end
    raise BrokenPictureError(f"the JPEG has more than {_MOST_SEGMENTS} segments")


def _segment(data: bytes, position: int) -> _Segment:
    try:
        while data[position : position + 2] == b"\xff\xff":
            position += 1
        fill, marker, length = struct.unpack_from(">BBH", data, position)
    except struct.error as error:
        raise BrokenPictureError("the JPEG ends early") from error
    end = position + 2 + length
    if fill != 0xFF or length < 2 or end > len(data):  # noqa: PLR2004
        raise BrokenPictureError("a JPEG segment is damaged")
    return _Segment(marker, position + 4, end)


def _check_scans(data: bytes, scan: _Segment) -> tuple[int, int]:
    """Follow the scans to the end of the image; return where it is, and how many there are.

    libjpeg paints what is missing grey and only murmurs; so the markers are checked here. In entropy-coded data an
    FF byte is followed by 0, a restart or the next segment, and by nothing else.
    """
    pairs = np.frombuffer(data, np.uint8)
    after = pairs[1:]
    stops = np.flatnonzero((pairs[:-1] == 0xFF) & (after != 0) & (after != 0xFF) & ((after & 0xF8) != _RESTARTS[0]))  # noqa: PLR2004
    position = scan.end
    scans = 1
    for _ in range(_MOST_SEGMENTS):
        found = np.searchsorted(stops, position)
        if found == len(stops):
            raise BrokenPictureError("the JPEG ends early")
        position = int(stops[found])
        marker = data[position + 1]
        if marker == _EOI:
            return position, scans
        if marker != _SOS and marker not in _BETWEEN_SCANS:
            raise BrokenPictureError("the JPEG data are damaged")
        scans += marker == _SOS
        if scans > _MOST_SCANS:
            raise BrokenPictureError(f"the JPEG has more than {_MOST_SCANS} scans")
        position = _segment(data, position).end
    raise BrokenPictureError(f"the JPEG has more than {_MOST_SEGMENTS} segments")


def _profile(metadata: list[bytes]) -> bytes | None:
    """Join the pieces of an ICC profile (ICC.1:2022, annex B.4); None where one is missing."""
    pieces = {found[12]: found for found in metadata if len(found) > len(_ICC) + 2}
    if not pieces or sorted(pieces) != list(range(1, pieces[min(pieces)][13] + 1)):
        return None
    return b"".join(pieces[number][14:] for number in sorted(pieces))


def _metadata_segments(profile: bytes | None, mark: bytes | None) -> Iterator[bytes]:
    if mark is not None:
        yield _written(_APP1, _XMP + mark)
    if profile is not None:
        room = _SEGMENT_BYTES - len(_ICC) - 2
        pieces = [profile[i : i + room] for i in range(0, len(profile), room)]
        for number, piece in enumerate(pieces, start=1):
            yield _written(_APP2, _ICC + bytes([number, len(pieces)]) + piece)


def _written(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
