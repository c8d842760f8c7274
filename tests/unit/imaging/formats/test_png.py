from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from predictor.errors import UndecodableImage
from predictor.imaging.codec import decode
from predictor.imaging.formats.contents import BrokenPictureError
from predictor.imaging.formats.png import read_layout
from predictor.imaging.profiles import LARGEST_PROFILE_BYTES
from tests.unit.imaging import drawn
from tests.unit.imaging.drawn import chunk, png

MANY = 10**6
SIZE = (16, 4)
ROWS = np.random.default_rng(1).integers(0, 256, (4, 16 * 8), dtype=np.uint8)


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (2, 4), (4, 16), (8, 256)])
def test_grey_of_few_bits_spans_black_to_white_and_its_key_is_transparent(bits: int, levels: int) -> None:
    rows = [row[: SIZE[0] * bits // 8].tobytes() for row in ROWS]
    bitplanes = np.unpackbits(ROWS[:, : SIZE[0] * bits // 8], axis=1).reshape(4, 16, bits)
    values = bitplanes @ (1 << np.arange(bits)[::-1])
    key = int(values[1, 2])

    picture = decode(png(SIZE, bits, 0, rows, chunk(b"tRNS", struct.pack(">H", key))), "image", MANY)

    assert np.array_equal(picture.image[..., 0], values * 255 // (levels - 1))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, values == key)
    assert set(np.unique(picture.alpha)) <= {0, 255}


def test_a_key_colour_of_8_bit_rgb_is_transparent() -> None:
    rows = [row[: 16 * 3].tobytes() for row in ROWS]

    picture = decode(png(SIZE, 8, 2, rows, chunk(b"tRNS", struct.pack(">3H", *ROWS[2, 9:12].tolist()))), "image", MANY)

    assert picture.alpha is not None
    assert picture.alpha[2, 3] == 0
    assert (picture.alpha == 0).sum() == 1


@pytest.mark.parametrize("colour_type", [0, 2])
def test_a_key_colour_of_16_bits_is_transparent_in_16_bits(colour_type: int) -> None:
    width = 1 if colour_type == 0 else 3
    rows = [row[: 16 * 2 * width].tobytes() for row in ROWS]

    picture = decode(png(SIZE, 16, colour_type, rows, chunk(b"tRNS", ROWS[0, : 2 * width].tobytes())), "image", MANY)

    assert picture.deep_alpha is not None
    assert picture.deep_alpha[0, 0] == 0
    assert (picture.deep_alpha == 65535).sum() == 63
    assert picture.deep is not None
    assert np.array_equal(picture.deep[..., 0], ROWS[:, : 32 * width].view(">u2")[:, ::width])


def test_grey_with_opacity_of_16_bits_keeps_both() -> None:
    picture = decode(png(SIZE, 16, 4, [row[: 16 * 4].tobytes() for row in ROWS]), "image", MANY)

    samples = ROWS[:, : 16 * 4].view(">u2")
    assert picture.deep is not None
    assert picture.deep_alpha is not None
    assert np.array_equal(picture.deep[..., 2], samples[:, ::2])
    assert np.array_equal(picture.deep_alpha, samples[:, 1::2])


def test_grey_with_opacity_goes_through_its_grey_profile() -> None:
    rows = [struct.pack(">2H", 55 * 257, 40_000) * 16] * 4

    picture = decode(
        png(SIZE, 16, 4, rows, chunk(b"iCCP", b"x\0\0" + zlib.compress(drawn.grey_profile()))), "image", MANY
    )

    assert np.abs(picture.image.astype(int) - 128).max() <= 1
    assert picture.deep_alpha is not None
    assert (picture.deep_alpha == 40_000).all()


@pytest.mark.parametrize("name", [b"PLTE", b"tRNS"])
def test_damaged_colours_and_transparency_are_noticed(name: bytes) -> None:
    data = bytearray(drawn.files()["png palette transparent"])
    data[data.index(name) + 9] ^= 1

    with pytest.raises(UndecodableImage, match="damaged"):
        decode(bytes(data), "image", MANY)


def test_text_bombs_and_broken_metadata_neither_cost_nor_refuse() -> None:
    bomb = zlib.compress(bytes(100_000_000), 9)
    good = drawn.files()["png"]
    extra = chunk(b"zTXt", b"Comment\0\0" + bomb) + chunk(b"iCCP", b"bomb\0\0" + bomb) + chunk(b"eXIf", b"junk")

    tracemalloc.start()
    picture = decode(good[:33] + extra + good[33:], "image", MANY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert np.array_equal(picture.image, drawn.drawing())
    assert picture.profile is None
    assert peak < 4 * LARGEST_PROFILE_BYTES


def test_only_the_first_picture_of_an_animation_is_read() -> None:
    good = drawn.files()["png"]
    control = chunk(b"acTL", struct.pack(">II", 2, 0))

    assert np.array_equal(decode(good[:33] + control + good[33:], "image", MANY).image, drawn.drawing())


def test_pixels_that_end_early_are_noticed_though_every_chunk_is_whole() -> None:
    with pytest.raises(UndecodableImage):
        decode(png((16, 40), 8, 2, [row[:48].tobytes() for row in ROWS]), "image", MANY)
    with pytest.raises(UndecodableImage):
        decode(png((16, 40), 16, 2, [row[:96].tobytes() for row in ROWS]), "image", MANY)


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"tRNS"])
def test_a_chunk_of_which_there_is_one_comes_once(capfd: pytest.CaptureFixture[str], name: bytes) -> None:
    good = drawn.files()["png palette transparent"]
    start = good.index(name) - 4
    again = good[start : start + 12 + int.from_bytes(good[start : start + 4], "big")]

    with pytest.raises(UndecodableImage, match="damaged"):
        decode(good[:start] + again * 1000 + good[start:], "image", MANY)

    assert capfd.readouterr().err == ""


def test_a_file_of_empty_chunks_is_given_up() -> None:
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"none", b"") * 100_001

    with pytest.raises(BrokenPictureError, match="100000 chunks"):
        read_layout(data)
