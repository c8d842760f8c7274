"""An answer that cannot be right is told from one that can."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.runtime.session import suspicious


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([1.0, 2.0], None),
        ([1.0], None),
        ([1.0, np.nan], "not finite"),
        ([1.0, -np.inf], "not finite"),
        ([3.0, 3.0], "constant"),
        ([3.0, np.nextafter(3.0, 4.0)], None),
    ],
)
def test_answers_that_are_not_finite_or_constant_are_suspicious(values: list[float], wrong: str | None) -> None:
    assert suspicious(np.array(values)) == wrong
