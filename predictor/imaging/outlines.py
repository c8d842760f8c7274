"""The best closed curve around a point: one radius for each direction, found exactly and not by descent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float32]
"""What it costs to end at a radius in a direction, shape (directions, radii)."""

_LARGEST_STEP = 3
"""Radii by which two neighbouring directions may differ."""
_STEP_COSTS = (0.5 * np.abs(np.arange(-_LARGEST_STEP, _LARGEST_STEP + 1)) ** 1.5).astype(np.float32)


def cheapest_outline(costs: Costs) -> npt.NDArray[np.intp]:
    """Return the radius of each direction for which the sum of costs and of steps between neighbours is smallest.

    The way is followed twice around (Viterbi's algorithm) and its middle turn returned, so that it closes.

    Args:
        costs: Shape (directions, radii).

    Returns:
        Indices of radii, shape (directions,).
    """
    directions, radii = costs.shape
    turns = np.concatenate([costs, costs])
    came_from = np.empty(turns.shape, np.intp)
    padded = np.full(radii + 2 * _LARGEST_STEP, np.inf, np.float32)
    reachable = np.lib.stride_tricks.sliding_window_view(padded, 2 * _LARGEST_STEP + 1)
    inner = padded[_LARGEST_STEP:-_LARGEST_STEP]
    inner[:] = turns[0]
    everywhere = np.arange(radii)
    for step in range(1, 2 * directions):
        ways = reachable + _STEP_COSTS
        best = ways.argmin(axis=1)
        came_from[step] = everywhere + best - _LARGEST_STEP
        inner[:] = ways[everywhere, best] + turns[step]
    path = np.empty(2 * directions, np.intp)
    path[-1] = inner.argmin()
    for step in range(2 * directions - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    half = directions // 2
    return np.roll(path[half : half + directions], half)
