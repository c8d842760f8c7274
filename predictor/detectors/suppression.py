"""Of many boxes around one face, keep the surest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def suppress(boxes: Floats, scores: Floats, max_overlap: float) -> Indices:
    """Return the indices of the boxes to keep, surest first.

    Args:
        boxes: Left, top, right, bottom; shape (N, 4).
        scores: Shape (N,).
        max_overlap: From this intersection over union on, two boxes are the same face.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        surest, others = order[0], order[1:]
        kept.append(int(surest))
        order = others[overlaps(boxes[surest], boxes[others]) < max_overlap]
    return np.array(kept, np.intp)


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return the intersection over union of one box, shape (4,), with many, shape (N, 4)."""
    corner, far_corner = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    intersection = np.prod(np.maximum(far_corner - corner, 0.0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - intersection
    shares: Floats = intersection / np.maximum(union, np.finfo(np.float32).tiny)
    return shares
