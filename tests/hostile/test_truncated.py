"""Every format, cut at every byte."""

from __future__ import annotations

import pytest

from predictor.errors import ImageTooLarge, UndecodableImage, UnsupportedImage
from predictor.imaging.codec import decode, probe
from tests.hostile.files import small

MANY = 10**6


@pytest.mark.parametrize("name", small())
def test_a_file_that_was_cut_is_undecodable_wherever_that_was(name: str) -> None:
    data = small()[name]
    # After its last pixel a BMP has up to three bytes that mean nothing.
    filling = 3 if name in {"bmp", "bmp palette"} else 0
    assert decode(data, "image", MANY).image.size

    for cut in range(len(data) - filling):
        # of very few bytes nobody can tell what they began
        with pytest.raises((UndecodableImage, UnsupportedImage) if cut < 12 else UndecodableImage):
            decode(data[:cut], "image", MANY)


@pytest.mark.parametrize("name", small())
def test_the_header_of_a_file_that_was_cut_says_the_same_or_nothing(name: str) -> None:
    data = small()[name]
    whole = probe(data, "image")

    for cut in range(len(data)):
        try:
            header = probe(data[:cut], "image")
        except (UndecodableImage, UnsupportedImage):
            continue
        assert header == whole


@pytest.mark.parametrize("name", small())
def test_every_byte_may_be_another_one(name: str) -> None:
    """Each byte once with all its bits turned: a picture of the size its header says, or a typed error."""
    data = small()[name]

    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        try:
            picture = decode(changed, "image", MANY)
        except (UndecodableImage, UnsupportedImage):
            continue
        except ImageTooLarge:
            assert probe(changed, "image").pixels > MANY
            continue
        header = probe(changed, "image")
        assert picture.image.shape == (header.height, header.width, 3)
