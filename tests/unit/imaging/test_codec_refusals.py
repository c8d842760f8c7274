from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictor.errors import ImageTooLarge, InvalidRequest, UndecodableImage, UnsupportedImage
from predictor.imaging.codec import decode, probe
from predictor.imaging.formats import READERS, Reader, png
from predictor.imaging.formats.contents import Layout
from tests.unit.imaging import drawn

MANY = 10**6
FILES = drawn.files()

# A few bytes each, as such files begin.
OTHER_KINDS = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
    "HEIF": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40),
    "PSD": b"8BPS\0\x01" + bytes(30),
    "ICO": b"\0\0\x01\0\x01\0\x10\x10" + bytes(30),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30),
    "JPEG XL": b"\xff\x0a" + bytes(30),
    "SVG": b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "PDF": b"%PDF-1.7\n",
    "PostScript": b"%!PS-Adobe-3.0",
    "video": b"\0\0\0\x18ftypisom" + bytes(30),
    "PNM": b"P6\n2 2\n255\n" + bytes(12),
    "BigTIFF": b"II\x2b\0\x08\0\0\0" + bytes(30),
    "QOI": b"qoif" + bytes(30),
}


def huge_png(width: int, height: int) -> bytes:
    """A header that promises much, and the beginning of the pixels."""
    packer = zlib.compressobj(9)
    pixels = packer.compress(bytes(4_000_000)) + packer.flush()
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", ihdr), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(drawn.chunk(*one) for one in chunks)


def test_a_huge_picture_is_refused_from_its_header_without_memory_for_its_pixels() -> None:
    data = huge_png(50_000, 50_000)
    assert len(data) < 10_000

    tracemalloc.start()
    header = probe(data, "image")
    with pytest.raises(ImageTooLarge) as caught:
        decode(data, "image", 64_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (header.width, header.height, header.pixels) == (50_000, 50_000, 2_500_000_000)
    assert caught.value.details == {"limit": 64_000_000, "actual": 2_500_000_000, "field": "image"}
    assert peak < 1_000_000


@pytest.mark.parametrize("name", FILES)
def test_the_limit_counts_pixels_and_is_inclusive(name: str) -> None:
    pixels = drawn.WIDTH * drawn.HEIGHT

    assert decode(FILES[name], "image", pixels).image.size == 3 * pixels
    with pytest.raises(ImageTooLarge):
        decode(FILES[name], "image", pixels - 1)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_picture_of_another_kind_is_named(kind: str) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        probe(OTHER_KINDS[kind], "destinations[2].image")

    assert caught.value.details == {"field": "destinations[2].image", "format": kind}
    with pytest.raises(UnsupportedImage):
        decode(OTHER_KINDS[kind], "image", MANY)


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"hello, world", b"<html><body>404</body></html>", b"BM is no bitmap", bytes(5000)]
)
def test_what_is_no_picture_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableImage) as caught:
        probe(data, "image")

    assert caught.value.details == {"field": "image"}


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_picture_is_undecodable_wherever_it_was_cut(name: str) -> None:
    data = FILES[name]
    cuts = {*range(len(data) - 1, len(data) - 9, -1), *np.random.default_rng(4).integers(20, len(data), 40).tolist()}

    for cut in sorted(cuts):
        with pytest.raises(UndecodableImage):
            decode(data[:cut], "image", MANY)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("png")])
def test_a_damaged_byte_among_the_pixels_of_a_png_is_noticed(name: str) -> None:
    data = bytearray(FILES[name])
    middle = data.rindex(b"IDAT") + 30
    data[middle] ^= 1

    with pytest.raises(UndecodableImage):
        decode(bytes(data), "image", MANY)


def test_our_errors_speak_without_a_librarys_words() -> None:
    with pytest.raises(UndecodableImage) as caught:
        decode(FILES["webp"][:-30], "image", MANY)

    assert caught.value.sentence == "image: the WebP ends early"


def test_no_guard_of_pillows_warns_or_is_changed() -> None:
    before = PIL.Image.MAX_IMAGE_PIXELS
    data = huge_png(10_000, 10_000)  # Pillow would warn from 89 million pixels on; warnings are errors here

    probe(data, "image")
    with pytest.raises(UndecodableImage):
        decode(data, "image", 10**9)

    assert before == PIL.Image.MAX_IMAGE_PIXELS


def test_a_decoder_that_disagrees_with_the_header_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "png", Reader(lambda _: Layout("png", 9, 9), png.decode, "png"))

    with pytest.raises(UndecodableImage, match="disagree"):
        decode(FILES["png"], "image", MANY)


def picture_or_our_error(data: bytes) -> None:
    try:
        picture = decode(data, "image", MANY)
    except InvalidRequest as error:
        assert isinstance(error, UndecodableImage | UnsupportedImage | ImageTooLarge)  # noqa: PT017
    else:
        header = probe(data, "image")
        assert picture.image.shape == (header.height, header.width, 3)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_picture_or_one_of_our_errors(data: bytes) -> None:
    picture_or_our_error(data)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([data[:40] for data in FILES.values()]), st.integers(2, 40), st.binary(max_size=300))
def test_any_bytes_after_a_good_beginning_give_a_picture_or_one_of_our_errors(
    good: bytes, kept: int, rest: bytes
) -> None:
    picture_or_our_error(good[:kept] + rest)


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(FILES)),
    damages=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    in_the_head=st.booleans(),
)
def test_damaged_files_give_a_picture_or_one_of_our_errors(
    name: str, damages: list[tuple[float, int]], *, in_the_head: bool
) -> None:
    data = bytearray(FILES[name])
    reach = min(len(data), 150) if in_the_head else len(data)
    for where, value in damages:
        data[int(where * reach)] = value

    picture_or_our_error(bytes(data))
