from __future__ import annotations

import struct
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from predictor.errors import UndecodableImage, UnsupportedImage
from predictor.imaging.codec import decode, probe
from tests.unit.imaging import drawn

MANY = 10**6
BASELINE, PROGRESSIVE = drawn.files()["jpeg"], drawn.files()["jpeg progressive"]


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE])
def test_what_follows_the_end_of_the_image_does_not_matter(data: bytes) -> None:
    assert np.array_equal(decode(data + b"a second picture", "x", MANY).image, decode(data, "x", MANY).image)


def test_an_end_inside_metadata_is_not_the_end_of_the_image() -> None:
    thumbnail = b"\xff\xe1\x00\x0aExif\0\0\xff\xd9"
    data = BASELINE[:2] + thumbnail + BASELINE[2:]

    assert probe(data, "x").width == drawn.WIDTH
    with pytest.raises(UndecodableImage):
        decode(data[:-2], "x", MANY)


@pytest.mark.parametrize("junk", [b"\xff\xc0", b"\xff\x02\x00\x00", b"\xff\xe5\xff\xff"])
def test_junk_between_the_pixels_is_noticed(junk: bytes) -> None:
    middle = BASELINE.index(b"\xff\xda") + 200

    with pytest.raises(UndecodableImage):
        decode(BASELINE[:middle] + junk + BASELINE[middle + len(junk) :], "x", MANY)


def test_a_file_of_very_many_scans_is_given_up() -> None:
    last = PROGRESSIVE.rindex(b"\xff\xda")
    scan = PROGRESSIVE[last:-2]

    with pytest.raises(UndecodableImage, match="100 scans"):
        decode(PROGRESSIVE[:-2] + scan * 100 + b"\xff\xd9", "x", MANY)


def test_a_height_that_only_comes_after_the_pixels_is_no_header() -> None:
    frame = BASELINE.index(b"\xff\xc0")
    data = BASELINE[: frame + 5] + b"\0\0" + BASELINE[frame + 7 :]

    with pytest.raises(UndecodableImage, match="no pixels"):
        probe(data, "x")


def test_twelve_bits_are_named_and_not_taken() -> None:
    frame = BASELINE.index(b"\xff\xc0")
    data = BASELINE[: frame + 4] + b"\x0c" + BASELINE[frame + 5 :]

    with pytest.raises(UnsupportedImage, match="JPEG with 3 components of 12 bits"):
        probe(data, "x")


def test_a_profile_with_a_missing_piece_is_dropped() -> None:
    data = drawn.saved(drawn.pillow(), "JPEG", icc_profile=drawn.rgb_profile(200_000))
    second = data.index(b"ICC_PROFILE\0\x02")

    broken = data[: second + 12] + b"\x07" + data[second + 13 :]

    assert decode(data, "x", MANY).profile == drawn.rgb_profile(200_000)
    assert decode(broken, "x", MANY).profile is None


def test_a_broken_exif_block_does_not_refuse_the_picture() -> None:
    data = BASELINE[:2] + b"\xff\xe1\x00\x10Exif\0\0MM\0*\xff\xff\xff\xff" + BASELINE[2:]

    assert probe(data, "x").width == drawn.WIDTH


WHOLE = {
    "420": drawn.saved(drawn.pillow(), "JPEG", quality=30),
    "444": BASELINE,
    "grey": drawn.files()["jpeg grey"],
    "cmyk": drawn.files()["jpeg cmyk"],
    "restarts": drawn.saved(drawn.pillow(), "JPEG", restart_marker_blocks=2),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_picture_is_noticed_though_somebody_put_an_end_behind_it(name: str) -> None:
    data = WHOLE[name]
    first = data.rindex(b"\xff\xda") + 16
    assert decode(data, "x", MANY).image.size

    for cut in range(first, len(data) - 18):  # within its last 16 bytes a decoder may find what it needs in padding
        with pytest.raises(UndecodableImage):
            decode(data[:cut] + b"\xff\xd9", "x", MANY)


@pytest.mark.parametrize("marker", [b"\xff\xd0", b"\xff\xd8", b"\xff\x01", b"\xff\xd9", b"\xff\x00"])
def test_a_second_header_cannot_hide_behind_a_marker_that_has_no_length(marker: bytes) -> None:
    """Decoders do not take two bytes behind it for a length: they would find the large header, we the small one."""
    start = BASELINE.index(b"\xff\xc0")
    (length,) = struct.unpack_from(">H", BASELINE, start + 2)
    small = BASELINE[start : start + 2 + length]
    large = small[:5] + struct.pack(">HH", 30_000, 30_000) + small[9:] + b"\xff\xfe" + struct.pack(">H", 2 + len(small))
    data = BASELINE[:start] + marker + struct.pack(">H", 2 + len(large)) + large + BASELINE[start:]

    for read in (probe, lambda data, field: decode(data, field, MANY)):
        with pytest.raises(UndecodableImage, match="header is damaged"):
            read(data, "x")


def test_two_headers_are_one_too_many() -> None:
    start, end = BASELINE.index(b"\xff\xc0"), BASELINE.index(b"\xff\xc4")
    frame = BASELINE[start:end]

    with pytest.raises(UndecodableImage, match="header is damaged"):
        probe(BASELINE[:start] + frame + BASELINE[start:], "x")


def test_metadata_never_reach_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Mock(wraps=cv2.imdecode)
    monkeypatch.setattr(cv2, "imdecode", decoder)
    extra = b"".join(b"\xff" + bytes([marker]) + b"\0\x08secret" for marker in (0xE1, 0xE2, 0xED, 0xFE))

    picture = decode(BASELINE[:20] + extra + BASELINE[20:], "x", MANY)

    seen = decoder.call_args.args[0].tobytes()
    assert np.array_equal(picture.image, decode(BASELINE, "x", MANY).image)
    assert picture.profile == decode(BASELINE, "x", MANY).profile
    assert b"secret" not in seen
    assert b"ICC_PROFILE" not in seen
    assert seen.startswith(b"\xff\xd8\xff\xe0\0\x10JFIF")
