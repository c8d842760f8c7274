"""Whether a network in less than fp32 still computes what it computes in fp32: told at load, on the network's probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from predictor.runtime.session import suspicious

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.runtime.session import Tensor


def disagreement(reference: Sequence[Tensor], answers: Sequence[Tensor], tolerance: float) -> str | None:
    """Return how answers differ from fp32's by more than is tolerated, or None.

    The black-picture check comes first: what overflows in less than fp32 answers with no numbers, or with one.

    Args:
        reference: Every output in fp32.
        answers: The same outputs in less.
        tolerance: As in `Network.tolerance`, for each output.
    """
    for expected, given in zip(reference, answers, strict=True):
        wrong = suspicious(given)
        if wrong and not suspicious(expected):
            return f"an output is {wrong}"
        off = deviation(expected, given)
        if not off <= tolerance:  # also where it is no number
            return f"off by {off:.4f} of fp32's spread, {tolerance:g} are tolerated"
    return None


def deviation(expected: Tensor, given: Tensor) -> float:
    """Return the RMS of the difference as a share of the RMS of what is expected about its mean; 0 is equal."""
    difference = given.astype(np.float64) - expected
    if not difference.any():
        return 0.0
    spread = float(np.std(expected.astype(np.float64)))
    rms = float(np.sqrt(np.mean(np.square(difference))))
    return rms / spread if spread else float("inf")
