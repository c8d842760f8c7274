from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.faces import Mask
from predictor.imaging.tiling import Tiling

TILINGS = [
    Tiling(largest=512, padding=34),
    Tiling(largest=96, padding=34),
    Tiling(largest=96, padding=32, even=2),
    Tiling(largest=40, padding=4, step=8, even=4),
    Tiling(largest=8, padding=0, step=1),
]
"""Large and small ones, without overlap, and ones that begin at even pixels."""


@st.composite
def sides(draw: st.DrawFn) -> tuple[Tiling, int]:
    """A tiling, and a side of a picture it takes."""
    tiling = draw(st.sampled_from(TILINGS))
    return tiling, draw(st.integers(1, 5000 // tiling.even)) * tiling.even


@given(sides())
def test_the_kept_parts_cover_a_side_once_and_in_order(side: tuple[Tiling, int]) -> None:
    tiling, length = side

    spans = tiling.spans(length)

    assert spans[0].keep_start == 0
    assert spans[-1].keep_stop == length
    assert all(earlier.keep_stop == later.keep_start for earlier, later in pairwise(spans))
    assert all(span.keep_start < span.keep_stop for span in spans)


@given(sides())
def test_tiles_lie_inside_the_picture_and_the_outer_ones_end_with_it(side: tuple[Tiling, int]) -> None:
    tiling, length = side

    spans = tiling.spans(length)

    assert spans[0].start == 0
    assert spans[-1].stop == length
    assert all(0 <= span.start < span.stop <= length for span in spans)


@given(sides())
def test_nothing_is_kept_within_the_padding_of_a_cut(side: tuple[Tiling, int]) -> None:
    tiling, length = side

    for span in tiling.spans(length):
        assert span.start == 0 or span.keep_start - span.start >= tiling.padding
        assert span.stop == length or span.stop - span.keep_stop >= tiling.padding


@given(sides())
def test_tiles_of_a_side_have_one_size_which_is_a_multiple_of_the_step_unless_there_is_only_one(
    side: tuple[Tiling, int],
) -> None:
    tiling, length = side

    spans = tiling.spans(length)

    (size,) = {span.stop - span.start for span in spans}
    assert size <= tiling.largest
    assert size % tiling.step == 0 or (len(spans) == 1 and size == length)
    assert all(span.start % tiling.even == 0 for span in spans)


@pytest.mark.parametrize("tiling", TILINGS[:3])
def test_pictures_of_all_sizes_share_few_sizes_of_tiles(tiling: Tiling) -> None:
    sizes = {tiling.spans(length)[0].stop for length in range(tiling.largest + 2, 5000, 2)}

    assert len(sizes) <= (tiling.largest // 2 + tiling.padding) // tiling.step


def test_what_fits_into_one_tile_is_not_cut() -> None:
    assert len(list(Tiling(largest=512, padding=34).tiles(512, 17))) == 1
    assert len(list(Tiling(largest=512, padding=34).tiles(513, 17))) == 2


@pytest.mark.parametrize(("length", "size"), [(513, 296), (956, 512), (957, 368), (1024, 392), (3840, 488)])
def test_tiles_are_no_larger_than_their_number_needs(length: int, size: int) -> None:
    assert {span.stop - span.start for span in Tiling(largest=512, padding=34).spans(length)} == {size}


def _seen_by_convolutions(image: Mask, number: int) -> Mask:
    """Blur by 3x3 again and again, with zeros beyond the edge: a network that sees `number` pixels far."""
    for _ in range(number):
        image = np.asarray(cv2.blur(image, (3, 3), borderType=cv2.BORDER_CONSTANT)) + np.float32(0.01)
    return image


def _joined(image: Mask, tiling: Tiling, sight: int, scale: int) -> Mask:
    joined = np.full((image.shape[0] * scale, image.shape[1] * scale), np.nan, np.float32)
    for tile in tiling.tiles(*image.shape):
        answer = _seen_by_convolutions(image[tile.seen].copy(), sight).repeat(scale, 0).repeat(scale, 1)
        joined[tile.kept(scale)] = answer[tile.inner(scale)]
    return joined


@given(height=st.integers(1, 90), width=st.integers(1, 90), scale=st.sampled_from([1, 2, 4]), seed=st.integers(0, 9))
def test_joined_tiles_are_what_the_whole_picture_gives_zeros_at_its_edges_included(
    height: int, width: int, scale: int, seed: int
) -> None:
    image = np.random.default_rng(seed).random((height, width), np.float32)
    whole = _seen_by_convolutions(image, 5).repeat(scale, 0).repeat(scale, 1)

    joined = _joined(image, Tiling(largest=24, padding=5, step=4), 5, scale)

    np.testing.assert_array_equal(joined, whole)


def test_a_padding_that_is_too_small_shows() -> None:
    image = np.random.default_rng(0).random((56, 56), np.float32)

    joined = _joined(image, Tiling(largest=24, padding=4, step=4), 5, 1)

    assert (joined != _seen_by_convolutions(image, 5)).any()
