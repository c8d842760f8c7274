from __future__ import annotations

import struct

import numpy as np
import pytest

from predictor.errors import UndecodableImage
from predictor.imaging.codec import decode, probe
from tests.unit.imaging import drawn

MANY = 10**6
GIF = drawn.files()["gif"]


def test_the_first_frame_of_an_animation_is_taken() -> None:
    assert np.array_equal(decode(drawn.files()["gif animated"], "x", MANY).image, decode(GIF, "x", MANY).image)


def test_a_transparent_colour_is_transparent() -> None:
    indices = drawn.pillow().quantize(32)
    picture = decode(drawn.saved(indices, "GIF", transparency=5), "x", MANY)

    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, np.asarray(indices) == 5)


def test_a_frame_larger_than_the_screen_counts() -> None:
    data = GIF[:6] + struct.pack("<HH", 3, 2) + GIF[10:]

    header = probe(data, "x")

    assert (header.width, header.height) == (drawn.WIDTH, drawn.HEIGHT)
    assert decode(data, "x", MANY).image.shape == (drawn.HEIGHT, drawn.WIDTH, 3)


def test_a_screen_without_a_frame_is_no_picture() -> None:
    with pytest.raises(UndecodableImage, match="no picture"):
        probe(b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + b";", "x")


@pytest.mark.parametrize(("rows", "whole"), [(1, True), (40, False)])
def test_pixels_that_end_early_are_noticed_though_every_block_is_whole(rows: int, *, whole: bool) -> None:
    packed = struct.pack("<I", sum(code << 3 * i for i, code in enumerate([4, 1, 2, 1, 5])))[:2]  # clear, 3 pixels, end
    head = b"GIF89a" + struct.pack("<HHBBB", 3, rows, 0x81, 0, 0) + bytes(range(12))
    data = head + b"," + struct.pack("<HHHHB", 0, 0, 3, rows, 0) + b"\x02\x02" + packed + b"\0;"

    if whole:
        assert decode(data, "x", MANY).image[..., 0].tolist() == [[3, 6, 3]]
    else:
        with pytest.raises(UndecodableImage):
            decode(data, "x", MANY)
