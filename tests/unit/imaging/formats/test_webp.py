from __future__ import annotations

import struct

import numpy as np
import pytest

from predictor.errors import UndecodableImage
from predictor.imaging.codec import Picture, decode, encode, probe
from predictor.options import OutputOptions
from tests.unit.imaging import drawn

MANY = 10**6


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}, {"quality": 80, "xmp": b"<x/>"}])
@pytest.mark.parametrize("alpha", [False, True])
def test_all_three_kinds_of_header_are_read(options: dict[str, object], *, alpha: bool) -> None:
    data = drawn.saved(drawn.with_alpha() if alpha else drawn.pillow(), "WEBP", **options)

    header = probe(data, "x")

    assert (header.width, header.height) == (drawn.WIDTH, drawn.HEIGHT)


def test_a_file_of_very_many_chunks_is_given_up() -> None:
    body = drawn.files()["webp"][8:] + b"junk\0\0\0\0" * 50_000

    with pytest.raises(UndecodableImage, match="50,000 chunks"):
        probe(b"RIFF" + struct.pack("<I", len(body)) + body, "x")


def test_the_first_frame_of_an_animation_is_taken() -> None:
    first, second = drawn.pillow(), drawn.pillow().rotate(180)
    data = drawn.saved(first, "WEBP", save_all=True, append_images=[second], lossless=True)

    assert np.array_equal(decode(data, "x", MANY).image, drawn.drawing())


def test_colours_under_transparent_pixels_are_kept() -> None:
    picture = Picture(drawn.drawing(), "png", np.zeros((drawn.HEIGHT, drawn.WIDTH), np.uint8))

    again = decode(encode(picture, OutputOptions("webp", 100), None), "x", MANY)

    assert np.abs(again.image[..., 1].astype(int) - picture.image[..., 1]).mean() < 5
