from __future__ import annotations

import numpy as np
import pytest

from predictor.imaging.planes import to_planes, write_pixels


def test_every_pixel_comes_back_as_it_went_in(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (19, 33, 3), np.uint8)

    planes = to_planes(image)
    back = np.zeros_like(image)
    write_pixels(planes[0], back)

    assert planes.shape == (1, 3, 19, 33)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    assert (planes.min(), planes.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(back, image)


def test_a_picture_may_be_a_part_of_another(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)

    np.testing.assert_array_equal(to_planes(image[5:30, 7:20]), to_planes(image[5:30, 7:20].copy()))


@pytest.mark.parametrize(
    ("value", "level"), [(-3.0, 0), (-0.001, 0), (0.4 / 255, 0), (0.6 / 255, 1), (0.6, 153), (1.001, 255), (1e30, 255)]
)
def test_values_are_rounded_to_the_nearest_level_and_held_in_range(value: float, level: int) -> None:
    region = np.zeros((2, 3, 3), np.uint8)

    write_pixels(np.full((3, 2, 3), value, np.float32), region)

    assert (region == level).all()


def test_only_the_region_is_written_to(rng: np.random.Generator) -> None:
    canvas = np.full((20, 30, 3), 7, np.uint8)
    planes = rng.random((3, 12, 14), np.float32)

    write_pixels(planes[:, 1:-1, 2:-2], canvas[4:14, 3:13])

    expected = np.full((20, 30, 3), 7, np.uint8)
    expected[4:14, 3:13] = np.rint(planes[:, 1:-1, 2:-2] * 255).transpose(1, 2, 0)
    np.testing.assert_array_equal(canvas, expected)


def test_halves_are_rounded_as_numpy_rounds_them() -> None:
    values = ((np.arange(255) + np.float32(0.5)) / np.float32(255)).astype(np.float32)
    region = np.zeros((1, 255, 3), np.uint8)

    write_pixels(np.broadcast_to(values, (3, 1, 255)), region)

    np.testing.assert_array_equal(region[0, :, 0], np.rint(values * np.float32(255)))
