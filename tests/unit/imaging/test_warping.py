from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.faces import Crop, Landmarks
from predictor.imaging.heads import _FIVE_PLACES
from predictor.imaging.skin import SIZE, FaceMap, grid, map_face
from predictor.imaging.warping import _areas, fit
from tests.unit.imaging.test_heads import _turned


def _map(yaw: float, seed: int = 0) -> FaceMap:
    """A head turned by so many degrees, in one colour."""
    points = _turned(yaw, 0.0, 27.0) - np.array([200, 150], np.float32) + np.array([63.5, 50.0], np.float32)
    points += np.random.default_rng(seed).normal(0, 0.3, points.shape).astype(np.float32)
    image = np.full((SIZE, SIZE, 3), (200, 150, 130), np.uint8)
    return map_face(Crop(image, np.eye(2, 3), points), 0.9)


def _sampled(field: np.ndarray, marks: Landmarks) -> np.ndarray:
    """What a coarse field over the destination says at landmarks."""
    step = SIZE / field.shape[0]
    at = ((marks + 0.5) / step - 0.5).astype(np.float32)
    return cv2.remap(field, at[:, :1], at[:, 1:], cv2.INTER_LINEAR)[:, 0]


@pytest.mark.parametrize(("source", "destination"), [(0, 0), (0, 30), (10, -30), (-10, 36)])
def test_eyes_nose_and_mouth_meet_the_destinations(source: float, destination: float) -> None:
    giver, receiver = _map(source, 1), _map(destination, 2)

    laid = fit(giver, receiver)

    assert laid.kind == "warp"
    np.testing.assert_allclose(_sampled(laid.straight, receiver.landmarks), giver.landmarks, atol=0.6)


@pytest.mark.parametrize("source", [-60, -30, 0, 15, 40])
@pytest.mark.parametrize("destination", [-36, -15, 0, 30])
def test_a_warp_never_folds(source: float, destination: float) -> None:
    giver, receiver = _map(source, 3), _map(destination, 4)

    laid = fit(giver, receiver)

    step = SIZE // laid.straight.shape[0]
    shown = (receiver.inside & (laid.trust > 0))[::step, ::step]
    straight = laid.share[::step, ::step]
    if laid.kind == "similarity":
        assert abs(source) >= 45 or abs(source - destination) > 60
        return
    assert (_areas(laid.straight)[shown & (straight == 1.0)] > 0).all()
    if laid.mirrored is not None:
        assert (_areas(laid.mirrored)[shown & (straight == 0.0)] < 0).all()


@pytest.mark.parametrize("yaw", [-70, -55, -40, 50, 65])
def test_a_near_profile_gets_a_plain_similarity(yaw: float) -> None:
    laid = fit(_map(0), _map(yaw))

    areas = _areas(laid.straight)
    assert laid.kind == "similarity"
    assert areas.std() < 1e-3 * areas.mean()


def test_a_source_that_looks_the_other_way_is_mirrored_onto_a_profile() -> None:
    laid = fit(_map(40), _map(-60))

    assert laid.kind == "similarity"
    assert (_areas(laid.straight) < 0).all()


def test_a_profile_is_held_by_the_landmarks_on_the_side_that_is_seen() -> None:
    giver, receiver = _map(0), _map(-60)

    found = _sampled(fit(giver, receiver).straight, receiver.landmarks)

    seen = [1, 2, 4]
    assert np.linalg.norm(found - giver.landmarks, axis=1)[seen].max() < 6.0


def test_a_frontal_source_is_not_mirrored() -> None:
    laid = fit(_map(3), _map(25))

    assert laid.mirrored is None
    assert laid.share.min() == 1.0


@pytest.mark.parametrize("yaw", [-35, 35])
def test_the_half_that_a_turned_source_hides_comes_from_the_other_half(yaw: float) -> None:
    giver, receiver = _map(yaw), _map(0)

    laid = fit(giver, receiver)

    hidden, shown = (0.5, -0.5) if yaw > 0 else (-0.5, 0.5)
    eyes = {x: receiver.landmarks[0 if x < 0 else 1].round().astype(int) for x in (hidden, shown)}
    near_eye = giver.landmarks[0 if shown < 0 else 1]
    assert laid.mirrored is not None
    assert laid.share[eyes[hidden][1], eyes[hidden][0]] == 0.0
    assert laid.share[eyes[shown][1], eyes[shown][0]] == 1.0
    found = _sampled(laid.mirrored, receiver.landmarks[[0 if hidden < 0 else 1]])[0]
    np.testing.assert_allclose(found, near_eye, atol=0.8)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_a_picture_laid_over_itself_stays_where_it_is(size: int) -> None:
    face = _map(0)
    picture = np.zeros((size, size, 3), np.uint8)
    cv2.circle(picture, (size // 2, size // 2), size // 10, (255, 255, 255), -1, cv2.LINE_AA)

    seen = fit(face, face).seen(picture, size)

    assert cv2.PSNR(seen, picture) > 30


def test_a_large_source_is_shrunk_before_it_is_sampled() -> None:
    face = _map(0)
    rows, columns = np.indices((512, 512)) // 3
    checks = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)

    seen = fit(face, face).seen(checks, 128)

    assert seen[40:90, 40:90].std() < 50


def test_the_grid_names_pixel_centres() -> None:
    np.testing.assert_allclose(grid(64)[0, 0], (0.5, 0.5))
    np.testing.assert_allclose(grid(SIZE)[3, 7], (7, 3))
    assert _FIVE_PLACES.shape == (5, 3)
