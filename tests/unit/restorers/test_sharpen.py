from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.faces import Image
from predictor.imaging.alignment import FFHQ_512
from predictor.restorers.sharpen import Sharpen


def _face(astronaut: Image) -> Image:
    """The astronaut's face as a sharp crop of 512."""
    return cv2.resize(astronaut[40:200, 140:300], (512, 512), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _large_face(grace_hopper: Image) -> Image:
    return cv2.resize(grace_hopper[90:390, 115:415], (512, 512), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _blurred(face: Image, sigma: float) -> Image:
    return cv2.GaussianBlur(face, (0, 0), sigma).astype(np.uint8)


def _sharpness(face: Image) -> float:
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).mean())


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
@pytest.mark.parametrize("picture", ["astronaut", "grace_hopper"])
def test_a_blurred_face_comes_closer_to_the_sharp_one(
    astronaut: Image, grace_hopper: Image, picture: str, sigma: float
) -> None:
    sharp = _face(astronaut) if picture == "astronaut" else _large_face(grace_hopper)
    blurred = _blurred(sharp, sigma)

    (restored,) = Sharpen().restore([blurred])

    assert cv2.PSNR(restored, sharp) > cv2.PSNR(blurred, sharp) + 0.8
    assert _sharpness(restored) > 1.06 * _sharpness(blurred)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_small_faces_get_sharper_too(astronaut: Image, size: int) -> None:
    small = cv2.resize(_face(astronaut), (size, size), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, (512, 512), interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    (restored,) = Sharpen().restore([enlarged])

    assert _sharpness(restored) > 1.05 * _sharpness(enlarged)


def test_a_sharp_face_stays_nearly_as_it_is(grace_hopper: Image) -> None:
    sharp = _large_face(grace_hopper)

    (restored,) = Sharpen().restore([sharp])

    assert cv2.PSNR(restored, sharp) > 40.0


def test_no_edge_gets_a_halo() -> None:
    step = np.full((512, 512, 3), 60, np.uint8)
    step[:, 256:] = 190

    (restored,) = Sharpen().restore([_blurred(step, 3.0)])

    assert restored.min() >= 60
    assert restored.max() <= 190


def test_faint_noise_is_not_raised(rng: np.random.Generator) -> None:
    noisy = np.clip(128 + rng.normal(0, 0.6, (512, 512, 1)).repeat(3, axis=2), 0, 255).astype(np.uint8)

    (restored,) = Sharpen().restore([noisy])

    assert restored.std() < 1.3 * noisy.std()


def test_colours_stay(astronaut: Image) -> None:
    blurred = _blurred(_face(astronaut), 2.5)

    (restored,) = Sharpen().restore([blurred])

    chroma = [cv2.cvtColor(face, cv2.COLOR_RGB2YCrCb)[..., 1:].astype(int) for face in (blurred, restored)]
    assert np.abs(chroma[0] - chroma[1]).mean() < 0.6
    assert abs(float(restored.mean()) - float(blurred.mean())) < 1.0


def test_black_and_white_do_not_wrap_around() -> None:
    extremes = np.zeros((512, 512, 3), np.uint8)
    extremes[::2] = 255

    (restored,) = Sharpen().restore([extremes])

    assert set(np.unique(restored)) <= {0, 255}


def test_many_crops_come_back_in_order_and_none_comes_back_as_none(astronaut: Image) -> None:
    face = _face(astronaut)
    dark = (face // 2).astype(np.uint8)

    restored = Sharpen().restore([face, dark])

    assert restored[0].mean() > 1.8 * restored[1].mean()
    assert Sharpen().restore([]) == []
    assert Sharpen.template is FFHQ_512
