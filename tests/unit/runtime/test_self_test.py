"""What disagrees with fp32 is told from what agrees."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.runtime.self_test import deviation, disagreement

EXPECTED = np.array([10.0, 12.0, 10.0, 12.0], np.float32)  # about its mean: an RMS of 1


def test_deviation_is_a_share_of_the_spread_not_of_the_size() -> None:
    assert deviation(EXPECTED, EXPECTED + np.float32(0.25)) == pytest.approx(0.25)
    assert deviation(EXPECTED + 1000, EXPECTED + 1000.25) == pytest.approx(0.25)


def test_equal_is_equal_even_where_nothing_spreads() -> None:
    flat = np.full(3, 7.0, np.float32)

    assert deviation(flat, flat) == 0.0
    assert deviation(flat, flat + 1e-6) == np.inf


def test_whole_numbers_do_not_wrap_around() -> None:
    assert deviation(np.array([0, 2], np.uint8), np.array([1, 1], np.uint8)) == pytest.approx(1.0)


def test_what_is_within_the_tolerance_agrees() -> None:
    assert disagreement([EXPECTED, EXPECTED], [EXPECTED, EXPECTED + np.float32(0.03)], 0.05) is None


def test_one_output_that_is_off_is_enough() -> None:
    complaint = disagreement([EXPECTED, EXPECTED], [EXPECTED, EXPECTED + np.float32(0.0625)], 0.05)

    assert complaint == "off by 0.0625 of fp32's spread, 0.05 are tolerated"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (np.array([10.0, np.inf, 10.0, 12.0]), "an output is not finite"),
        (np.array([np.nan, 12.0, 10.0, 12.0]), "an output is not finite"),
        (np.zeros(4), "an output is constant"),
    ],
    ids=["overflow", "no number", "black"],
)
def test_a_black_picture_never_agrees(given: np.ndarray[tuple[int], np.dtype[np.float64]], complaint: str) -> None:
    assert disagreement([EXPECTED], [given], tolerance=100.0) == complaint


def test_what_is_constant_in_fp32_may_be_so_in_less() -> None:
    flat = np.full(3, 7.0, np.float32)

    assert disagreement([flat], [flat], 0.05) is None
