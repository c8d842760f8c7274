from __future__ import annotations

import struct

import numpy as np
import PIL.Image
import pytest

from predictor.errors import InvalidRequest, UndecodableImage, UnsupportedImage
from predictor.imaging.codec import decode, probe
from tests.unit.imaging import drawn

MANY = 10**6
WIDTH, HEIGHT = 6, 4
SHORT, LONG = 3, 4


def tiff(pixels: bytes, tags: dict[int, tuple[int, ...]], order: str = "<") -> bytes:
    """An uncompressed TIFF of one strip; every value a LONG."""
    found = {256: (WIDTH,), 257: (HEIGHT,), 259: (1,), 273: (8,), 278: (HEIGHT,), 279: (len(pixels),), **tags}
    start = 8 + len(pixels)
    entries, values = b"", b""
    for number in sorted(found):
        value = found[number]
        packed = struct.pack(f"{order}{len(value)}I", *value)
        if len(packed) > 4:
            offset = start + 2 + 12 * len(found) + 4 + len(values)
            values += packed
            packed = struct.pack(f"{order}I", offset)
        entries += struct.pack(f"{order}HHI", number, LONG, len(value)) + packed
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        mark
        + struct.pack(f"{order}I", start)
        + pixels
        + struct.pack(f"{order}H", len(found))
        + entries
        + bytes(4)
        + values
    )


def read(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    picture = decode(data, "x", MANY)
    assert picture.deep is not None
    return picture.deep


def deep(channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH, channels), dtype=np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colours_are_read_in_both_byte_orders(order: str) -> None:
    samples = deep(3)

    data = tiff(samples.astype(f"{order}u2").tobytes(), {258: (16, 16, 16), 262: (2,), 277: (3,)}, order)

    assert np.array_equal(read(data), samples)


@pytest.mark.parametrize(("photometric", "order"), [(1, "<"), (1, ">"), (0, "<")])
def test_16_bit_grey_is_read_whichever_end_is_white(photometric: int, order: str) -> None:
    samples = deep(1)

    found = read(tiff(samples.astype(f"{order}u2").tobytes(), {258: (16,), 262: (photometric,)}, order))

    expected = samples if photometric else 65535 - samples
    assert np.array_equal(found, np.repeat(expected, 3, axis=2))


def test_premultiplied_16_bit_colours_become_straight() -> None:
    straight = deep(3).astype(np.float64)
    alpha = np.linspace(3000, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1).astype(np.uint16)
    stored = np.dstack([np.round(straight * alpha / 65535), alpha]).astype("<u2")

    picture = decode(tiff(stored.tobytes(), {258: (16,) * 4, 262: (2,), 277: (4,), 338: (1,)}), "x", MANY)

    assert picture.deep is not None
    assert np.abs(picture.deep - straight).max() <= 65535 / 3000 / 2 + 1
    assert picture.deep_alpha is not None
    assert np.array_equal(picture.deep_alpha, alpha[..., 0])


def test_premultiplied_8_bit_colours_become_straight() -> None:
    stored = np.tile(np.array([50, 25, 0, 128], np.uint8), (HEIGHT, WIDTH, 1))

    picture = decode(tiff(stored.tobytes(), {258: (8,) * 4, 262: (2,), 277: (4,), 338: (1,)}), "x", MANY)

    assert np.abs(picture.image[0, 0].astype(int) - [100, 50, 0]).max() <= 1
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 128


def test_a_fourth_sample_that_is_no_opacity_is_left_out() -> None:
    samples = deep(4)

    picture = decode(tiff(samples.tobytes(), {258: (16,) * 4, 262: (2,), 277: (4,), 338: (0,)}), "x", MANY)

    assert picture.alpha is None
    assert picture.deep is not None
    assert np.array_equal(picture.deep, samples[..., :3])


@pytest.mark.parametrize(
    "tags",
    [
        {258: (32,), 262: (1,), 339: (3,)},
        {258: (32,), 262: (1,)},
        {258: (16, 16, 16), 262: (8,), 277: (3,)},
        {258: (16, 16, 16), 262: (2,), 277: (3,), 284: (2,)},
        {258: (16,), 262: (1,), 339: (2,)},
        {258: (8, 8, 8), 259: (6,), 262: (6,), 277: (3,)},
    ],
    ids=["floats", "32 bits", "16-bit Lab", "16-bit planes", "signed", "old JPEG"],
)
def test_layouts_that_no_codec_reads_rightly_are_named_and_not_taken(tags: dict[int, tuple[int, ...]]) -> None:
    with pytest.raises(UnsupportedImage, match="TIFF"):
        decode(tiff(bytes(WIDTH * HEIGHT * 8), tags), "x", MANY)


def test_tags_that_claim_the_same_bytes_many_times_are_refused() -> None:
    pixels = bytes(WIDTH * HEIGHT)
    entries = b"".join(struct.pack("<HHII", 40_000 + i, 7, 4_000, 8) for i in range(2_000))
    data = bytearray(tiff(pixels + bytes(4_000), {258: (8,), 262: (1,)}))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    own = bytes(data[start + 2 : start + 2 + 12 * count])
    data[start:] = struct.pack("<H", count + 2_000) + own + entries + bytes(4)

    with pytest.raises(UndecodableImage):
        probe(bytes(data), "x")


def test_huge_tiles_and_millions_of_strips_are_refused() -> None:
    pixels = bytes(WIDTH * HEIGHT)
    with pytest.raises(InvalidRequest, match="huge tiles"):
        probe(tiff(pixels, {258: (8,), 262: (1,), 322: (65536,), 323: (65536,)}), "x")
    with pytest.raises(InvalidRequest, match="65,536 strips"):
        probe(tiff(pixels, {258: (8,), 262: (1,), 273: (8,) * 65_537}), "x")


def test_a_damaged_file_leaves_no_line_of_opencv_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(drawn.files()["tiff 16 bits"])
    data[100:300] = b"\xff" * 200

    with pytest.raises(UndecodableImage):
        decode(bytes(data), "x", MANY)

    assert capfd.readouterr().err == ""


def test_metadata_never_reach_a_decoder() -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "description"
    exif.get_ifd(0x8769)[0x9286] = b"comment"
    data = drawn.saved(drawn.pillow(), "TIFF", exif=exif)

    assert np.array_equal(decode(data, "x", MANY).image, drawn.drawing())
