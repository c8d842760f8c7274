from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import PIL.Image
import pytest

from predictor.imaging.codec import decode
from predictor.imaging.formats.contents import Contents
from predictor.imaging.profiles import LARGEST_PROFILE_BYTES, to_rgb
from tests.unit.imaging import drawn

MANY = 10**6
INKS = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255), (0, 0, 0, 128)]
MAGENTA, RED, WHITE, BLACK = (255, 0, 255), (255, 0, 0), (255, 255, 255), (0, 0, 0)


def patches(inks: Sequence[tuple[int, ...]]) -> PIL.Image.Image:
    """One 16x16 patch per ink, side by side: whole blocks, so that JPEG keeps their colours."""
    return PIL.Image.fromarray(np.repeat(np.repeat([inks], 16, axis=1), 16, axis=0).astype(np.uint8), "CMYK")


def colours(data: bytes, count: int) -> list[tuple[int, ...]]:
    picture = decode(data, "image", MANY)
    return [tuple(int(value) for value in picture.image[8, 8 + 16 * i]) for i in range(count)]


def close(one: tuple[int, ...], other: tuple[int, ...], tolerance: int = 8) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile_has_the_profiles_colours(kind: str) -> None:
    data = drawn.saved(
        patches(INKS), kind, icc_profile=drawn.cmyk_profile(), **({"quality": 95} if kind == "JPEG" else {})
    )

    paper, cyan, magenta, *_ = colours(data, len(INKS))

    assert close(paper, WHITE)
    assert close(magenta, RED)  # this profile's M prints red
    assert close(cyan, BLACK)  # and its C black
    assert decode(data, "image", MANY).profile is None


@pytest.mark.parametrize("profile", [b"", b"broken" * 100, drawn.rgb_profile(), drawn.cmyk_profile()[:200]])
def test_cmyk_without_a_profile_of_its_own_is_converted_plainly(profile: bytes) -> None:
    data = drawn.saved(patches(INKS), "JPEG", quality=95, icc_profile=profile)

    found = colours(data, len(INKS))

    expected = [WHITE, (0, 255, 255), MAGENTA, (255, 255, 0), BLACK, (127, 127, 127)]
    assert all(close(*pair) for pair in zip(found, expected, strict=True))
    assert decode(data, "image", MANY).profile is None


def test_ycck_is_adobes_other_way_to_store_cmyk() -> None:
    stored_inks = [tuple(255 - value for value in ink) for ink in INKS]  # Adobe stores ink inverted
    light = PIL.Image.fromarray(255 - np.array([[ink[:3] for ink in stored_inks]], np.uint8), "RGB").convert("YCbCr")
    planes = np.dstack([np.asarray(light), np.array([[ink[3] for ink in stored_inks]], np.uint8)])
    # Pillow inverts on writing and knows CMYK only: write the planes inverted, then say YCCK in Adobe's segment.
    data = bytearray(
        drawn.saved(patches([tuple(255 - v for v in row) for row in planes[0].tolist()]), "JPEG", quality=95)
    )
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    data[transform] = 2

    found = colours(bytes(data), len(INKS))

    expected = [WHITE, (0, 255, 255), MAGENTA, (255, 255, 0), BLACK, (127, 127, 127)]
    assert all(close(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_grey_with_a_profile_becomes_srgb(kind: str) -> None:
    grey = np.full((32, 32), 55, np.uint8)  # as light 0.2157, in sRGB 0.502 (IEC 61966-2-1)
    data = drawn.saved(PIL.Image.fromarray(grey), kind, icc_profile=drawn.grey_profile())

    picture = decode(data, "image", MANY)

    assert close(tuple(picture.image[16, 16].tolist()), (128, 128, 128), 1)
    assert picture.profile is None


def test_grey_of_16_bits_goes_through_its_profile_with_all_its_levels() -> None:
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)

    rgb, profile = to_rgb(Contents(ramp, "grey", profile=drawn.grey_profile()))

    light = ramp / 65535
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert rgb.dtype == np.uint16
    assert np.abs(rgb[..., 1] / 65535 - srgb)[ramp > 5000].max() < 1.5 / 255
    assert len(np.unique(rgb[..., 1])) > 2000
    assert profile is None


def test_grey_without_a_profile_is_repeated() -> None:
    grey = drawn.drawing()[..., 0]

    rgb, profile = to_rgb(Contents(grey, "grey"))

    assert np.array_equal(rgb, np.dstack([grey] * 3))
    assert profile is None


def test_lab_has_the_colours_it_was_made_from() -> None:
    data = drawn.files()["tiff lab"]

    found = decode(data, "image", MANY).image

    # Eight bits of a* and b* are coarser than those of RGB.
    smooth = np.ones(found.shape[:2], bool)
    assert np.abs(found.astype(int) - drawn.drawing())[smooth].mean() < 4


@pytest.mark.parametrize("profile", [b"no profile at all", drawn.grey_profile(), drawn.cmyk_profile(), b"x" * 500])
def test_a_profile_that_is_not_for_rgb_is_not_kept(profile: bytes) -> None:
    samples = drawn.drawing()

    rgb, kept = to_rgb(Contents(samples, "rgb", profile=profile))

    assert rgb is samples
    assert kept is None


def test_a_profile_beyond_bounds_is_dropped_and_costs_no_memory() -> None:
    profile = drawn.rgb_profile(LARGEST_PROFILE_BYTES + 1)
    data = drawn.saved(drawn.pillow(), "PNG", icc_profile=profile)

    assert decode(data, "image", MANY).profile is None
    assert (
        decode(drawn.saved(drawn.pillow(), "PNG", icc_profile=drawn.rgb_profile()), "image", MANY).profile is not None
    )
