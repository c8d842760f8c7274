"""Picture files drawn for the tests, of every format that is taken; and what Pillow cannot write, written by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
import PIL.Image
from PIL import ImageCms

from predictor.faces import Image

HEIGHT, WIDTH = 36, 52


def drawing(height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Slopes in every direction with a patch of noise: nothing in it is symmetric."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.dstack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)]).astype(np.uint8)
    patch = np.random.default_rng(3).integers(0, 256, (height // 3, width // 3, 3), dtype=np.uint8)
    image[height // 6 : height // 6 + patch.shape[0], width // 2 : width // 2 + patch.shape[1]] = patch
    return image


def pillow(mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.fromarray(drawing()).convert(mode)


def with_alpha(mode: str = "RGBA") -> PIL.Image.Image:
    image = pillow(mode)
    image.putalpha(PIL.Image.fromarray(np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)))
    return image


def saved(image: PIL.Image.Image, kind: str, **options: object) -> bytes:
    target = BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def turned(kind: str, orientation: int, **options: object) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return saved(pillow(), kind, exif=exif, **options)


def deep_colours(channels: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """16-bit samples whose low bytes are not their high bytes."""
    rng = np.random.default_rng(16)
    return rng.integers(0, 65536, (HEIGHT, WIDTH, channels), dtype=np.uint16)


def written_by_cv2(extension: str, samples: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> bytes:
    """RGB or RGBA samples in, since cv2 takes BGR."""
    order = [2, 1, 0, 3][: samples.shape[2]]
    return cv2.imencode(extension, np.ascontiguousarray(samples[..., order]))[1].tobytes()


# ── PNG by hand ───────────────────────────────────────────────────────────────────────────────────────────────────────


def chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png(size: tuple[int, int], bits: int, colour_type: int, rows: Sequence[bytes], *extra: bytes) -> bytes:
    """A PNG of that width and height; `extra` chunks stand before the pixels."""
    ihdr = struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [chunk(b"IHDR", ihdr), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


# ── BMP by hand ───────────────────────────────────────────────────────────────────────────────────────────────────────


def run_length_bmp() -> tuple[bytes, Image]:
    """A BMP in runs of 8 bits, and its pixels."""
    palette = np.random.default_rng(8).integers(0, 256, (256, 3), dtype=np.uint8)
    indices = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) // 7 % 256
    rows = [b"".join(bytes([1, index]) for index in row) + b"\0\0" for row in indices[::-1]]
    packed = b"".join(rows)[:-2] + b"\0\x01"
    table = b"".join(bytes([*colour[::-1], 0]) for colour in palette)
    start = 14 + 40 + len(table)
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(packed), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(packed), 0, 0, start) + header + table + packed, palette[indices]


# ── ICC profiles by hand ──────────────────────────────────────────────────────────────────────────────────────────────


def rgb_profile(length: int = 0) -> bytes:
    """An sRGB profile, padded to a length."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    padded = profile + bytes(max(0, length - len(profile)))
    return struct.pack(">I", len(padded)) + padded[4:]


def grey_profile() -> bytes:
    """A profile whose grey values are proportional to light."""
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, 0x0100, 0)
    return _profile(b"mntr", b"GRAY", b"XYZ ", b"kTRC", curve)


def cmyk_profile() -> bytes:
    """A profile of strange inks: M prints sRGB's red, any other ink black, and the paper is white."""
    white, red, black = (255, 128, 128), (138, 209, 198), (0, 128, 128)  # L* 0 to 100, a* and b* + 128
    # Corners of the CMYK cube, the last channel fastest: 0 is no ink, 4 is M alone.
    corners = [white if corner == 0 else red if corner == 4 else black for corner in range(16)]
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity
    lut += bytes(range(256)) * 4 + b"".join(map(bytes, corners)) + bytes(range(256)) * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", b"A2B0", lut)


def _profile(device: bytes, space: bytes, connection: bytes, tag: bytes, value: bytes) -> bytes:
    value += bytes(-len(value) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    start = 128 + 4 + 2 * 12
    table = struct.pack(">I4sII4sII", 2, b"wtpt", start, len(white), tag, start + len(white), len(value))
    body = table + white + value
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02400000, device, space, connection)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + body


# ── one of each ───────────────────────────────────────────────────────────────────────────────────────────────────────


def files() -> dict[str, bytes]:
    """Valid files, by what is special about them."""
    deep = deep_colours()
    return {
        "jpeg": saved(pillow(), "JPEG", quality=90, icc_profile=rgb_profile()),
        "jpeg progressive": saved(pillow(), "JPEG", progressive=True),
        "jpeg grey": saved(pillow("L"), "JPEG"),
        "jpeg cmyk": saved(pillow("CMYK"), "JPEG"),
        "jpeg turned": turned("JPEG", 6),
        "png": saved(pillow(), "PNG"),
        "png alpha": saved(with_alpha(), "PNG"),
        "png grey": saved(pillow("L"), "PNG"),
        "png grey alpha": saved(with_alpha("LA"), "PNG"),
        "png one bit": saved(pillow("1"), "PNG"),
        "png palette": saved(pillow().quantize(32), "PNG"),
        "png palette transparent": saved(pillow().quantize(32), "PNG", transparency=bytes(range(0, 256, 8))),
        "png 16 bits": written_by_cv2(".png", deep),
        "png 16 bits alpha": written_by_cv2(".png", deep_colours(4)),
        "webp": saved(pillow(), "WEBP", quality=90),
        "webp alpha": saved(with_alpha(), "WEBP", lossless=True),
        "webp animated": saved(pillow(), "WEBP", save_all=True, append_images=[pillow().rotate(90)]),
        "bmp": saved(pillow(), "BMP"),
        "bmp palette": saved(pillow().quantize(32), "BMP"),
        "bmp runs": run_length_bmp()[0],
        "gif": saved(pillow().quantize(32), "GIF"),
        "gif animated": saved(pillow().quantize(32), "GIF", save_all=True, append_images=[pillow().quantize(9)]),
        "tiff": saved(pillow(), "TIFF"),
        "tiff lzw": saved(pillow(), "TIFF", compression="tiff_lzw"),
        "tiff jpeg": saved(pillow(), "TIFF", compression="jpeg"),
        "tiff cmyk": saved(pillow("CMYK"), "TIFF"),
        "tiff lab": saved(pillow("LAB"), "TIFF"),
        "tiff one bit": saved(pillow("1"), "TIFF", compression="group4"),
        "tiff 16 bits": written_by_cv2(".tiff", deep),
        "avif": saved(pillow(), "AVIF"),
        "avif alpha": saved(with_alpha(), "AVIF"),
    }
