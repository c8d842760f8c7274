"""Each step of the ladder finds a picture that the steps before it miss, and no step invents a face."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import pytest

from predictor.detectors.candidates import Candidates
from predictor.detectors.ladder import LADDER, find
from predictor.errors import DeadlineExceeded
from predictor.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.detectors.centerface import CenterFace
    from predictor.faces import Image, Landmarks

    Scene: TypeAlias = tuple[Image, Landmarks, float]
    """A picture, where the landmarks are in it, and the height of the face."""


@pytest.fixture
def small_face(grace_hopper: Image, grace_hopper_landmarks: Landmarks) -> Scene:
    """A face 18 pixels high in a picture of 1280."""
    scale = 50 / 600
    canvas = np.zeros((896, 1280, 3), np.uint8)
    canvas[400:450, 600:643] = cv2.resize(grace_hopper, (43, 50), interpolation=cv2.INTER_AREA)
    return canvas, (grace_hopper_landmarks + 0.5) * scale - 0.5 + (600, 400), 215 * scale


@pytest.fixture
def close_up(grace_hopper: Image, grace_hopper_landmarks: Landmarks) -> Scene:
    """Neither forehead nor chin nor ears fit in the frame."""
    return grace_hopper[177:325, 198:331], grace_hopper_landmarks - (198, 177), 215


@pytest.fixture
def portrait(grace_hopper: Image, grace_hopper_landmarks: Landmarks) -> Scene:
    """A face 19 pixels high in the corner of a black picture: so small, only heads that are upright are found."""
    scale = 52 / 600
    canvas = np.zeros((640, 640, 3), np.uint8)
    canvas[:52, :44] = cv2.resize(grace_hopper, (44, 52), interpolation=cv2.INTER_AREA)
    return canvas, (grace_hopper_landmarks + 0.5) * scale - 0.5, 215 * scale


def _turned(scene: Scene, quarter_turns: int) -> Scene:
    """Turn a scene clockwise."""
    picture, landmarks, height = scene
    for _ in range(quarter_turns):
        landmarks = np.stack([picture.shape[0] - 1 - landmarks[:, 1], landmarks[:, 0]], axis=1)
        picture = np.rot90(picture, -1)
    return picture, landmarks, height


def _assert_found_by(detector: CenterFace, scene: Scene, step: str) -> None:
    picture, landmarks, height = scene

    (face,) = detector.detect(picture)

    assert face.detected_by == step
    assert np.linalg.norm(face.landmarks - landmarks, axis=1).max() < 0.1 * height


def test_a_small_face_is_found_by_looking_larger(detector: CenterFace, small_face: Scene) -> None:
    _assert_found_by(detector, small_face, "larger")


def test_a_face_that_fills_the_frame_is_found_by_padding(detector: CenterFace, close_up: Scene) -> None:
    _assert_found_by(detector, close_up, "padded")


@pytest.mark.parametrize(("lies_turned_by", "step"), [(270, "rotated_90"), (180, "rotated_180"), (90, "rotated_270")])
def test_a_picture_on_its_side_or_head_is_found_by_turning_it_upright(
    detector: CenterFace, portrait: Scene, lies_turned_by: int, step: str
) -> None:
    _assert_found_by(detector, _turned(portrait, lies_turned_by // 90), step)


def _noise(rng: np.random.Generator) -> Image:
    return rng.integers(0, 256, (480, 640, 3), np.uint8)


def _clouds(rng: np.random.Generator) -> Image:
    noise = cv2.GaussianBlur(rng.normal(size=(480, 640, 3)).astype(np.float32), (0, 0), 15)
    return np.asarray((noise - noise.min()) / np.ptp(noise) * 255, np.uint8)


def _gradient(_: np.random.Generator) -> Image:
    return np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (480, 1, 3))


def _text(rng: np.random.Generator) -> Image:
    page = np.full((640, 480, 3), 255, np.uint8)
    for line in range(25):
        letters = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz OQ08:-)(")) for _ in range(40))
        cv2.putText(page, letters, (15, 30 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1)
    return page


def _drawn_discs(rng: np.random.Generator) -> Image:
    picture = np.full((480, 640, 3), (90, 120, 60), np.uint8)
    for x, y, radius in rng.integers((0, 0, 5), (640, 480, 90), (60, 3)):
        cv2.circle(picture, (int(x), int(y)), int(radius), rng.integers(0, 256, 3).tolist(), -1)
    return picture


@pytest.mark.parametrize("drawn", [_noise, _clouds, _gradient, _text, _drawn_discs])
def test_nothing_is_found_where_nothing_is(
    detector: CenterFace, rng: np.random.Generator, drawn: Callable[[np.random.Generator], Image]
) -> None:
    assert detector.detect(drawn(rng)) == []


def test_nothing_is_found_on_a_suit_without_its_head(detector: CenterFace, astronaut: Image) -> None:
    assert detector.detect(astronaut[200:]) == []


def test_the_ladder_ends_at_the_first_view_that_shows_a_face() -> None:
    network = _Network(blind_to=2)

    (face,) = find(np.zeros((300, 400, 3), np.uint8), network.look)

    assert face.detected_by == LADDER[2].name
    assert network.canvases == [(512, 640), (1024, 1280), (256, 320), (128, 128)]


def test_every_view_is_tried_before_there_is_no_face() -> None:
    network = _Network(blind_to=len(LADDER))

    assert find(np.zeros((300, 400, 3), np.uint8), network.look) == []
    assert network.canvases == [(512, 640), (1024, 1280), (256, 320), (640, 512), (512, 640), (640, 512)]


class _Network:
    """Sees an upright face in the middle of every canvas, but in none of the first few."""

    def __init__(self, blind_to: int) -> None:
        self.canvases: list[tuple[int, ...]] = []
        self._blind_to = blind_to

    def look(self, canvases: Sequence[Image]) -> list[Candidates]:
        self.canvases += [canvas.shape[:2] for canvas in canvases]
        sees = len(self.canvases) > self._blind_to
        return [_one_face(canvas) if sees else _no_face() for canvas in canvases]


def _one_face(canvas: Image) -> Candidates:
    height, width = canvas.shape[:2]
    # FFHQ's layout as the second look has it, so that it finds the face where the first look left it.
    points = np.array([(48.2, 60.0), (79.7, 60.0), (64.2, 78.5), (50.3, 92.9), (78.3, 92.8)], np.float32) - 63.5
    landmarks = points / np.float32(1.2) + np.array(((width - 1) / 2, (height - 1) / 2), np.float32)
    low, high = landmarks.min(axis=0) - 20, landmarks.max(axis=0) + 20
    return Candidates(np.hstack([low, high])[None].astype(np.float32), np.ones(1, np.float32), landmarks[None])


def _no_face() -> Candidates:
    return Candidates(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))


def test_nobody_waits_for_a_view_after_the_deadline() -> None:
    looked: list[int] = []
    job = Job()

    def look(canvases: Sequence[Image]) -> list[Candidates]:
        looked.append(len(canvases))
        job.abandon()  # while the first view is looked at
        return [Candidates(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))]

    with pytest.raises(DeadlineExceeded):
        find(np.zeros((64, 64, 3), np.uint8), look, check=job.check)

    assert looked == [1]
