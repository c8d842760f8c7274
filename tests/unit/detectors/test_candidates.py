"""Many boxes on one face become one candidate; other faces stay apart."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.detectors.candidates import Candidates, same_face


def _candidates(*rows: tuple[float, float, float, float, float]) -> Candidates:
    """Boxes with a score each; landmarks lie at the box's left top corner."""
    values = np.array(rows, np.float32).reshape(-1, 5)
    return Candidates(values[:, :4], values[:, 4], np.repeat(values[:, None, :2], 5, axis=1))


def test_boxes_that_overlap_enough_are_the_same_face_and_the_surest_comes_first() -> None:
    found = _candidates((0, 0, 10, 10, 0.6), (50, 0, 60, 10, 0.7), (1, 0, 11, 10, 0.9), (8, 0, 18, 10, 0.5))

    groups = same_face(found.boxes, found.scores, 0.3)

    assert [group.tolist() for group in groups] == [[2, 0], [1], [3]]


def test_an_overlap_just_below_the_limit_is_another_face() -> None:
    boxes = np.array([(0, 0, 10, 10), (5, 0, 15, 10)], np.float32)  # a third of their union in common
    scores = np.array([0.9, 0.8], np.float32)

    assert len(same_face(boxes, scores, 0.33)) == 1
    assert len(same_face(boxes, scores, 0.34)) == 2


def test_merging_weights_candidates_by_the_square_of_their_score_and_keeps_the_best_score() -> None:
    merged = _candidates((0, 0, 10, 10, 0.8), (1, 0, 11, 10, 0.4)).merged()

    assert merged.scores.tolist() == [pytest.approx(0.8)]
    assert merged.boxes[0].tolist() == pytest.approx([0.2, 0, 10.2, 10])  # 0.16 / (0.64 + 0.16) = 0.2
    assert merged.landmarks[0, :, 0].tolist() == pytest.approx([0.2] * 5)


def test_merged_faces_come_surest_first() -> None:
    merged = _candidates((0, 0, 10, 10, 0.4), (50, 0, 60, 10, 0.7), (90, 0, 99, 10, 0.5)).merged()

    assert merged.scores.tolist() == pytest.approx([0.7, 0.5, 0.4])


def test_only_sure_candidates_are_kept() -> None:
    sure = _candidates((0, 0, 10, 10, 0.49), (50, 0, 60, 10, 0.5)).at_least(0.5)

    assert (sure.boxes[:, 0].tolist(), sure.scores.tolist(), len(sure.landmarks)) == ([50], [0.5], 1)


def test_nothing_merges_into_nothing() -> None:
    merged = _candidates().merged()

    assert (merged.boxes.shape, merged.scores.shape, merged.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))


def test_boxes_without_area_are_faces_of_their_own() -> None:
    found = _candidates((3, 3, 3, 3, 0.5), (3, 3, 3, 3, 0.6))

    assert len(same_face(found.boxes, found.scores, 0.3)) == 2
