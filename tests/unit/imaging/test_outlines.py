from __future__ import annotations

import itertools

import numpy as np
import pytest

from predictor.imaging.outlines import _LARGEST_STEP, _STEP_COSTS, cheapest_outline


def _price(path: tuple[int, ...], costs: np.ndarray) -> float:
    steps = [b - a for a, b in zip(path, (*path[1:], path[0]), strict=True)]
    if max(map(abs, steps)) > _LARGEST_STEP:
        return np.inf
    return sum(float(costs[i, r]) for i, r in enumerate(path)) + sum(
        float(_STEP_COSTS[s + _LARGEST_STEP]) for s in steps
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_closed_curve_through_the_same_point_is_cheaper(seed: int) -> None:
    costs = np.random.default_rng(seed).normal(0, 1, (6, 4)).astype(np.float32)

    found = cheapest_outline(costs)

    others = (path for path in itertools.product(range(4), repeat=6) if path[3] == found[3])
    best = min(_price(path, costs) for path in others)
    assert _price(tuple(int(radius) for radius in found), costs) == pytest.approx(best, abs=1e-4)


def test_one_wrong_direction_is_outvoted_by_its_neighbours() -> None:
    costs = np.full((48, 40), 1.0, np.float32)
    costs[:, 20] = 0.0
    costs[10, 20], costs[10, 39] = 1.0, 0.0

    assert cheapest_outline(costs)[10] == 20


def test_a_shape_is_followed_all_around() -> None:
    wanted = np.round(20 + 6 * np.cos(np.arange(48) * 2 * np.pi / 48)).astype(int)
    costs = np.ones((48, 40), np.float32)
    costs[np.arange(48), wanted] = -2.0

    np.testing.assert_array_equal(cheapest_outline(costs), wanted)


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_closes_without_a_leap(seed: int) -> None:
    costs = np.random.default_rng(seed).normal(0, 5, (48, 40)).astype(np.float32)

    found = cheapest_outline(costs)

    assert np.abs(np.diff(np.append(found, found[0]))).max() <= _LARGEST_STEP
