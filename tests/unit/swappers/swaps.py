"""The sample faces, and how to put one onto another with a swapper."""

from __future__ import annotations

from collections.abc import Mapping

from predictor.faces import Face, Identity, Image
from predictor.imaging.alignment import align, scale_of, similarity
from predictor.imaging.compositing import paste_back
from predictor.stages import Swapper
from tests.unit.swappers.metrics import Swap

Faces = Mapping[str, tuple[Image, Face]]

SIX = [f"six_{number}" for number in range(1, 7)]
PAIRS = [
    *[("astronaut", six) for six in SIX],
    *[(six, "astronaut") for six in SIX],
    *[("astronaut", "grace_hopper"), ("grace_hopper", "astronaut")],
]
"""Who goes onto whom: frontal, tilted and turned heads, glasses, a fringe, a hat, light from all sides."""


def swapped(swapper: Swapper, faces: Faces, source: str, destination: str) -> Swap:
    """Put one face onto another, as the pipeline does."""
    giver, giving = faces[source]
    picture, receiving = faces[destination]
    identity = Identity(align(giver, giving.landmarks, swapper.source_template), None)
    fitting = (t for t in swapper.templates if scale_of(similarity(receiving.landmarks, t.points)) >= 1.0)
    crop = align(picture, receiving.landmarks, next(fitting, swapper.templates[-1]))
    (result,) = swapper.swap([crop], [identity])
    canvas = picture.copy()
    mask = paste_back(canvas, result.image, result.mask, crop.matrix)
    return Swap(giver, giving, picture, receiving, canvas, mask, result.fit)
