"""A face drawn by hand: what networks prove themselves on where there is no photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.faces import Box, Face

if TYPE_CHECKING:
    from predictor.faces import Image

_SIZE = 256
_LANDMARKS = np.array([(100, 112), (156, 112), (128, 142), (106, 172), (150, 172)], np.float32)
_BOX = Box(72, 68, 184, 208)


def drawn_face() -> tuple[Image, Face]:
    """Return an oval with eyes, nose and mouth on a noisy ground, 256x256, and the face as a detector would give it."""
    rng = np.random.default_rng(0)
    image = np.full((_SIZE, _SIZE, 3), (90, 110, 130), np.uint8)
    cv2.ellipse(image, (128, 138), (56, 72), 0, 0, 360, (206, 160, 136), -1, cv2.LINE_AA)
    for x, y in _LANDMARKS[:2].astype(int).tolist():
        cv2.ellipse(image, (x, y), (11, 6), 0, 0, 360, (240, 236, 230), -1, cv2.LINE_AA)
        cv2.circle(image, (x, y), 5, (60, 40, 30), -1, cv2.LINE_AA)
        cv2.line(image, (x - 14, y - 14), (x + 14, y - 16), (70, 50, 40), 4, cv2.LINE_AA)
    cv2.line(image, (128, 116), (124, 142), (176, 130, 110), 3, cv2.LINE_AA)
    cv2.ellipse(image, (128, 172), (24, 8), 0, 0, 360, (170, 80, 84), -1, cv2.LINE_AA)
    noise = rng.integers(-6, 7, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), Face(_BOX, _LANDMARKS, 1.0)
