"""GFPGAN 1.2, 1.3 and 1.4: a network that paints a face anew, with the detail that was lost.

Source of the contract (template, range, rounding): gfpgan's utils.py and facexlib's face_restoration_helper.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from predictor.imaging.alignment import FFHQ_512, align
from predictor.imaging.drawn_face import drawn_face
from predictor.imaging.planes import to_planes, write_pixels
from predictor.runtime.graph_file import GraphFile
from predictor.runtime.session import Network
from predictor.stages import answer_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Image
    from predictor.imaging.planes import Planes
    from predictor.resources import Resources
    from predictor.runtime.session import Session

# Community exports of the official weights, by version: the same function, a little slower.
_EXPORTS = {"1.4": ("GFPGANv1.4.onnx",)}


class Gfpgan:
    """Restorer backed by a GFPGAN graph: input and output (1, 3, 512, 512), -1 to 1, RGB.

    Crops go through it one by one: on a processor two at once take twice the time of one.

    Args:
        session: Of the graph.
    """

    template = FFHQ_512
    trained = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, restored, same sizes.

        Raises:
            StageFailed: The network's answer is not finite, constant or of another shape.
        """
        return [self._restored(crop) for crop in crops]

    def _restored(self, crop: Image) -> Image:
        given = centred(crop)
        answer = answer_to(given, self._session, "restore", given.shape)
        restored = np.empty(crop.shape, np.uint8)
        write_pixels((answer[0] + 1) / 2, restored)
        return restored


def open_gfpgan(resources: Resources, version: str) -> Gfpgan:
    """Open a version of GFPGAN: 1.2, 1.3 or 1.4.

    Raises:
        StartupError: The file cannot be run.
    """
    path = resources.weights.find(f"gfpgan_{version}.onnx", *_EXPORTS.get(version, ()))
    with GraphFile(path) as graph:
        (given,) = graph.inputs
    image, face = drawn_face()
    probe = {given: centred(align(image, face.landmarks, FFHQ_512).image)}
    return Gfpgan(resources.open_session(Network(f"gfpgan_{version}", path, probe)))


def centred(crop: Image) -> Planes:
    """Return a crop as float32 of shape (1, 3, size, size), -1 to 1."""
    return (to_planes(crop) - np.float32(0.5)) / np.float32(0.5)
