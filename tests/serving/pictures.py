"""Pictures drawn for a purpose, and photographs in every form a client may send."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image as PillowImage

from predictor.client.samples import ASTRONAUT, SIX_FACES, Sample
from predictor.faces import Image


@cache
def flat(colour: tuple[int, int, int] = (90, 120, 60), width: int = 100, height: int = 80) -> bytes:
    """A PNG in one colour: nobody in it."""
    return png(np.full((height, width, 3), colour, np.uint8))


def png(image: Image) -> bytes:
    """A PNG of these pixels."""
    return saved(PillowImage.fromarray(image), "PNG")


def saved(image: PillowImage.Image, kind: str, **options: object) -> bytes:
    """The file a picture makes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG of a few kilobytes that claims, and would decode to, far more than a machine has."""
    rows = zlib.compress(bytes(4_000_000), 9)  # as far as a few kilobytes go; the header is what counts
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def photograph(sample: Sample) -> PillowImage.Image:
    """A sample, RGB."""
    return PillowImage.open(io.BytesIO(sample.read())).convert("RGB")


def beside(left: PillowImage.Image, right: PillowImage.Image) -> PillowImage.Image:
    """Two pictures side by side, as high as the higher one."""
    both = PillowImage.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


@cache
def portrait() -> bytes:
    """One face, 200x200, a JPEG: the least work for a detector."""
    return saved(photograph(ASTRONAUT).crop((120, 20, 320, 220)), "JPEG", quality=95)


@cache
def crowd() -> bytes:
    """Six faces, and one more."""
    return saved(beside(photograph(SIX_FACES), photograph(ASTRONAUT)), "JPEG", quality=95)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
