from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest

from predictor.errors import UndecodableImage
from predictor.imaging.codec import decode
from tests.unit.imaging import drawn

MANY = 10**6


def with_exif(tags: int, size: int) -> bytes:
    """An AVIF whose EXIF has so many tags, all of them over the same bytes."""
    start = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 1 + number, 7, size, start) for number in range(tags))
    exif = b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4 + size)
    # Pillow writes no such thing: it is put in the place of one long tag.
    room = len(exif) - 8 - 2 - 12 - 4
    harmless = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x9286, 7, room, 8 + 2 + 12 + 4) + bytes(4 + room)
    data = drawn.saved(drawn.pillow(), "AVIF", exif=b"Exif\0\0" + harmless)
    assert harmless in data
    return data.replace(harmless, exif)


def test_exif_of_many_tags_over_the_same_bytes_is_not_read() -> None:
    """Pillow's own reader of AVIF warns of each of them, on stderr."""
    data = with_exif(3000, 2_000_000)

    tracemalloc.start()
    picture = decode(data, "x", MANY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert picture.image.shape == (drawn.HEIGHT, drawn.WIDTH, 3)
    assert peak < 4 * len(data)


def test_a_picture_that_is_larger_than_its_header_says_comes_as_large_as_it_says() -> None:
    data = bytearray(drawn.saved(drawn.pillow().resize((400, 300)), "AVIF"))
    struct.pack_into(">II", data, data.index(b"ispe") + 8, 40, 30)

    assert decode(bytes(data), "x", MANY).image.shape == (30, 40, 3)


def test_damaged_samples_are_undecodable() -> None:
    data = bytearray(drawn.files()["avif"])
    start = data.rindex(b"mdat") + 8
    data[start : start + 40] = bytes(40)

    with pytest.raises(UndecodableImage):
        decode(bytes(data), "x", MANY)


def test_opacity_is_straight_and_in_place() -> None:
    picture = decode(drawn.saved(drawn.with_alpha(), "AVIF", quality=100), "x", MANY)

    assert picture.alpha is not None
    assert np.abs(picture.alpha.astype(int) - np.asarray(drawn.with_alpha())[..., 3]).max() <= 2
