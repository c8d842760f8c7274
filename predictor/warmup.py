"""Every stage once on a drawn face, so that a broken model is found before a client finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import StageFailed
from predictor.imaging.drawn_face import drawn_face
from predictor.job import Job
from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
from predictor.selection import Scene, Source

if TYPE_CHECKING:
    from predictor.faces import Image
    from predictor.pipelines import AnyPipeline

# The part of the picture that lies inside any swapper's mask: from brow to lower lip.
_INNER = (slice(100, 180), slice(98, 158))


def warm_up(pipeline: AnyPipeline) -> None:
    """Detect, swap, restore and upsample a drawn face.

    Raises:
        StageFailed: A stage gave an answer that is not finite, in one colour or of the wrong shape.
    """
    image, face = drawn_face()
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


def _require_detail(stage: str, image: Image, scale: int) -> None:
    rows, columns = (slice(part.start * scale, part.stop * scale) for part in _INNER)
    if int(np.ptp(image[rows, columns])) == 0:
        raise StageFailed(stage, "the warm-up picture came out in one colour")
