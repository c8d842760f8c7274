"""Guesses are corrected on upright crops, and what is no face there is dropped. The network here sees dots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from predictor.detectors.candidates import Candidates
from predictor.detectors.second_look import look_again
from predictor.imaging.alignment import FFHQ_512, transformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Image, Landmarks

_COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)])


def _face(x: float, y: float, *, height: float = 90, degrees: float = 0.0) -> Landmarks:
    """Landmarks of a face of about that height around a point, turned clockwise."""
    matrix = np.asarray(cv2.getRotationMatrix2D((255.5, 300.0), -degrees, height / 340), np.float64)
    return transformed(FFHQ_512.points, matrix) - (255.5, 300.0) + np.array((x, y), np.float32)


def _drawn(*faces: Landmarks, size: tuple[int, int] = (600, 800)) -> Image:
    """A grey picture with five dots for each face."""
    picture = np.full((*size, 3), 60, np.uint8)
    for face in faces:
        radius = max(2, round(float(np.ptp(face, axis=0).max()) / 12))
        for (x, y), colour in zip(face, _COLOURS.tolist(), strict=True):
            cv2.circle(picture, (round(float(x)), round(float(y))), radius, colour, -1)
    return picture


class _DotsNetwork:
    """Sees one face where a canvas shows dots of all five colours, at the middle of the dots."""

    def __init__(self, score: float = 0.9, error: float = 0.0) -> None:
        self.calls: list[int] = []
        self.canvases: list[Image] = []
        self._score, self._error = score, error

    def look(self, canvases: Sequence[Image]) -> list[Candidates]:
        self.calls.append(len(canvases))
        self._error = -self._error
        self.canvases += canvases
        return [self._seen(canvas) for canvas in canvases]

    def _seen(self, canvas: Image) -> Candidates:
        dots = [np.argwhere(np.abs(canvas.astype(int) - colour).max(axis=2) < 90)[:, ::-1] for colour in _COLOURS]
        if not all(map(len, dots)):
            return Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
        landmarks = np.array([dot.mean(axis=0) for dot in dots], np.float32) + self._error
        x, y = landmarks[2]
        box = np.array([(x - 32, y - 45, x + 32, y + 45)], np.float32)
        return Candidates(box, np.array([self._score], np.float32), landmarks[None])


def test_a_guess_that_is_off_ends_on_the_face() -> None:
    face = _face(400, 300, degrees=25)
    guess = _face(406, 295, height=75, degrees=5)

    (seen,) = look_again(_drawn(face), [guess], _DotsNetwork().look)

    assert np.abs(seen.landmarks - face).max() < 0.75
    assert seen.score == pytest.approx(0.9)


def test_a_face_much_larger_than_the_crop_is_found_as_exactly() -> None:
    face = _face(1000, 800, height=900)

    (seen,) = look_again(_drawn(face, size=(1600, 2000)), [face + 12], _DotsNetwork().look)

    assert np.abs(seen.landmarks - face).max() < 4


def test_a_good_guess_costs_one_look() -> None:
    network = _DotsNetwork()

    look_again(_drawn(_face(400, 300)), [_face(401, 300)], network.look)

    assert network.calls == [1]


def test_only_faces_whose_guess_was_off_are_looked_at_again() -> None:
    network = _DotsNetwork()
    good, off = _face(200, 300), _face(600, 300)

    look_again(_drawn(good, off), [good, _face(600, 300, degrees=20)], network.look)

    assert network.calls == [2, 1]


def test_a_guess_that_never_settles_is_given_up_after_three_looks() -> None:
    network = _DotsNetwork(error=6.0)

    seen = look_again(_drawn(_face(400, 300)), [_face(400, 300)], network.look)

    assert network.calls == [1, 1, 1]
    assert len(seen) == 1


def test_many_faces_are_looked_at_eight_at_a_time() -> None:
    network = _DotsNetwork()
    faces = [_face(100 + 150 * (n % 5), 100 + 150 * (n // 5), height=60) for n in range(20)]

    seen = look_again(_drawn(*faces, size=(700, 800)), faces, network.look)

    assert len(seen) == 20
    assert network.calls == [8, 8, 4]


def test_what_shows_no_face_upright_is_dropped() -> None:
    assert look_again(_drawn(), [_face(400, 300)], _DotsNetwork().look) == []


def test_what_the_network_doubts_upright_is_dropped() -> None:
    face = _face(400, 300)

    assert look_again(_drawn(face), [face], _DotsNetwork(score=0.49).look) == []
    assert len(look_again(_drawn(face), [face], _DotsNetwork(score=0.51).look)) == 1


@pytest.mark.parametrize("spot", [5.0, np.nan], ids=["one spot", "nan"])
def test_a_guess_without_extent_is_no_face(spot: float) -> None:
    face = _face(400, 300)

    seen = look_again(_drawn(face), [np.full((5, 2), spot, np.float32), face], _DotsNetwork().look)

    assert len(seen) == 1


def test_of_several_faces_in_a_crop_the_one_that_was_guessed_counts() -> None:
    face = _face(400, 300)
    network = _DotsNetwork(score=0.6)

    def look(canvases: Sequence[Image]) -> list[Candidates]:
        """See a surer face at the crop's border, too."""
        (seen,) = network.look(canvases)
        shift = np.float32(60)
        return [
            Candidates(
                np.concatenate([seen.boxes + shift, seen.boxes]),
                np.array([0.95, *seen.scores], np.float32),
                np.concatenate([seen.landmarks + shift, seen.landmarks]),
            )
        ]

    (found,) = look_again(_drawn(face), [face], look)

    assert np.abs(found.landmarks - face).max() < 0.75
    assert found.score == pytest.approx(0.6)


def test_two_guesses_on_one_face_give_it_once() -> None:
    face = _face(400, 300)

    assert len(look_again(_drawn(face), [face + 2, face - 2], _DotsNetwork().look)) == 1


def test_no_guesses_need_no_look() -> None:
    network = _DotsNetwork()

    assert look_again(_drawn(), [], network.look) == []
    assert network.calls == []


def test_the_box_of_an_upright_face_is_the_crop_s() -> None:
    face = _face(400, 300, height=71)

    (seen,) = look_again(_drawn(face), [face], _DotsNetwork().look)

    assert seen.box.width == pytest.approx(64, rel=0.02)  # such a face is as large in the crop as in the picture
    assert seen.box.height == pytest.approx(90, rel=0.02)
    assert (seen.box.left + seen.box.right) / 2 == pytest.approx(face[2, 0], abs=1)


def test_the_box_of_a_tilted_face_does_not_swell() -> None:
    face = _face(400, 300, height=71, degrees=45)

    (seen,) = look_again(_drawn(face), [face], _DotsNetwork().look)

    oval = np.hypot(64, 90) / np.sqrt(2)  # of the axes' ends, each adds its share; the rectangle would need 109
    assert (seen.box.width, seen.box.height) == pytest.approx((oval, oval), rel=0.02)


def test_a_lying_face_s_box_lies() -> None:
    face = _face(400, 300, height=71, degrees=90)

    (seen,) = look_again(_drawn(face), [face], _DotsNetwork().look)

    assert (seen.box.width, seen.box.height) == pytest.approx((90, 64), rel=0.02)


def test_beyond_the_picture_s_edge_the_crop_is_black() -> None:
    network = _DotsNetwork()
    face = _face(30, 300)  # about a third of its crop is beyond the left edge

    look_again(_drawn(face), [face], network.look)

    (crop,) = network.canvases
    assert not crop[:, :20].any()
    assert crop[:, 45:].any(axis=2).all()
