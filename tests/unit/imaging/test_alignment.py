from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.errors import DegenerateLandmarks
from predictor.faces import Image, Landmarks
from predictor.imaging.alignment import (
    ARCFACE_112,
    ARCFACE_128,
    FFHQ_512,
    align,
    inverted,
    prefiltered,
    scale_of,
    similarity,
    transformed,
)


def _moved(points: Landmarks, degrees: float, scale: float, shift: tuple[float, float]) -> Landmarks:
    turn = np.deg2rad(degrees)
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points @ rotation.T + shift).astype(np.float32)


def _checkerboard(size: int, square: int) -> Image:
    rows, columns = np.indices((size, size)) // square
    return np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("degrees", [0.0, 30.0, -100.0, 180.0])
def test_similarity_finds_the_way_that_points_were_moved(degrees: float) -> None:
    moved = _moved(ARCFACE_112.points, degrees, 2.5, (40.0, -7.0))

    matrix = similarity(ARCFACE_112.points, moved)

    np.testing.assert_allclose(transformed(ARCFACE_112.points, matrix), moved, atol=1e-3)
    assert scale_of(matrix) == pytest.approx(2.5, rel=1e-5)


def test_similarity_never_mirrors() -> None:
    mirrored = ARCFACE_112.points * np.array([-1, 1], np.float32)

    matrix = similarity(ARCFACE_112.points, mirrored)

    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
def test_points_on_one_spot_or_nowhere_cannot_be_aligned(points: Landmarks) -> None:
    with pytest.raises(DegenerateLandmarks):
        similarity(points.astype(np.float32), ARCFACE_112.points)


def test_inverted_leads_back() -> None:
    matrix = similarity(_moved(ARCFACE_112.points, 20.0, 0.7, (3.0, 4.0)), ARCFACE_128.points)

    there_and_back = transformed(transformed(FFHQ_512.points, matrix), inverted(matrix))

    np.testing.assert_allclose(there_and_back, FFHQ_512.points, atol=1e-2)


def test_scaled_templates_keep_pixel_centres() -> None:
    doubled = ARCFACE_112.scaled(224)

    np.testing.assert_allclose(doubled.points + 0.5, (ARCFACE_112.points + 0.5) * 2, atol=1e-4)
    assert doubled.size == 224


def test_widened_templates_show_more_around_the_same_centre() -> None:
    wide = FFHQ_512.widened(2.0)

    centre = (FFHQ_512.size - 1) / 2
    np.testing.assert_allclose(wide.points - centre, (FFHQ_512.points - centre) / 2, atol=1e-4)


def test_align_puts_the_landmarks_where_the_template_wants_them(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (300, 400, 3), np.uint8)
    landmarks = _moved(ARCFACE_112.points, 12.0, 1.3, (90.0, 60.0))

    crop = align(image, landmarks, ARCFACE_112)

    assert crop.image.shape == (112, 112, 3)
    np.testing.assert_allclose(crop.landmarks, ARCFACE_112.points, atol=1e-2)


def test_a_face_at_the_pictures_edge_is_continued_with_its_nearest_pixels() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, :5] = (10, 200, 30)
    landmarks = (ARCFACE_112.points / 2 + (-30, 0)).astype(np.float32)

    crop = align(image, landmarks, ARCFACE_112)

    assert (crop.image[56, 2] == (10, 200, 30)).all()


def test_the_crop_is_the_same_wherever_in_a_large_picture_the_face_is(rng: np.random.Generator) -> None:
    face = rng.integers(0, 256, (200, 200, 3), np.uint8)
    large = rng.integers(0, 256, (900, 1200, 3), np.uint8)
    large[500:700, 700:900] = face
    landmarks = (ARCFACE_112.points * 1.2 + 20).astype(np.float32)

    alone, within = (
        align(face, landmarks, ARCFACE_112),
        align(large, landmarks + np.array([700, 500], np.float32), ARCFACE_112),
    )

    assert np.abs(alone.image[10:-10, 10:-10].astype(int) - within.image[10:-10, 10:-10]).max() <= 1


def test_a_face_much_larger_than_its_crop_is_shrunk_without_moire() -> None:
    image = _checkerboard(1120, 3)
    landmarks = (ARCFACE_112.points * 10).astype(np.float32)

    crop = align(image, landmarks, ARCFACE_112).image
    plain = cv2.warpAffine(image, similarity(landmarks, ARCFACE_112.points), (112, 112))

    assert plain.std() > 60
    assert crop.std() < 15
    assert crop.mean() == pytest.approx(127.5, abs=2.0)


def test_shrinking_first_moves_nothing() -> None:
    image = np.zeros((400, 300, 3), np.uint8)
    cv2.circle(image, (200, 100), 30, (255, 255, 255), -1)
    matrix = np.array([[0.2, 0.0, 5.0], [0.0, 0.2, 3.0]])

    smaller, way = prefiltered(image, matrix)
    seen = cv2.warpAffine(smaller, way, (80, 90))

    centre = cv2.moments(seen[..., 0])
    assert smaller.shape[0] < 400
    assert centre["m10"] / centre["m00"] == pytest.approx(200 * 0.2 + 5, abs=0.1)
    assert centre["m01"] / centre["m00"] == pytest.approx(100 * 0.2 + 3, abs=0.1)


def test_a_warp_that_enlarges_is_left_alone() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    matrix = np.array([[0.6, 0.0, 0.0], [0.0, 0.6, 0.0]])

    same, way = prefiltered(image, matrix)

    assert same is image
    assert way is matrix
