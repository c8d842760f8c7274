from __future__ import annotations

import numpy as np
import pytest

from predictor.imaging.orientation import Samples, exchanges_sides, upright

# Row by row, where the file stores the upright picture [[1, 2, 3], [4, 5, 6]] (Exif 2.32, 4.6.4.A, Orientation).
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3])
def test_stored_samples_are_turned_upright(orientation: int, dtype: type[np.uint8 | np.uint16], channels: int) -> None:
    stored: Samples = np.array(STORED[orientation], dtype)
    expected: Samples = np.array(STORED[1], dtype)
    if channels:
        stored, expected = np.dstack([stored] * channels), np.dstack([expected] * channels)

    turned = upright(stored, orientation)

    assert np.array_equal(turned, expected)
    assert turned.dtype == dtype
    assert turned.flags.c_contiguous
    assert exchanges_sides(orientation) == (stored.shape != expected.shape)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_unknown_orientation_is_upright(orientation: int) -> None:
    samples = np.array(STORED[1], np.uint8)

    assert np.array_equal(upright(samples, orientation), samples)
