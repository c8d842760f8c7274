"""Where a crop counts, and how softly. Every mask here is 0 at the crop's border, so that no rectangle can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from predictor.faces import Mask
    from predictor.imaging.alignment import LandmarkTemplate

# A face in units of the distance between its eyes: about 2.6 wide, 3.4 from hairline to chin.
_ELLIPSE_HALF_WIDTH = 1.45
_ELLIPSE_HALF_HEIGHT = 1.9
_ELLIPSE_FEATHER = 0.35


def feathered(inside: npt.NDArray[np.bool_], width: float | Mask) -> Mask:
    """Return a mask that is 0 outside a shape and rises to 1 over a width inside it.

    The slope is smooth at both ends, so that neither shows as a line.

    Args:
        inside: The shape, (H, W); what lies beyond the array counts as outside.
        width: Pixels from the shape's edge to where the mask is 1; one number, or one for each pixel.
    """
    framed = cv2.copyMakeBorder(inside.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    rise = np.clip((depth - 0.5) / np.maximum(width, 0.5), 0.0, 1.0)
    return smooth(rise.astype(np.float32))


def soft_square(size: int, feather: float = 0.1) -> Mask:
    """Return a mask of a whole crop that fades towards all four sides.

    Args:
        size: Width and height of the crop, in pixels.
        feather: Width of the fade, as a share of the size.
    """
    places = np.arange(size)
    rise = np.clip(np.minimum(places, size - 1 - places) / max(feather * size, 1.0), 0.0, 1.0)
    edge = smooth(rise.astype(np.float32))
    return edge[:, None] * edge[None, :]


def soft_ellipse(template: LandmarkTemplate, reach: float = 1.0, border: float = 0.05) -> Mask:
    """Return a mask of the face that a template's crops show: an ellipse from hairline to chin that fades.

    Args:
        template: Its points say where the face lies and how large it is.
        reach: How much larger than the face the ellipse is.
        border: Width of the fade towards the crop's sides, as a share of its size.
    """
    eyes, mouth = template.points[:2].mean(axis=0), template.points[3:].mean(axis=0)
    unit = float(np.linalg.norm(template.points[1] - template.points[0]))
    centre = eyes + (mouth - eyes) * 0.45
    rows, columns = np.ogrid[: template.size, : template.size]
    half_width, half_height = _ELLIPSE_HALF_WIDTH * unit * reach, _ELLIPSE_HALF_HEIGHT * unit * reach
    radius = np.hypot((columns - centre[0]) / half_width, (rows - centre[1]) / half_height)
    rise = np.clip((1.0 - radius) / _ELLIPSE_FEATHER, 0.0, 1.0)
    return smooth(rise.astype(np.float32)) * soft_square(template.size, border)


def smooth(rise: Mask) -> Mask:
    """Round off both ends of a straight rise from 0 to 1, so that neither shows as a line."""
    return rise * rise * (3.0 - 2.0 * rise)
