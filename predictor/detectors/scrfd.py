"""SCRFD: insightface's detector, run by insightface's own class on a session of ours.

The class looks at the picture in two sizes, as insightface does by default: at 640 pixels, and at 128 for faces that
fill the frame. What it finds is taken as it is, pixel for pixel what insightface finds. Only where it finds nothing,
the ladder's other views are tried, with its second look.

Source: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.detectors.candidates import Candidates
from predictor.detectors.ladder import LADDER, find
from predictor.errors import DegenerateLandmarks, StageFailed, StartupError
from predictor.faces import Box, Face
from predictor.imaging.alignment import ARCFACE_112, similarity
from predictor.runtime.session import Network
from predictor.stages import carry_on, require_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from predictor.faces import Image, Landmarks
    from predictor.runtime.session import Node, Session, Tensor

_STAGE = "scrfd"
_SIDES = (128, 640)
_LEAST_SCORE, _MAX_OVERLAP = 0.5, 0.4
_STRIDES = 3
_TOLERANCE = 0.1
"""A probe without faces has scores of nearly 0, where an error of 0.1 before the sigmoid is one of 10 % after it."""


class Scrfd:
    """Detector backed by an SCRFD graph: input (1, 3, H, W), about -1 to 1, RGB, sides multiples of 32.

    Boxes and landmarks may reach beyond the picture.
    """

    def __init__(self, session: Session) -> None:
        self._scrfd = _insightface_s_own(_Checked(session))

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:
        """Return every face of a picture, surest first; an empty list where there is none.

        Raises:
            StageFailed: The network's answer cannot be right: not finite, or constant.
        """
        return self.plain(image) or find(image, self._look, LADDER[1:], check)

    def plain(self, image: Image) -> list[Face]:
        """Return what the first step of the ladder finds: insightface's own two sizes."""
        if min(image.shape[:2]) * min(_SIDES) < max(image.shape[:2]):
            return []  # so narrow that the class would shrink it to nothing
        seen = self._seen(image, _SIDES)
        return [
            Face(Box(*box.tolist()), landmarks, float(score), LADDER[0].name)
            for box, landmarks, score in zip(seen.boxes, seen.landmarks, seen.scores, strict=True)
        ]

    def _look(self, canvases: Sequence[Image]) -> list[Candidates]:
        return [self._seen(canvas, [max(canvas.shape[:2])]) for canvas in canvases]

    def _seen(self, image: Image, sides: Sequence[int]) -> Candidates:
        """Return the faces found on a picture scaled into squares of such sides: few sizes, flat memory."""
        # Boxes without an area make the class divide by 0; they are dropped here.
        with np.errstate(divide="ignore", invalid="ignore"):
            boxes, landmarks = self._scrfd.detect(image, [(side, side) for side in sides])
        height, width = image.shape[:2]
        possible = np.array(
            [
                _is_visible(Box(*box.tolist()), width, height) and _can_be_aligned(points)
                for box, points in zip(boxes[:, :4], landmarks, strict=True)
            ],
            bool,
        )
        return Candidates(boxes[possible, :4], boxes[possible, 4], landmarks[possible])


class _Checked:
    """A session between insightface's class and ours: checks every answer, and hands on red first.

    The class turns the colours of its input round, since its callers' pictures have blue first and ours do not. Here
    they are turned back, on the few pixels the network sees instead of on the whole picture.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_inputs(self) -> Sequence[Node]:
        return self._session.get_inputs()

    def get_outputs(self) -> Sequence[Node]:
        return self._session.get_outputs()

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        """Run once.

        Raises:
            StageFailed: An answer is not finite; or the boxes or landmarks of a stride are all the same. (Scores may
                be: where nothing is like a face, all are 0.)
        """
        feed = {name: np.ascontiguousarray(pixels[:, ::-1]) for name, pixels in input_feed.items()}
        (given,) = feed.values()
        answers = self._session.run(output_names, feed)
        for scores in answers[:_STRIDES]:
            if not np.isfinite(scores).all():
                raise StageFailed(_STAGE, "the network's answer is not finite")
        for places in answers[_STRIDES:]:
            require_answer(_STAGE, places, given)
        return answers


def scrfd_network(path: Path) -> Network:
    """Return the network in a file, free in size."""
    probe = np.random.default_rng(0).uniform(-1, 1, (1, 3, max(_SIDES), max(_SIDES)))
    return Network(path.stem, path, {"input.1": probe.astype(np.float32)}, _TOLERANCE)


def _insightface_s_own(session: _Checked) -> Any:  # noqa: ANN401  insightface has no types
    # Not at the top: it takes a second, and recipes without it must not wait.
    from insightface.model_zoo.scrfd import SCRFD  # noqa: PLC0415

    scrfd = SCRFD(session=session)
    if not scrfd.use_kps or scrfd.fmc != _STRIDES:
        raise StartupError(
            f"{_STAGE}: a network of {len(session.get_outputs())} outputs is no SCRFD that finds landmarks; "
            "that has nine: scores, boxes and landmarks at three strides"
        )
    scrfd.prepare(0, det_thresh=_LEAST_SCORE, nms_thresh=_MAX_OVERLAP)
    return scrfd


def _is_visible(box: Box, width: int, height: int) -> bool:
    seen = box.clipped(width, height)
    return seen.width > 0 and seen.height > 0


def _can_be_aligned(landmarks: Landmarks) -> bool:
    try:
        similarity(landmarks, ARCFACE_112.points)
    except DegenerateLandmarks:
        return False
    return True
