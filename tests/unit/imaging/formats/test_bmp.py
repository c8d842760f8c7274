from __future__ import annotations

import struct

import numpy as np
import pytest

from predictor.errors import UndecodableImage, UnsupportedImage
from predictor.imaging.codec import decode, probe
from tests.unit.imaging import drawn

MANY = 10**6
BMP = drawn.files()["bmp"]


def test_runs_have_the_pixels_they_were_made_from() -> None:
    data, pixels = drawn.run_length_bmp()

    assert np.array_equal(decode(data, "x", MANY).image, pixels)


def test_a_negative_height_means_top_row_first() -> None:
    data = BMP[:22] + struct.pack("<i", -drawn.HEIGHT) + BMP[26:]

    assert probe(data, "x").height == drawn.HEIGHT
    assert np.array_equal(decode(data, "x", MANY).image, drawn.drawing()[::-1])


def test_a_picture_wrapped_into_a_bmp_is_named_and_not_taken() -> None:
    with pytest.raises(UnsupportedImage, match="BMP with compression 4"):
        probe(BMP[:30] + struct.pack("<I", 4) + BMP[34:], "x")


def test_the_oldest_header_is_read() -> None:
    row = bytes([1, 2, 3, 4, 5, 6, 0, 0])
    data = b"BM" + struct.pack("<IHHI", 34, 0, 0, 26) + struct.pack("<IHHHH", 12, 2, 1, 1, 24) + row

    assert decode(data, "x", MANY).image.tolist() == [[[3, 2, 1], [6, 5, 4]]]


def test_a_height_that_decoders_read_in_two_ways_is_refused() -> None:
    """Pillow takes a height below -2**24 for one above it: 4 billion rows where we count 16 million."""
    data = BMP[:18] + struct.pack("<ii", 1, -(2**24) - 1) + BMP[26:]

    with pytest.raises(UndecodableImage, match="read in two ways"):
        decode(data, "x", 10**9)
