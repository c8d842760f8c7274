"""A picture lies whole and undistorted on one of few canvases, and points find their way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.detectors.ladder import LADDER
from predictor.detectors.placement import View, place
from predictor.imaging.alignment import transformed


@pytest.mark.parametrize("view", LADDER, ids=lambda view: view.name)
@pytest.mark.parametrize("size", [(200, 331), (1400, 900)], ids=["wide", "high"])
def test_a_spot_on_the_canvas_is_found_again_in_the_picture(view: View, size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[60:80, 100:120] = 255

    placement = place(image, view)

    y, x = np.nonzero(placement.canvas[..., 0] > 127)
    spot = np.array([(x.mean(), y.mean())], np.float32)
    pixels_of_the_picture = 1.0 / np.sqrt(abs(np.linalg.det(placement.matrix[:, :2])))
    assert placement.points_in_picture(spot)[0] == pytest.approx((109.5, 69.5), abs=0.5 * pixels_of_the_picture)


def test_the_first_pixel_s_centre_stays_the_origin() -> None:
    placement = place(np.zeros((640, 640, 3), np.uint8), View("half", long_side=320))

    # Two pixels become one: its centre is between them.
    assert placement.points_in_picture(np.array([(0, 0), (319, 0)], np.float32)) == pytest.approx(
        np.array([(0.5, 0.5), (638.5, 0.5)])
    )


@pytest.mark.parametrize("view", LADDER, ids=lambda view: view.name)
@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 2000), width=st.integers(1, 2000))
def test_canvases_have_few_sizes_and_hold_the_whole_picture(view: View, height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)

    placement = place(image, view)

    rows, columns = placement.canvas.shape[:2]
    assert max(rows, columns) == view.long_side
    assert min(rows, columns) in {view.long_side * tenths // 10 for tenths in (4, 6, 7, 8, 10)}
    assert (rows % 32, columns % 32) == (0, 0)
    corners = np.array([(-0.5, -0.5), (width - 0.5, height - 0.5)], np.float32)
    there = transformed(corners, placement.matrix)
    assert there.min() >= -0.51
    assert (there.max(axis=0) <= (columns - 0.49, rows - 0.49)).all()


def test_the_aspect_ratio_is_kept() -> None:
    placement = place(np.full((300, 1000, 3), 255, np.uint8), View("plain"))

    rows, columns = np.nonzero(placement.canvas[..., 0])
    assert (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) == (192, 640)


def test_padding_surrounds_the_picture_with_black() -> None:
    placement = place(np.full((100, 100, 3), 255, np.uint8), View("padded", long_side=320, share=0.4))

    rows, columns = np.nonzero(placement.canvas[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (96, 223, 96, 223)
