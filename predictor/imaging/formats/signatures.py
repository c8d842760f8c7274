"""Which kind of file some bytes are, told by how they begin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from predictor.imaging.formats.contents import BrokenPictureError, UntakenKindError

if TYPE_CHECKING:
    from predictor.imaging.picture import PictureFormat

_K = TypeVar("_K", bound=str)

_TAKEN: tuple[tuple[bytes, PictureFormat], ...] = (
    (rb"\xff\xd8\xff", "jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"RIFF....WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
    (rb"....ftyp(avif|avis)", "avif"),
    (rb"....ftyp(mif1|msf1|miaf)....([^\0]{4})*?(avif|avis)", "avif"),  # a general brand first, AVIF among the others
    (rb"BM.{12}(\x0c|[\x10-\xff])\0\0\0", "bmp"),  # BM alone begins too many texts: the size of its second header too
)
# Camera files are TIFF in structure, and come first: their main picture would be read as a thumbnail.
_NOT_TAKEN: tuple[tuple[bytes, str], ...] = (
    (rb"II\*\0....CR", "Canon CR2"),
    (rb"II(RO|RS|U\0)", "camera raw"),
    (rb"FUJIFILMCCD-RAW", "camera raw"),
    (rb"(II\x2b\0|MM\0\x2b)", "BigTIFF"),
    (rb"II\xbc\x01", "JPEG XR"),
    (rb"....ftyp(hei|hev)", "HEIC"),
    (rb"....ftyp(mif1|msf1)", "HEIF"),
    (rb"....ftypcrx", "Canon CR3"),
    (rb"....ftyp", "video"),
    (rb"\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01\xba", "video"),
    (rb"8BPS", "PSD"),
    (rb"\0\0[\x01\x02]\0[^\0]\0", "ICO"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a", "JPEG XL"),
    (rb"%PDF", "PDF"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript"),
    (rb"\x76\x2f\x31\x01", "OpenEXR"),
    (rb"#\?(RADIANCE|RGBE)", "Radiance HDR"),
    (rb"P[1-7fF][\s#]", "PNM"),
    (rb"qoif", "QOI"),
    (rb"DDS ", "DDS"),
    (rb"gimp xcf", "XCF"),
    (rb"\x8a(MNG)|\x8b(JNG)", "MNG"),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "WMF"),
    (rb"SIMPLE  =", "FITS"),
    (rb"AT&TFORM", "DjVu"),
    (rb"/\* XPM|#define \w+_width", "XPM"),
    (rb"(\xef\xbb\xbf)?\s*<(svg|[?!][^\0]*?<svg)[\s>]", "SVG"),
)
_TIFF = re.compile(rb"II\*\0|MM\0\*")
_BEGINNING_BYTES = 1024  # enough for every signature, an SVG's preamble included


def _compiled(table: tuple[tuple[bytes, _K], ...]) -> list[tuple[re.Pattern[bytes], _K]]:
    return [(re.compile(pattern, re.DOTALL), kind) for pattern, kind in table]


_TAKEN_PATTERNS = _compiled(_TAKEN)
_NOT_TAKEN_PATTERNS = _compiled(_NOT_TAKEN)


def kind_of(data: bytes) -> PictureFormat:
    """Return the kind of a file that is taken.

    Raises:
        UntakenKindError: It is a picture, or a film, of another kind.
        BrokenPictureError: It is nothing that begins like a picture.
    """
    beginning = data[:_BEGINNING_BYTES]
    for pattern, kind in _TAKEN_PATTERNS:
        if pattern.match(beginning):
            return kind
    for pattern, name in _NOT_TAKEN_PATTERNS:
        if pattern.match(beginning):
            raise UntakenKindError(name)
    if _TIFF.match(beginning):
        return "tiff"
    raise BrokenPictureError("the bytes are no picture")
