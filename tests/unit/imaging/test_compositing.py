from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.faces import AffineMatrix, Image, Mask
from predictor.imaging.alignment import FFHQ_512, align
from predictor.imaging.compositing import Region, _warped_into, paste_back, region_of
from predictor.imaging.masks import feathered, soft_square


def _shifted(x: float, y: float, scale: float = 1.0) -> AffineMatrix:
    """From the picture to a crop whose first pixel lies at (x, y)."""
    return np.array([[scale, 0.0, -x * scale], [0.0, scale, -y * scale]])


def _white(size: int) -> Image:
    return np.full((size, size, 3), 255, np.uint8)


def _disc(size: int) -> Mask:
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    return feathered(np.hypot(rows, columns) < size * 0.45, size * 0.1)


@pytest.fixture
def canvas(rng: np.random.Generator) -> Image:
    return rng.integers(0, 256, (90, 120, 3), np.uint8)


def test_a_crop_that_is_shifted_by_whole_pixels_lands_exactly_there(canvas: Image, rng: np.random.Generator) -> None:
    crop = rng.integers(0, 256, (32, 32, 3), np.uint8)
    hard = np.zeros((32, 32), np.float32)
    hard[4:28, 4:28] = 1.0

    mask = paste_back(canvas, crop, hard, _shifted(40, 20))

    np.testing.assert_array_equal(canvas[24:48, 44:68], crop[4:28, 4:28])
    np.testing.assert_array_equal(mask[24:48, 44:68], 1.0)
    assert mask.sum() == pytest.approx(24 * 24)


@pytest.mark.parametrize("matrix", [_shifted(40, 20), _shifted(33.3, 18.7, 1.7), _shifted(50, 40, 0.6)])
def test_where_the_mask_is_0_every_pixel_stays_bit_for_bit(canvas: Image, matrix: AffineMatrix) -> None:
    before = canvas.copy()

    mask = paste_back(canvas, _white(32), _disc(32), matrix)

    np.testing.assert_array_equal(canvas[mask == 0], before[mask == 0])
    assert (canvas != before).any()
    assert mask.shape == canvas.shape[:2]


def test_half_a_mask_gives_the_middle_of_both(canvas: Image) -> None:
    canvas[:] = 100
    half = np.full((32, 32), 0.5, np.float32)

    paste_back(canvas, np.full((32, 32, 3), 200, np.uint8), half, _shifted(40, 20))

    assert (canvas[30:40, 50:60] == 150).all()


@pytest.mark.parametrize(("x", "y"), [(-16, 10), (10, -16), (100, 10), (10, 70), (-10, -10)])
def test_a_crop_that_reaches_beyond_the_picture_is_cut_off(canvas: Image, x: float, y: float) -> None:
    before = canvas.copy()

    mask = paste_back(canvas, _white(32), np.ones((32, 32), np.float32), _shifted(x, y))

    inside = np.zeros(canvas.shape[:2], bool)
    inside[max(0, int(y)) : int(y) + 32, max(0, int(x)) : int(x) + 32] = True
    assert (canvas[inside] == 255).all()
    np.testing.assert_array_equal(canvas[mask == 0], before[mask == 0])


@pytest.mark.parametrize("matrix", [_shifted(500, 10), _shifted(-80, -80)])
def test_a_crop_beside_the_picture_changes_nothing(canvas: Image, matrix: AffineMatrix) -> None:
    before = canvas.copy()

    mask = paste_back(canvas, _white(32), np.ones((32, 32), np.float32), matrix)

    np.testing.assert_array_equal(canvas, before)
    assert mask.max() == 0.0


def test_an_empty_mask_changes_nothing(canvas: Image) -> None:
    before = canvas.copy()

    paste_back(canvas, _white(32), np.zeros((32, 32), np.float32), _shifted(40, 20))

    np.testing.assert_array_equal(canvas, before)


def test_only_the_masks_own_rectangle_is_worked_on() -> None:
    mask = np.zeros((100, 100), np.float32)
    mask[40:60, 30:50] = 1.0

    region = region_of(mask, _shifted(1000, 500, 2.0), 4000, 3000)

    assert (region.left, region.top) == (1013, 518)
    assert region.width <= 15
    assert region.height <= 15


def test_a_turned_disc_has_the_rectangle_of_the_disc_not_of_its_crop() -> None:
    turn = np.array([[0.8, -0.6, -100.0], [0.6, 0.8, -700.0]])

    region = region_of(_disc(300), turn, 4000, 3000)

    assert 270 <= region.width <= 275
    assert 270 <= region.height <= 275


@given(st.floats(-np.pi, np.pi), st.floats(0.2, 6.0), st.floats(20, 60), st.floats(20, 60), st.integers(0, 2**32 - 1))
def test_a_mask_reaches_nothing_outside_its_rectangle(
    angle: float, scale: float, x: float, y: float, seed: int
) -> None:
    spots = np.random.default_rng(seed).random((24, 24)) > 0.97
    mask = spots.astype(np.float32)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, -linear @ (x, y) + 12])
    everywhere = Region(0, 0, 90, 80)

    region = region_of(mask, matrix, 90, 80)

    whole = _warped_into(mask, matrix, everywhere, cv2.BORDER_CONSTANT)
    whole[region.slices] = 0.0
    assert not whole.any()


def test_a_crop_much_larger_than_its_place_is_shrunk_without_moire() -> None:
    canvas = np.zeros((60, 60, 3), np.uint8)
    rows, columns = np.indices((300, 300)) // 2
    stripes = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)

    paste_back(canvas, stripes, np.ones((300, 300), np.float32), _shifted(5, 5, 7.0))

    assert canvas[15:40, 15:40].std() < 20
    assert canvas[15:40, 15:40].mean() == pytest.approx(127.5, abs=4.0)


def test_a_rotated_crop_comes_back_to_where_it_was_cut_out(astronaut: Image) -> None:
    turn = np.deg2rad(25)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = ((FFHQ_512.points - 256) * 0.35 @ rotation.T + (225, 115)).astype(np.float32)
    crop = align(astronaut, landmarks, FFHQ_512)
    canvas = astronaut.copy()

    mask = paste_back(canvas, crop.image, soft_square(512), crop.matrix)

    difference = np.abs(canvas.astype(int) - astronaut)[mask > 0.9]
    assert difference.mean() < 3.0
    assert cv2.PSNR(canvas, astronaut) > 36.0
