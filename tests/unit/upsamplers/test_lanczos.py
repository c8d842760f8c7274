from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.faces import Image
from predictor.upsamplers.lanczos import Lanczos


def _halved(image: Image, scale: int) -> Image:
    height, width = image.shape[:2]
    return cv2.resize(image, (width // scale, height // scale), interpolation=cv2.INTER_AREA).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_picture_becomes_so_many_times_as_large(astronaut: Image, scale: int) -> None:
    small = astronaut[:31, :57]

    assert Lanczos().upsample(small, scale).shape == (31 * scale, 57 * scale, 3)


@pytest.mark.parametrize("scale", [2, 4])
def test_it_comes_closer_to_the_original_than_a_linear_enlargement(astronaut: Image, scale: int) -> None:
    small = _halved(astronaut, scale)
    linear = cv2.resize(small, (512, 512), interpolation=cv2.INTER_LINEAR)

    enlarged = Lanczos().upsample(small, scale)

    assert cv2.PSNR(enlarged, astronaut) > cv2.PSNR(linear, astronaut) + 0.3


@pytest.mark.parametrize("scale", [2, 4])
def test_no_edge_gets_a_halo_and_nothing_wraps_around(scale: int) -> None:
    step = np.zeros((32, 32, 3), np.uint8)
    step[:, 16:] = 255
    grey = np.full((32, 32, 3), 40, np.uint8)
    grey[:, 16:] = 200

    black_and_white, soft = Lanczos().upsample(step, scale), Lanczos().upsample(grey, scale)

    assert (np.diff(black_and_white[16, :, 0].astype(int)) >= 0).all()
    assert soft.min() == 40
    assert soft.max() == 200


@pytest.mark.parametrize("scale", [2, 4])
def test_pixel_centres_stay_where_they_are(scale: int) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    cv2.circle(image, (14, 25), 6, (255, 255, 255), -1)

    enlarged = Lanczos().upsample(image, scale)

    moments = cv2.moments(enlarged[..., 0])
    assert moments["m10"] / moments["m00"] == pytest.approx((14 + 0.5) * scale - 0.5, abs=0.05 * scale)
    assert moments["m01"] / moments["m00"] == pytest.approx((25 + 0.5) * scale - 0.5, abs=0.05 * scale)


def test_a_plain_picture_stays_plain() -> None:
    plain = np.full((9, 5, 3), (12, 130, 250), np.uint8)

    assert (Lanczos().upsample(plain, 4) == (12, 130, 250)).all()


def test_a_single_pixel_can_be_enlarged() -> None:
    assert Lanczos().upsample(np.full((1, 1, 3), 77, np.uint8), 4).tolist() == [[[77, 77, 77]] * 4] * 4
