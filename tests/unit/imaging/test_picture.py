from __future__ import annotations

import tracemalloc

import numpy as np

from predictor.imaging.picture import Picture, rounded
from tests.unit.imaging import drawn


def deep_picture() -> Picture:
    deep = drawn.deep_colours(4)
    return Picture(rounded(deep[..., :3]), "png", rounded(deep[..., 3]), deep[..., :3].copy(), deep[..., 3].copy())


def test_rounding_takes_the_nearest_8_bit_value_of_every_16_bit_one() -> None:
    every = np.arange(65536, dtype=np.uint16)

    assert np.array_equal(rounded(every), np.round(every / 257).astype(np.uint8))


def test_unchanged_pixels_keep_their_16_bits_and_changed_ones_their_low_bits() -> None:
    picture = deep_picture()
    image = picture.image.copy()
    image[5:9, 5:9] = np.clip(image[5:9, 5:9], 10, 200) + 7

    changed = picture.with_image(image)

    outside = np.ones(image.shape[:2], bool)
    outside[5:9, 5:9] = False
    assert picture.deep is not None
    assert changed.deep is not None
    assert np.array_equal(changed.deep[outside], picture.deep[outside])
    steps = (image[5:9, 5:9].astype(int) - picture.image[5:9, 5:9]) * 257
    expected = np.clip(picture.deep[5:9, 5:9] + steps, 0, 65535)
    assert np.array_equal(changed.deep[5:9, 5:9], expected)
    assert np.array_equal(changed.image, image)


def test_16_bits_of_a_large_picture_take_no_more_memory_than_the_results() -> None:
    deep = np.full((1500, 2000, 3), 1000, np.uint16)

    tracemalloc.start()
    picture = Picture(rounded(deep), "png", deep=deep)
    changed = picture.with_image(picture.image + np.uint8(1))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert changed.deep is not None
    assert (changed.deep == 1257).all()
    assert peak < held + deep.nbytes


def test_16_bits_do_not_wrap_around() -> None:
    deep = np.full((2, 2, 3), 65_300, np.uint16)
    picture = Picture(rounded(deep), "png", deep=deep)

    darkest = picture.with_image(np.zeros((2, 2, 3), np.uint8))
    brightest = Picture(np.zeros((2, 2, 3), np.uint8), "png", deep=np.full((2, 2, 3), 100, np.uint16)).with_image(
        np.full((2, 2, 3), 255, np.uint8)
    )

    assert darkest.deep is not None
    assert brightest.deep is not None
    assert darkest.deep.max() == 65_300 - 254 * 257
    assert brightest.deep.min() == 65_535


def test_opacity_is_kept_in_all_its_bits() -> None:
    picture = deep_picture()

    changed = picture.with_image(np.zeros_like(picture.image))

    assert picture.deep_alpha is not None
    assert changed.alpha is picture.alpha
    assert changed.deep_alpha is picture.deep_alpha


def test_another_size_has_8_bits_and_its_opacity_grows_with_it() -> None:
    picture = deep_picture()
    enlarged = np.repeat(np.repeat(picture.image, 2, axis=0), 2, axis=1)

    changed = picture.with_image(enlarged)

    assert changed.deep is None
    assert changed.deep_alpha is None
    assert changed.alpha is not None
    assert changed.alpha.shape == enlarged.shape[:2]
    assert picture.alpha is not None
    assert abs(float(changed.alpha.mean()) - float(picture.alpha.mean())) < 2


def test_everything_else_stays() -> None:
    picture = Picture(drawn.drawing(), "tiff", profile=b"profile")

    changed = picture.with_image(drawn.drawing()[:10])

    assert (changed.format, changed.profile, changed.alpha) == ("tiff", b"profile", None)
