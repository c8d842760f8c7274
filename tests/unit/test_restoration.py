from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import StageFailed
from predictor.faces import Face, Image, Mask, SwappedCrop
from predictor.imaging.alignment import ARCFACE_128, FFHQ_512, align
from predictor.imaging.compositing import paste_back
from predictor.imaging.masks import soft_square
from predictor.restoration import Restoration, Swapped
from tests.unit.fakes import FakeParser, FakeRestorer, degenerate_face, face_at

FACE = face_at(60, 50, 90)
TEMPLATE = FFHQ_512.scaled(128)


def _picture() -> Image:
    return np.random.default_rng(5).integers(40, 200, (200, 220, 3), np.uint8)


def _swapped(destination: Image, level: int = 10, face: Face = FACE) -> Swapped:
    crop = align(destination, face.landmarks, ARCFACE_128)
    return Swapped(destination, face, crop, SwappedCrop(np.full_like(crop.image, level), soft_square(128), "network"))


def _restorer(level: int = 250) -> FakeRestorer:
    return FakeRestorer(TEMPLATE, paint=lambda crop: np.full_like(crop, level))


def _left_half(size: int) -> Mask:
    mask = np.zeros((size, size), np.float32)
    mask[:, : size // 2] = 1.0
    return mask


# ── a swapped face ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_restorer_sees_the_swap_in_its_own_wider_crop_of_the_destination() -> None:
    picture, restorer = _picture(), _restorer()

    Restoration(restorer).of_swap(_swapped(picture), 1.0)

    (seen,) = restorer.seen
    wide = align(picture, FACE.landmarks, TEMPLATE).image
    assert (seen[45:95, 45:85] == 10).all()  # the middle of the face
    np.testing.assert_array_equal(seen[0], wide[0])
    np.testing.assert_array_equal(seen[:, -1], wide[:, -1])


def test_a_restored_swap_changes_the_picture_where_the_swap_alone_would_and_nowhere_else() -> None:
    picture = _picture()
    swapped = _swapped(picture)
    alone, restored = picture.copy(), picture.copy()

    paste_back(alone, swapped.result.image, swapped.result.mask, swapped.crop.matrix)
    paste_back(restored, *Restoration(_restorer()).of_swap(swapped, 1.0))

    changed, due = ((one != picture).any(axis=2) for one in (restored, alone))
    a_pixel_further = cv2.dilate(due.view(np.uint8), np.ones((3, 3), np.uint8)) > 0  # the soft edge, resampled twice
    assert not (changed & ~a_pixel_further).any()
    assert (due & ~changed).mean() < 0.03  # the fade towards the sides of the wider crop
    assert (restored[95, 105] == 250).all()


@pytest.mark.parametrize("blend", [0.0, 0.25, 0.8, 1.0])
def test_a_swap_is_blended_with_its_restoration_in_proportion(blend: float) -> None:
    pixels, _, _ = Restoration(_restorer(251)).of_swap(_swapped(_picture(), level=10), blend)

    assert (pixels[45:95, 45:85] == round(10 * (1 - blend) + 251 * blend)).all()


def test_where_the_parser_sees_no_face_the_swap_stays_as_it_is() -> None:
    parser = FakeParser(TEMPLATE, _left_half)

    pixels, mask, _ = Restoration(_restorer(), parser).of_swap(_swapped(_picture()), 0.5)

    assert (pixels[45:95, 50:60] == 130).all()
    assert (pixels[45:95, 70:80] == 10).all()
    assert mask[70, 55] == mask[70, 75] == 1.0
    assert (parser.seen[0] == 250).all()  # it looks at what was restored, before it is blended


@given(
    st.lists(st.tuples(st.floats(60, 160), st.floats(50, 150)), min_size=5, max_size=5, unique=True).filter(
        lambda points: np.ptp(np.array(points), axis=0).min() > 20
    )
)
def test_a_swap_fades_out_before_the_sides_of_the_wider_crop_however_the_face_is_turned(
    points: list[tuple[float, float]],
) -> None:
    face = Face(FACE.box, np.array(points, np.float32), 1.0)

    _, mask, _ = Restoration(_restorer()).of_swap(_swapped(_picture(), face=face), 1.0)

    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0
    assert 0.0 <= mask.min() <= mask.max() <= 1.0


# ── a face that is only restored ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("blend", [0.25, 0.8, 1.0])
def test_a_face_is_blended_with_the_pictures_own_pixels(blend: float) -> None:
    picture = _picture()
    canvas = picture.copy()

    assert Restoration(_restorer()).of_face(canvas, FACE, blend)

    middle = (slice(90, 110), slice(95, 115))
    assert np.abs(canvas[middle] - (picture[middle] * (1 - blend) + 250 * blend)).max() <= 0.51


def test_a_blend_of_0_leaves_every_pixel_as_it_was() -> None:
    picture = _picture()
    canvas = picture.copy()

    Restoration(_restorer()).of_face(canvas, FACE, 0.0)

    np.testing.assert_array_equal(canvas, picture)


def test_a_face_is_restored_where_the_parser_sees_it() -> None:
    picture = _picture()
    canvas = picture.copy()

    Restoration(_restorer(), FakeParser(TEMPLATE, _left_half)).of_face(canvas, FACE, 1.0)

    assert (canvas[100, 85:95] == 250).all()
    np.testing.assert_array_equal(canvas[:, 120:], picture[:, 120:])


def test_a_face_too_small_to_align_is_left_alone() -> None:
    canvas = _picture()

    assert not Restoration(_restorer()).of_face(canvas, degenerate_face(), 1.0)
    np.testing.assert_array_equal(canvas, _picture())


@pytest.mark.parametrize(
    "mask",
    [lambda size: np.full((size, size), np.nan, np.float32), lambda size: np.ones((size, size - 1), np.float32)],
    ids=["not finite", "of another size"],
)
def test_a_mask_that_cannot_be_right_fails_the_stage(mask: object) -> None:
    assert callable(mask)

    with pytest.raises(StageFailed, match=r"^restore: the parser gave a mask"):
        Restoration(_restorer(), FakeParser(TEMPLATE, mask)).of_face(_picture(), FACE, 1.0)
