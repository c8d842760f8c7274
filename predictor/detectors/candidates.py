"""What a network takes for faces on one canvas, and how many faces that really is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

_MAX_OVERLAP = 0.3  # as CenterFace's own code thins out boxes


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Places where a face may be, several for each face; in pixels of the canvas, the first one's centre at (0, 0)."""

    boxes: Floats
    """Left, top, right, bottom; shape (N, 4)."""
    scores: Floats
    """Shape (N,), 0 to 1."""
    landmarks: Floats
    """Shape (N, 5, 2)."""

    def at_least(self, score: float) -> Candidates:
        """Return the candidates of that score and above."""
        sure = self.scores >= score
        return Candidates(self.boxes[sure], self.scores[sure], self.landmarks[sure])

    def merged(self) -> Candidates:
        """Return one candidate a face, surest first: the mean of all that see it, the surer the weightier.

        Neighbouring cells of a network see the same face and err on their own, so the mean is steadier than the best.
        """
        groups = same_face(self.boxes, self.scores, _MAX_OVERLAP)
        return Candidates(
            np.array([_mean(self.boxes, self.scores, group) for group in groups], np.float32).reshape(-1, 4),
            np.array([self.scores[group[0]] for group in groups], np.float32),
            np.array([_mean(self.landmarks, self.scores, group) for group in groups], np.float32).reshape(-1, 5, 2),
        )


def same_face(boxes: Floats, scores: Floats, max_overlap: float) -> list[Indices]:
    """Return the indices of the boxes on each face, the surest face and the surest box of each first.

    Args:
        boxes: Left, top, right, bottom; shape (N, 4).
        scores: Shape (N,).
        max_overlap: From this intersection over union on, a box belongs to a surer one's face.
    """
    order = np.argsort(-scores, kind="stable")
    groups: list[Indices] = []
    while order.size:
        surest, others = order[:1], order[1:]
        same = _overlaps(boxes[surest[0]], boxes[others]) >= max_overlap
        groups.append(np.concatenate([surest, others[same]]))
        order = others[~same]
    return groups


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return the intersection over union of one box, shape (4,), with many, shape (N, 4)."""
    corners, far_corners = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    intersections = np.prod(np.maximum(far_corners - corners, 0.0), axis=1)
    unions = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - intersections
    shares: Floats = intersections / np.maximum(unions, np.finfo(np.float32).tiny)
    return shares


def _mean(values: Floats, scores: Floats, group: Indices) -> Floats:
    weights = np.square(scores[group])
    mean: Floats = np.average(values[group], axis=0, weights=weights)
    return mean
