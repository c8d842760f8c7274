"""Every stage once on a drawn face, so that a broken model is found before a client finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.errors import StageFailed
from predictor.faces import Box, Face, Image
from predictor.job import Job
from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
from predictor.selection import Scene, Source

if TYPE_CHECKING:
    from predictor.pipelines import AnyPipeline

_SIZE = 256
_LANDMARKS = np.array([(100, 112), (156, 112), (128, 142), (106, 172), (150, 172)], np.float32)
_BOX = Box(72, 68, 184, 208)
# The part of the picture that lies inside any swapper's mask: from brow to lower lip.
_INNER = (slice(100, 180), slice(98, 158))


def warm_up(pipeline: AnyPipeline) -> None:
    """Detect, swap, restore and upsample a drawn face.

    Raises:
        StageFailed: A stage gave an answer that is not finite, in one colour or of the wrong shape.
    """
    image, face = _drawn_face()
    scene = Scene("the warm-up picture", image, [face])
    mirrored = Scene(scene.label, np.ascontiguousarray(image[:, ::-1]), [face])
    job = Job()
    pipeline.find_faces(image, scene.label, job)
    pairs = (Pair(),)
    givers = pipeline.identify_all([Source("warm-up", mirrored)], pairs, job)

    def swap(options: SwapOptions) -> Image:
        return pipeline.swap(scene, givers, options, job).image

    _require_detail("swap", swap(SwapOptions(pairs)), 1)
    if pipeline.can_restore:
        _require_detail("restore", swap(SwapOptions(pairs, restore=RestoreOptions())), 1)
    for scale in pipeline.scales:
        enlarged = pipeline.enhance(scene, EnhanceOptions(None, scale), job).image  # type: ignore[arg-type]
        _require_detail("upsample", enlarged, scale)


def _drawn_face() -> tuple[Image, Face]:
    """Return an oval with eyes, nose and mouth on a noisy ground, and the face as a detector would give it."""
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


def _require_detail(stage: str, image: Image, scale: int) -> None:
    rows, columns = (slice(part.start * scale, part.stop * scale) for part in _INNER)
    if int(np.ptp(image[rows, columns])) == 0:
        raise StageFailed(stage, "the warm-up picture came out in one colour")
