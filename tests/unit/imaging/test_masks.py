from __future__ import annotations

import numpy as np
import pytest

from predictor.imaging.alignment import ARCFACE_128, FFHQ_512, LandmarkTemplate
from predictor.imaging.masks import feathered, soft_ellipse, soft_square


def _square(size: int, margin: int) -> np.ndarray:
    inside = np.zeros((size, size), bool)
    inside[margin:-margin, margin:-margin] = True
    return inside


def test_feathered_is_0_outside_1_deep_inside_and_between_on_the_way() -> None:
    mask = feathered(_square(60, 10), 8.0)

    assert mask[~_square(60, 10)].max() == 0.0
    assert mask[30, 30] == 1.0
    assert (np.diff(mask[30, 8:25]) >= 0).all()
    assert 0.4 < mask[30, 14] < 0.6


def test_feathered_treats_what_lies_beyond_the_array_as_outside() -> None:
    mask = feathered(np.ones((40, 40), bool), 10.0)

    assert mask[0].max() < 0.05
    assert mask[20, 20] == 1.0


def test_feathered_fades_faster_where_the_width_is_smaller() -> None:
    width = np.full((60, 60), 16.0, np.float32)
    width[:, :30] = 4.0

    mask = feathered(_square(60, 10), width)

    assert mask[30, 14] > 0.9
    assert mask[30, 45] < 0.5


def test_an_empty_shape_gives_an_empty_mask() -> None:
    assert feathered(np.zeros((20, 20), bool), 5.0).max() == 0.0


@pytest.mark.parametrize("size", [64, 128, 512])
def test_soft_square_fades_to_0_at_all_four_sides(size: int) -> None:
    mask = soft_square(size)

    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0
    assert mask[size // 2, size // 2] == 1.0
    assert mask.dtype == np.float32


@pytest.mark.parametrize("template", [FFHQ_512, ARCFACE_128, FFHQ_512.scaled(96)])
def test_soft_ellipse_covers_the_features_and_ends_before_the_border(template: LandmarkTemplate) -> None:
    mask = soft_ellipse(template)

    columns, rows = template.points.round().astype(int).T
    assert mask[rows, columns].min() > 0.95
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0


def test_soft_ellipse_leaves_out_the_corners_that_a_square_has() -> None:
    ellipse, square = soft_ellipse(FFHQ_512), soft_square(512)

    assert ellipse[60, 60] == 0.0
    assert square[60, 60] > 0.9


def test_soft_ellipse_may_reach_further_and_fade_over_a_wider_border() -> None:
    narrow, wide = soft_ellipse(ARCFACE_128), soft_ellipse(ARCFACE_128, reach=1.2, border=0.1)

    assert narrow[52, 12] == 0.0
    assert wide[52, 12] > 0.25
    assert narrow[64, 64] == wide[64, 64] == 1.0
    assert wide[121, 64] < narrow[121, 64]
