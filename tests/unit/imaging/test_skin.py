from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.faces import Crop, Image
from predictor.imaging.skin import SIZE, map_face
from predictor.swappers.blend import Blend

_TEMPLATE = Blend.source_template.scaled(256)
_SKIN, _HAIR, _WALL = (205, 160, 135), (60, 45, 35), (120, 140, 170)
_CENTRE = (128, 128)


def _portrait(hairline: int = 60) -> Image:
    """A face in one colour with hair above, on a wall, aligned to the template."""
    image = np.full((256, 256, 3), _WALL, np.uint8)
    cv2.ellipse(image, (128, 110), (84, 100), 0, 0, 360, _HAIR, -1)
    cv2.ellipse(image, (128, 130), (62, 88), 0, 0, 360, _SKIN, -1)
    cv2.rectangle(image, (40, 0), (216, hairline), _HAIR, -1)
    for x, y in _TEMPLATE.points[:2].round().astype(int).tolist():
        cv2.ellipse(image, (x, y), (11, 5), 0, 0, 360, (245, 240, 235), -1)
        cv2.circle(image, (x, y), 5, (50, 35, 30), -1)
        cv2.line(image, (x - 15, y - 14), (x + 15, y - 15), (70, 50, 40), 4)
    mouth = _TEMPLATE.points[3:].mean(axis=0).round().astype(int).tolist()
    cv2.ellipse(image, mouth, (24, 8), 0, 0, 360, (180, 80, 85), -1)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _crop(image: Image) -> Crop:
    return Crop(image, np.array([[1.0, 0, 0], [0, 1.0, 0]]), _TEMPLATE.points)


def _at(x: float, y: float) -> tuple[int, int]:
    """Row and column of the map that show a pixel of the portrait."""
    return round((y + 0.5) * SIZE / 256 - 0.5), round((x + 0.5) * SIZE / 256 - 0.5)


@pytest.mark.parametrize("hairline", [45, 60, 72])
def test_the_outline_ends_at_the_hairline(hairline: int) -> None:
    inside = map_face(_crop(_portrait(hairline)), 0.85).inside

    assert not inside[_at(128, hairline - 6)]
    assert inside[_at(128, hairline + 9)]


def test_the_outline_stays_on_the_face() -> None:
    inside = map_face(_crop(_portrait()), 0.85).inside
    face = np.zeros((256, 256), np.uint8)
    cv2.ellipse(face, (128, 130), (66, 92), 0, 0, 360, 1, -1)

    assert not inside[cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_AREA) == 0].any()


def test_eyes_brows_and_mouth_are_inside_but_no_bare_skin() -> None:
    face = map_face(_crop(_portrait()), 0.85)

    for x, y in _TEMPLATE.points[[0, 1]].tolist():
        assert face.inside[_at(x, y)]
        assert face.inside[_at(x, y - 14)]
        assert face.skin[_at(x, y)] < 0.5
        assert face.skin[_at(x, y - 14)] < 0.5
    mouth = _TEMPLATE.points[3:].mean(axis=0).tolist()
    assert face.inside[_at(*mouth)]
    assert face.skin[_at(*mouth)] < 0.5


def test_a_beard_does_not_end_the_face_at_the_nose() -> None:
    bearded = _portrait()
    mouth = _TEMPLATE.points[3:].mean(axis=0).round().astype(int)
    cv2.ellipse(bearded, (int(mouth[0]), int(mouth[1]) + 14), (48, 34), 0, 0, 360, _HAIR, -1)

    face = map_face(_crop(bearded), 0.85)

    assert face.inside[_at(*mouth.tolist())]
    assert face.skin[_at(float(mouth[0]), float(mouth[1]) + 14)] < 0.5


def test_a_face_half_in_the_shadow_is_skin_on_both_sides() -> None:
    light = np.linspace(1.15, 0.6, 256, dtype=np.float32)[None, :, None]
    shaded = np.clip(_portrait() * light, 0, 255).astype(np.uint8)

    face = map_face(_crop(shaded), 0.85)

    assert face.skin[_at(95, 140)] > 0.7
    assert face.skin[_at(165, 140)] > 0.7


def test_the_outline_does_not_depend_on_the_size_of_the_crop() -> None:
    large = cv2.resize(_portrait(), (512, 512), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    crop = Crop(large, np.array([[2.0, 0, 0.5], [0, 2.0, 0.5]]), Blend.source_template.points)

    small_map, large_map = map_face(_crop(_portrait()), 0.85), map_face(crop, 0.85)

    assert (small_map.inside != large_map.inside).sum() < 0.02 * small_map.inside.sum()


def test_a_picture_without_a_face_still_gives_a_map() -> None:
    face = map_face(_crop(np.zeros((256, 256, 3), np.uint8)), 0.85)

    assert np.isfinite(face.skin).all()
    assert face.inside.any()
