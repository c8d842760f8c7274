from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.faces import Crop, Mask
from predictor.imaging.colour import Pixels
from predictor.imaging.masks import feathered
from predictor.imaging.skin import SIZE, FaceMap, map_face
from predictor.imaging.surroundings import towards_surroundings, visible_skin
from predictor.swappers.blend import Blend

_TEMPLATE = Blend.source_template.scaled(SIZE)
_SKIN, _SHADED, _HAIR, _WALL = (205, 160, 135), (120, 82, 62), (60, 45, 35), (120, 140, 170)
_CENTRE, _RADII = (64, 65), (31, 44)
_COVERED = (64, 62), (20, 28)
_EVERYWHERE = np.ones((SIZE, SIZE), np.float32)


def _disc(centre: tuple[int, int], radii: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(canvas, centre, radii, 0, 0, 360, 1, -1)
    return canvas.astype(bool)


def _face(collar: tuple[int, int, int] | None = None) -> FaceMap:
    """A face of one colour, its jaw in the shade or a collar over it, with hair above, on a wall."""
    image = np.full((SIZE, SIZE, 3), _WALL, np.uint8)
    image[_disc((64, 50), (44, 50))] = _HAIR
    image[_disc(_CENTRE, _RADII)] = _SKIN
    image[_disc(_CENTRE, _RADII) & (np.arange(SIZE) > 97)[:, None]] = _SHADED
    image[:24] = _HAIR
    if collar is not None:
        image[98:] = collar
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    crop = Crop(np.clip(image + noise, 0, 255).astype(np.uint8), np.eye(2, 3), _TEMPLATE.points)
    return map_face(crop, 0.85)


def _covered() -> Mask:
    return feathered(_disc(*_COVERED), 6.0)


def _painted(colour: tuple[float, float, float]) -> Pixels:
    return np.full((SIZE, SIZE, 3), colour, np.float32)


def _lab(colour: Pixels) -> Pixels:
    unit = np.clip(colour, 0, 255).reshape(1, 1, 3).astype(np.float32) / 255
    return cv2.cvtColor(unit, cv2.COLOR_RGB2Lab).reshape(3).astype(np.float32)


def _distance(face: FaceMap, painted: Pixels) -> float:
    """How far the mean of the covered face is from the skin beside it."""
    covered = _covered()
    mean = np.average(face.image + (painted - face.image) * covered[..., None], axis=(0, 1), weights=_thrice(covered))
    beside = np.average(face.image, axis=(0, 1), weights=_thrice(visible_skin(face, covered)))
    return float(np.linalg.norm(_lab(mean) - _lab(beside)))


def _thrice(mask: Mask) -> Pixels:
    return np.repeat(mask[..., None], 3, axis=2)


def test_skin_is_visible_around_what_is_covered_in_the_light_and_in_the_shade() -> None:
    visible = visible_skin(_face(), _covered())

    assert visible[40:90, 38].min() > 0.5  # a cheek
    assert visible[101, 60:68].min() > 0.5  # the jaw


def test_neither_hair_nor_wall_nor_what_is_covered_is_visible_skin() -> None:
    visible = visible_skin(_face(), _covered())

    assert visible[:20].max() == 0.0
    assert visible[~_disc(_CENTRE, (34, 47))].max() < 0.1
    assert visible[_disc((64, 62), (15, 23))].max() == 0.0


def test_skin_has_the_hue_of_skin() -> None:
    scarf, neck = (visible_skin(_face(colour), _covered())[99:] for colour in ((90, 150, 60), _SHADED))

    assert scarf.max() == 0.0
    assert neck.max() == 1.0


@pytest.mark.parametrize("colour", [(222, 180, 158), (170, 125, 100), (205, 150, 150)])
def test_a_face_of_another_colour_is_brought_near_the_skin_around_it(colour: tuple[float, float, float]) -> None:
    face, painted = _face(), _painted(colour)

    factors = towards_surroundings(face, painted, _covered(), _EVERYWHERE)

    assert _distance(face, painted) > 7.0
    assert _distance(face, painted * factors) < 6.0


def test_a_face_near_the_skin_around_it_stays_as_it_is() -> None:
    painted = _painted((200, 154, 130))

    factors = towards_surroundings(_face(), painted, _covered(), _EVERYWHERE)

    np.testing.assert_allclose(factors, 1.0, atol=1e-3)


def test_the_less_the_factors_act_on_the_stronger_they_are() -> None:
    face, painted = _face(), _painted((212, 170, 148))

    on_all = towards_surroundings(face, painted, _covered(), _EVERYWHERE)
    on_half = towards_surroundings(face, painted, _covered(), 0.5 * _EVERYWHERE)

    assert (on_half < on_all).all()
    assert (on_all < 1.0).all()


def test_no_colour_is_forced_far() -> None:
    factors = towards_surroundings(_face(), _painted((20, 20, 250)), _covered(), _EVERYWHERE)

    assert factors.min() >= 0.79
    assert factors.max() <= 1.26


@pytest.mark.parametrize("covered", [np.zeros_like(_EVERYWHERE), _EVERYWHERE])
def test_where_nothing_is_covered_or_no_skin_is_left_nothing_changes(covered: Mask) -> None:
    factors = towards_surroundings(_face(), _painted((255, 255, 255)), covered, _EVERYWHERE)

    np.testing.assert_array_equal(factors, 1.0)
