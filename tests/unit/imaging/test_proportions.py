from __future__ import annotations

import numpy as np
import pytest

from predictor.imaging.heads import _FIVE_PLACES
from predictor.imaging.proportions import BROWS_AND_EYES, CHEEKS, NOSE, Part, beyond_face, features, lips


def _place(x: float, y: float) -> np.ndarray:
    return np.array([[[x, y, 0.0]]], np.float32)


def test_the_five_places_are_features_inside_the_face() -> None:
    places = _FIVE_PLACES[None]

    assert features(places, 0.85).all()
    assert (beyond_face(places) < 0).all()


@pytest.mark.parametrize(("x", "y"), [(0.0, -1.4), (1.4, 0.3), (0.0, 2.3), (0.95, 1.9)])
def test_hair_ears_and_neck_lie_beyond_the_face(x: float, y: float) -> None:
    assert beyond_face(_place(x, y))[0, 0] > 0
    assert not features(_place(x, y), 0.85)[0, 0]


@pytest.mark.parametrize("side", [-1, 1])
def test_parts_lie_on_both_sides(side: int) -> None:
    assert CHEEKS.covers(_place(side * 0.5, 0.6))[0, 0]
    assert BROWS_AND_EYES.covers(_place(side * 0.5, 0.0))[0, 0]
    assert not CHEEKS.covers(_place(0.0, 0.4))[0, 0]
    assert NOSE.covers(_place(0.0, 0.4))[0, 0]


def test_a_part_fades_towards_its_edges_but_not_towards_the_middle() -> None:
    part = Part(0.0, 1.0, -0.5, 0.5)

    assert part.fades(_place(0.0, 0.0), 0.2)[0, 0] == 1.0
    assert part.fades(_place(0.9, 0.0), 0.2)[0, 0] == pytest.approx(0.5)
    assert part.fades(_place(0.0, 0.6), 0.2)[0, 0] == 0.0


def test_lips_are_around_the_corners_of_the_mouth_and_nowhere_else() -> None:
    assert lips(_place(0.0, 1.17))[0, 0] == 1.0
    assert lips(_place(0.0, 0.6))[0, 0] == 0.0
    assert lips(_place(0.5, 0.0))[0, 0] == 0.0
