"""ParseNet: the network GFPGANer masks restored faces with. It costs more than GFPGAN itself.

Source of the contract (classes, blur, border): facexlib's utils/face_restoration_helper.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.imaging.alignment import FFHQ_512, align
from predictor.imaging.drawn_face import drawn_face
from predictor.restorers.gfpgan import centred
from predictor.runtime.graph_file import GraphFile
from predictor.runtime.session import Network
from predictor.stages import answer_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from predictor.faces import Image, Mask
    from predictor.resources import Resources
    from predictor.runtime.session import Session

_CLASSES = 19
# Skin, features, glasses, hair, ears and earrings; no background, hat, necklace, neck or clothes. The order is
# CelebAMask-HQ's.
_FACE = np.isin(np.arange(_CLASSES), [*range(1, 14), 15])
_BLUR, _SIGMA, _TIMES = (101, 101), 11, 2
_BORDER = 10
_FAINTEST = 1e-3
"""What is less moves no pixel by half a level; cut off, the blur's far tail touches none."""


class ParseNet:
    """Face parser backed by a ParseNet graph: input (1, 3, 512, 512), -1 to 1, RGB; output (1, 19, 512, 512).

    Args:
        session: Of the graph.
    """

    template = FFHQ_512

    def __init__(self, session: Session) -> None:
        self._session = session

    def parse(self, crops: Sequence[Image]) -> list[Mask]:
        """Return where each crop shows the face, softly: shape (size, size), 0 to 1, 0 at the crop's border.

        Raises:
            StageFailed: The network's answer is not finite, constant or of another shape.
        """
        return [self._parsed(crop) for crop in crops]

    def _parsed(self, crop: Image) -> Mask:
        given = centred(crop)
        answer = answer_to(given, self._session, "restore", (1, _CLASSES, *given.shape[2:]))
        return soft_mask(answer[0].argmax(axis=0))


def soft_mask(classes: npt.NDArray[np.int64]) -> Mask:
    """Return where a face is, softly, from the class of each pixel, shape (H, W)."""
    mask = _FACE[classes].astype(np.float32)
    for _ in range(_TIMES):
        mask = cv2.GaussianBlur(mask, _BLUR, _SIGMA).astype(np.float32, copy=False)
    inside = np.zeros_like(mask)
    within = slice(_BORDER, -_BORDER)
    inside[within, within] = np.minimum(mask[within, within], 1.0)  # rounding errors add up
    inside[inside < _FAINTEST] = 0.0
    return inside


def open_parsenet(resources: Resources) -> ParseNet:
    """Open `parsenet.onnx`.

    Raises:
        StartupError: The file cannot be run.
    """
    path = resources.weights.find("parsenet.onnx")
    with GraphFile(path) as graph:
        (given,) = graph.inputs
    image, face = drawn_face()
    probe = {given: centred(align(image, face.landmarks, FFHQ_512).image)}
    return ParseNet(resources.open_session(Network("parsenet", path, probe)))
