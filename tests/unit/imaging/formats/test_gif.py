from __future__ import annotations

import struct
from unittest.mock import Mock

import numpy as np
import pytest
from PIL.GifImagePlugin import GifImageFile

from predictor.errors import UndecodableImage
from predictor.imaging.codec import decode, probe
from predictor.imaging.formats import gif
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


@pytest.mark.parametrize("junk", [b"!\xfe" + b"\x01x" * 2**20 + b"\0", b"!\x01\0" * 2**20], ids=["in one", "one each"])
def test_a_file_of_very_many_blocks_is_given_up(junk: bytes) -> None:
    start = GIF.index(b",", 13 + 3 * 32)

    with pytest.raises(UndecodableImage, match="1,048,576 blocks"):
        probe(GIF[:start] + junk + GIF[start:], "x")


def test_an_empty_extension_hides_no_other_frame() -> None:
    """Pillow takes the block behind an empty one for a part of it, and so finds another frame than we do."""
    start = 13 + 3 * 32
    other = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\0"
    hidden = b"!\xfe" + bytes([len(other)]) + other + b"\0"
    data = GIF[:start] + b"!\x01\0" + hidden + GIF[start:]

    assert (probe(data, "x").width, probe(data, "x").height) == (drawn.WIDTH, drawn.HEIGHT)
    assert np.array_equal(decode(data, "x", MANY).image, decode(GIF, "x", MANY).image)


def test_text_between_the_blocks_never_reaches_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Mock(wraps=GifImageFile)
    monkeypatch.setattr(gif, "GifImageFile", reader)
    start = 13 + 3 * 32

    picture = decode(GIF[:start] + b"!\xfe\x06secret\0" + GIF[start:-1] + b"!\xfe\x05later\0;", "x", MANY)

    seen = reader.call_args.args[0].getvalue()
    assert np.array_equal(picture.image, decode(GIF, "x", MANY).image)
    assert b"secret" not in seen
    assert b"later" not in seen
