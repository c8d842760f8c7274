from __future__ import annotations

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
