from __future__ import annotations

import numpy as np
import pytest

from predictor.faces import Landmarks
from predictor.imaging.alignment import ARCFACE_112
from predictor.imaging.heads import _FIVE_PLACES, head_of


def _turned(yaw: float, roll: float = 0.0, scale: float = 40.0) -> Landmarks:
    """The five places of a mean head, turned to the side (degrees, nose to the right) and tilted."""
    y, r = np.deg2rad(yaw), np.deg2rad(roll)
    seen = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0]])
    tilt = np.array([[np.cos(r), -np.sin(r)], [np.sin(r), np.cos(r)]])
    points: Landmarks = (scale * _FIVE_PLACES @ seen.T @ tilt.T + (200, 150)).astype(np.float32)
    return points


@pytest.mark.parametrize("yaw", [-60.0, -30.0, 0.0, 15.0, 45.0])
@pytest.mark.parametrize("roll", [0.0, 25.0, -40.0])
def test_yaw_is_read_off_five_points_however_the_head_is_tilted(yaw: float, roll: float) -> None:
    assert head_of(_turned(yaw, roll)).yaw_degrees == pytest.approx(yaw, abs=6.0)


def test_a_frontal_template_is_a_frontal_head() -> None:
    assert abs(head_of(ARCFACE_112.points).yaw_degrees) < 3.0


def test_scale_is_the_distance_of_the_eyes_also_where_a_turn_shortens_it() -> None:
    assert head_of(_turned(0.0)).scale == pytest.approx(40.0, rel=0.05)
    assert head_of(_turned(50.0)).scale == pytest.approx(40.0, rel=0.05)


def test_what_a_point_shows_lies_at_that_point() -> None:
    head = head_of(_turned(30.0))
    points = np.array([(190, 160), (200, 180), (215, 140)], np.float32)

    np.testing.assert_allclose(head.points_of(head.places_at(points)), points, atol=1e-3)


def test_a_turned_head_shows_its_near_cheek_squarely_and_its_far_cheek_not() -> None:
    head = head_of(_turned(40.0))
    near, far = np.array([(-0.6, 0.6, 0.0), (0.6, 0.6, 0.0)], np.float32)

    assert head.facing(near) > head.facing(far) + 0.3


def test_beside_the_head_its_outline_is_shown() -> None:
    head = head_of(_turned(0.0))

    surface = head.surface_at(np.array([(200 - 200, 150), (200, 170)], np.float32))

    assert surface.facing[0] == pytest.approx(0.0, abs=0.02)
    assert surface.facing[1] > 0.9


def test_points_in_a_line_still_give_a_finite_head() -> None:
    line = np.stack([np.linspace(0, 20, 5), np.zeros(5)], axis=1).astype(np.float32)

    head = head_of(line)

    assert head.scale >= 1.0
    assert np.isfinite(head.places_at(line)).all()
