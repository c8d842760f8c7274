"""Picture files that lie: small ones of every format, and what is made of them. All are made here, none is shipped."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import PIL.Image

from tests.serving.pictures import bomb, portrait
from tests.unit.imaging import drawn
from tests.unit.imaging.drawn import chunk, saved

EARLY_END = b"\xff\xd9"
"""JPEG's end of image, put where it is too early."""


@cache
def small() -> dict[str, bytes]:
    """A picture of 9x7 pixels in every format that is taken, of a few hundred bytes, so that each byte can be tried."""
    colours = drawn.pillow().resize((9, 7))
    opacity = PIL.Image.new("RGBA", (9, 7), (9, 90, 200, 77))
    indices = colours.quantize(8)
    deep = np.asarray(colours, np.uint16) * 257
    return {
        "jpeg": saved(colours, "JPEG"),
        "jpeg progressive": saved(colours, "JPEG", progressive=True),
        "jpeg grey": saved(colours.convert("L"), "JPEG"),
        "jpeg cmyk": saved(colours.convert("CMYK"), "JPEG"),
        "png": saved(colours, "PNG"),
        "png alpha": saved(opacity, "PNG"),
        "png palette": saved(indices, "PNG", transparency=3),
        "png 16 bits": drawn.written_by_cv2(".png", deep),
        "png interlaced": interlaced_png(),
        "webp": saved(colours, "WEBP"),
        "webp lossless": saved(opacity, "WEBP", lossless=True),
        "webp animated": saved(colours, "WEBP", save_all=True, append_images=[colours.rotate(90)]),
        "bmp": saved(colours, "BMP"),
        "bmp palette": saved(indices, "BMP"),
        "bmp runs": drawn.run_length_bmp()[0],
        "gif": saved(indices, "GIF"),
        "gif animated": saved(indices, "GIF", save_all=True, append_images=[indices.rotate(90)]),
        "tiff": saved(colours, "TIFF"),
        "tiff packed": saved(colours, "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": saved(colours, "TIFF", compression="jpeg"),
        "tiff 16 bits": drawn.written_by_cv2(".tiff", deep),
        "avif": saved(colours, "AVIF"),
        "avif alpha": saved(opacity, "AVIF"),
    }


def interlaced_png() -> bytes:
    """Adam7 of a single pixel's width: six of the seven passes are empty."""
    ihdr = struct.pack(">IIBBBBB", 1, 7, 8, 0, 0, 0, 1)
    rows = b"".join(b"\0" + bytes([value]) for value in range(7))
    body = [chunk(b"IHDR", ihdr), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


# ── headers that promise what no machine has ──────────────────────────────────────────────────────────────────────────


def jpeg_of(width: int, height: int, data: bytes = b"") -> bytes:
    """The small JPEG with other sides in its header."""
    data = data or small()["jpeg"]
    start = data.index(b"\xff\xc0" if b"\xff\xc0" in data else b"\xff\xc2")
    return data[: start + 5] + struct.pack(">HH", height, width) + data[start + 9 :]


def gif_of(width: int, height: int) -> bytes:
    """The small GIF with another screen and frame."""
    data = small()["gif"]
    frame = data.index(b",", 13 + 3 * 8)
    size = struct.pack("<HH", width, height)
    return data[:6] + size + data[10 : frame + 5] + size + data[frame + 9 :]


def bmp_of(width: int, height: int) -> bytes:
    """The small BMP with other sides in its header."""
    data = small()["bmp"]
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def webp_of(width: int, height: int) -> bytes:
    """The small animation with another canvas."""
    data = small()["webp animated"]
    start = data.index(b"VP8X") + 12
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return data[:start] + sides + data[start + 6 :]


def avif_of(width: int, height: int) -> bytes:
    """The small AVIF with other sides in its header."""
    data = bytearray(small()["avif"])
    struct.pack_into(">II", data, data.index(b"ispe") + 8, width, height)
    return bytes(data)


def tiff_with(tags: dict[int, tuple[int, ...]]) -> bytes:
    """A TIFF of 9x7 grey pixels; the given tags replace its own. A directory that points to itself follows it."""
    own = {256: (9,), 257: (7,), 258: (8,), 259: (1,), 262: (1,), 273: (8,), 277: (1,), 278: (7,), 279: (63,)} | tags
    start = 8 + 64
    entries, values = b"", b""
    behind = start + 2 + 12 * len(own) + 4
    for number, numbers in sorted(own.items()):
        value = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(value) > 4:
            value, values = struct.pack("<I", behind + len(values)), values + value
        entries += struct.pack("<HHI", number, 4, len(numbers)) + value
    directory = struct.pack("<H", len(own)) + entries + struct.pack("<I", start) + values
    return b"II*\0" + struct.pack("<I", start) + bytes(range(64)) + directory


def packed_png(width: int, height: int, bits: int, colour_type: int, *extra: bytes) -> bytes:
    """A PNG of one colour: a kilobyte for a megabyte of pixels."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * samples * bits + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    ihdr = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = [chunk(b"IHDR", ihdr), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# ── metadata that unpack to gigabytes, or go on for ever ──────────────────────────────────────────────────────────────


@cache
def packed_zeros(count: int = 100_000_000) -> bytes:
    """A hundred megabytes in a hundred kilobytes."""
    packer = zlib.compressobj(9)
    part = bytes(1_000_000)
    return b"".join(packer.compress(part) for _ in range(count // len(part))) + packer.flush()


def png_with(*extra: bytes) -> bytes:
    """The small PNG with further chunks before its pixels."""
    data = small()["png"]
    return data[:33] + b"".join(extra) + data[33:]


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    """The small JPEG with further segments after its first."""
    data = small()["jpeg"]
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, 2 + len(text)) + text for marker, text in segments)
    return data[:20] + extra + data[20:]


def looping_exif() -> bytes:
    """EXIF whose second directory is its first, and that is a part of itself."""
    entries = struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<HHII", 0x0112, 3, 1, 9)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 8)


def many_tags() -> bytes:
    """EXIF of as many tags as there can be, all over the same bytes."""
    entries = b"".join(struct.pack("<HHII", number, 7, 60_000, 8) for number in range(5000))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 5000) + entries + bytes(4)


def jpeg_of_scans(count: int) -> bytes:
    """The progressive JPEG with its last scan many times over."""
    data = small()["jpeg progressive"]
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + EARLY_END


def jpeg_behind(marker: bytes) -> bytes:
    """A JPEG whose second, huge header stands behind a marker that has no length: which of the two is read?"""
    data = small()["jpeg"]
    start = data.index(b"\xff\xc0")
    end = start + 2 + struct.unpack_from(">H", data, start + 2)[0]
    huge = jpeg_of(60_000, 60_000)[start:end] + b"\xff\xfe" + struct.pack(">H", 2 + end - start)
    return data[:start] + marker + struct.pack(">H", 2 + len(huge)) + huge + data[start:]


def gif_blocks(count: int) -> bytes:
    """The small GIF with a comment of that many blocks before its frame."""
    data = small()["gif"]
    frame = data.index(b",", 13 + 3 * 8)
    return data[:frame] + b"!\xfe" + b"\x01x" * count + b"\0" + data[frame:]


def webp_chunks(count: int) -> bytes:
    """The small WebP with that many empty chunks behind it."""
    body = small()["webp"][8:] + b"junk\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def polyglot(first: str, second: str) -> bytes:
    """One file behind another: what it is, its beginning says."""
    return small()[first] + small()[second]


HEAVY = {"png of 64 megapixels", "webp of 63 megapixels", "avif of 63 megapixels", "jpeg of 99 scans and 63 megapixels"}
"""Bombs of many seconds on a slow machine: only `make fuzz` takes them; one of their kind is among the others."""

BOMBS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    # name: the file, and the codes it may be refused with; `ok` where it is a picture after all
    "png of 2.5 gigapixels": (bomb, {"image_too_large"}),
    "png of all there can be": (lambda: bomb(2**31 - 1, 2**31 - 1), {"image_too_large"}),
    "png without width": (lambda: bomb(0, 10), {"undecodable_image"}),
    "png of 64 megapixels, 16 bits, opacity": (lambda: packed_png(8000, 8000, 16, 6), {"no_face_found", "ok"}),
    "png of 64 megapixels": (lambda: packed_png(8000, 8000, 8, 2), {"no_face_found", "ok"}),
    "png one pixel too large": (lambda: packed_png(8001, 8000, 1, 0), {"image_too_large"}),
    "png a million pixels wide": (lambda: packed_png(1_000_000, 1, 8, 2), {"no_face_found", "ok", "undecodable_image"}),
    "png whose pixels are a bomb": (
        lambda: png_with().replace(b"IDAT", b"idat", 1)[:-12] + chunk(b"IDAT", packed_zeros()) + small()["png"][-12:],
        {"ok", "undecodable_image"},
    ),
    "png with text bombs": (
        lambda: png_with(
            chunk(b"zTXt", b"a\0\0" + packed_zeros()),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0" + packed_zeros()),
            chunk(b"iCCP", b"a\0\0" + packed_zeros()),
            chunk(b"eXIf", many_tags()[6:]),
        ),
        {"ok"},
    ),
    "png of two headers": (lambda: png_with(chunk(b"IHDR", bomb()[16:29])), {"undecodable_image"}),
    "png of 100,000 chunks": (lambda: png_with(chunk(b"none", b"") * 100_001), {"undecodable_image"}),
    "jpeg without sides": (lambda: jpeg_of(0, 0), {"undecodable_image"}),
    "jpeg of 65,535 sides": (lambda: jpeg_of(65_535, 65_535), {"image_too_large"}),
    "jpeg that promises 63 megapixels": (lambda: jpeg_of(7990, 7990), {"undecodable_image"}),
    "jpeg of 2000 scans": (lambda: jpeg_of_scans(2000), {"undecodable_image"}),
    "jpeg of 99 scans and 63 megapixels": (
        lambda: jpeg_of(7990, 7990, jpeg_of_scans(80)),
        {"undecodable_image", "ok"},
    ),
    "jpeg of 5000 segments": (lambda: jpeg_with(*[(0xE5, b"")] * 5000), {"undecodable_image"}),
    "jpeg of 4000 profiles": (
        lambda: jpeg_with(*[(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(1000))] * 4000),
        {"ok"},
    ),
    "jpeg with looping exif": (lambda: jpeg_with((0xE1, looping_exif())), {"ok"}),
    "jpeg with tags over tags": (lambda: jpeg_with((0xE1, many_tags())), {"ok"}),
    "jpeg with a wrong length": (
        lambda: jpeg_with((0xE5, b"abc")).replace(b"\0\x05abc", b"\xff\xffabc"),
        {"undecodable_image"},
    ),
    "jpeg with a length of nothing": (
        lambda: jpeg_with((0xE5, b"abc")).replace(b"\0\x05abc", b"\0\0abc"),
        {"undecodable_image"},
    ),
    "jpeg behind a restart": (lambda: jpeg_behind(b"\xff\xd0"), {"undecodable_image"}),
    "jpeg behind a second beginning": (lambda: jpeg_behind(b"\xff\xd8"), {"undecodable_image"}),
    "jpeg cut, with an end put behind": (lambda: portrait()[:6000] + EARLY_END, {"undecodable_image"}),
    "jpeg of nothing but fill": (lambda: b"\xff\xd8" + b"\xff" * 2_000_000, {"undecodable_image"}),
    "gif of 65,535 sides": (lambda: gif_of(65_535, 65_535), {"image_too_large"}),
    "gif of 63 megapixels": (lambda: gif_of(7990, 7990), {"undecodable_image"}),
    "gif of very many blocks": (lambda: gif_blocks(2_000_000), {"undecodable_image"}),
    "gif of 50,000 frames": (
        lambda: small()["gif"][:-1] + small()["gif"][37:-1] * 50_000 + b";",
        {"ok", "undecodable_image"},
    ),
    "bmp of 2**31 rows": (lambda: bmp_of(1, -(2**31)), {"image_too_large"}),
    "bmp read in two ways": (lambda: bmp_of(1, -(2**24) - 1), {"undecodable_image"}),
    "bmp of negative width": (lambda: bmp_of(-9, 7), {"undecodable_image"}),
    "bmp that promises 64 megapixels": (lambda: bmp_of(8000, 8000), {"undecodable_image"}),
    "webp of 16,384 sides": (lambda: webp_of(16_384, 16_384), {"image_too_large"}),
    "webp of 63 megapixels": (lambda: webp_of(7990, 7990), {"no_face_found", "ok", "undecodable_image"}),
    "webp of very many chunks": (lambda: webp_chunks(200_000), {"undecodable_image"}),
    "avif of 2**31 sides": (lambda: avif_of(2**31, 2**31), {"undecodable_image", "image_too_large"}),
    "avif of 63 megapixels": (lambda: avif_of(7990, 7990), {"no_face_found", "ok", "undecodable_image"}),
    "avif without sides": (lambda: avif_of(0, 0), {"undecodable_image"}),
    "tiff of 2**32 sides": (lambda: tiff_with({256: (2**32 - 1,), 257: (2**32 - 1,)}), {"image_too_large"}),
    "tiff whose directories loop": (lambda: tiff_with({}), {"ok"}),
    "tiff within itself": (lambda: tiff_with({330: (72,), 34665: (72,), 34853: (72,)}), {"ok"}),
    "tiff of a huge strip": (lambda: tiff_with({278: (2**32 - 1,), 279: (2**32 - 1,)}), {"undecodable_image"}),
    "tiff of 64 megapixels in no bytes": (lambda: tiff_with({256: (8000,), 257: (8000,)}), {"undecodable_image"}),
    "tiff of very many strips": (lambda: tiff_with({273: (8,) * 70_000}), {"unsupported_image"}),
    "tiff of huge tiles": (lambda: tiff_with({322: (65_536,), 323: (65_536,)}), {"unsupported_image"}),
    "tiff of a million samples": (lambda: tiff_with({277: (1_000_000,)}), {"undecodable_image", "unsupported_image"}),
    "png behind a jpeg": (lambda: polyglot("jpeg", "png"), {"ok"}),
    "jpeg behind a gif": (lambda: polyglot("gif", "jpeg"), {"ok"}),
    "html in a gif": (lambda: b"GIF89a<script>alert(1)</script>", {"undecodable_image", "image_too_large"}),
    "zip behind a png": (lambda: small()["png"] + b"PK\3\4" + bytes(100), {"ok"}),
}
