"""The cheapest closed curve around a point: one radius for each direction, found by search and not by descent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float32]
"""What it costs to end at a radius in a direction, shape (directions, radii)."""

_LARGEST_STEP = 3
"""Radii by which two neighbouring directions may differ."""
_STEP_COSTS = (0.5 * np.abs(np.arange(-_LARGEST_STEP, _LARGEST_STEP + 1)) ** 1.5).astype(np.float32)


def cheapest_outline(costs: Costs) -> npt.NDArray[np.intp]:
    """Return a radius for each direction so that the sum of costs and of steps between neighbours is smallest.

    A first search, open at its ends, settles one radius where it is surest, half way round; a second one starts and
    ends there, so the curve closes.

    Args:
        costs: Shape (directions, radii).

    Returns:
        Indices of radii, shape (directions,).
    """
    half = len(costs) // 2
    settled = _cheapest_path(costs)[half]
    around = np.roll(costs, -half, axis=0)
    closed = np.concatenate([around, around[:1]])
    others = np.arange(costs.shape[1]) != settled
    closed[0, others] = closed[-1, others] = np.inf
    return np.roll(_cheapest_path(closed)[:-1], half)


def _cheapest_path(costs: Costs) -> npt.NDArray[np.intp]:
    """Return the cheapest radii from the first direction to the last (Viterbi's algorithm)."""
    directions, radii = costs.shape
    came_from = np.empty(costs.shape, np.intp)
    padded = np.full(radii + 2 * _LARGEST_STEP, np.inf, np.float32)
    reachable = np.lib.stride_tricks.sliding_window_view(padded, 2 * _LARGEST_STEP + 1)
    so_far = padded[_LARGEST_STEP:-_LARGEST_STEP]
    so_far[:] = costs[0]
    everywhere = np.arange(radii)
    for step in range(1, directions):
        ways = reachable + _STEP_COSTS
        best = ways.argmin(axis=1)
        came_from[step] = everywhere + best - _LARGEST_STEP
        so_far[:] = ways[everywhere, best] + costs[step]
    path = np.empty(directions, np.intp)
    path[-1] = so_far.argmin()
    for step in range(directions - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path
