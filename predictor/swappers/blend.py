"""Blend: the embedded swapper. It lays the source's own pixels over the destination's face; it needs no weights.

The source is warped so that eyes, nose and mouth meet the destination's, lit as the destination is lit, and faded in
on the skin that both pictures show: below both hairlines, on the visible side of a turned head. Brows, lids and rims of
glasses that the destination has and the source does not cover are smoothed away, so that nothing shows twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.faces import SwappedCrop
from predictor.imaging.alignment import ARCFACE_112, LandmarkTemplate
from predictor.imaging.colour import match_colours, spread
from predictor.imaging.masks import feathered
from predictor.imaging.skin import SIZE, map_face
from predictor.imaging.warping import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Crop, Identity, Image, Mask
    from predictor.imaging.colour import ColourMatch, Pixels
    from predictor.imaging.skin import FaceMap, Inside
    from predictor.imaging.warping import Fit

# ARCFACE_112 ends above the chin; this layout shows a whole face with some room, so 168 pixels instead of 112, around
# a centre between nose and mouth.
_WHOLE_FACE = LandmarkTemplate(
    "blend", 168, ARCFACE_112.points - np.array([56.0, 65.0], np.float32) + np.float32((168 - 1) / 2)
)

# In distances between the eyes.
_FEATHER = 0.34
_ERASER_FEATHER = 0.2
_ERASED = (-0.55, 0.3)
_ERASED_HALF_WIDTH = 1.15
_LEAST_FACING = 0.3
"""Towards a head's outline its surface is seen at a slant, and a fade takes fewer pixels: this share at least."""
_BARE_SKIN = 0.7
_LEAST_WEIGHT = 1e-3
_HALF, _TINY = 0.5, 1e-6


class Blend:
    """Swapper without weights: warp, match colours, blend."""

    source_template = _WHOLE_FACE.scaled(512)
    templates = tuple(_WHOLE_FACE.scaled(size) for size in (128, 256, 512, 1024))
    trained = False

    def swap(self, crops: Sequence[Crop], identities: Sequence[Identity]) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position."""
        sources = {id(identity): map_face(identity.crop) for identity in identities}
        return [
            _blended(identity.crop.image, sources[id(identity)], crop)
            for crop, identity in zip(crops, identities, strict=True)
        ]


def _blended(source_image: Image, source: FaceMap, crop: Crop) -> SwappedCrop:
    size = crop.image.shape[0]
    destination = map_face(crop)
    laid = fit(source, destination)
    shown = laid.seen(source.inside.astype(np.float32), SIZE) > _HALF
    both = destination.inside & shown
    painted = _colours(source, destination, laid, both).applied(laid.seen(source_image, size))
    mask = _enlarged(_faded(both, destination, _FEATHER), size)
    eraser = _enlarged(_eraser(destination, laid), size)
    covered = _without_border(mask + eraser * (1.0 - mask))
    share = np.minimum(mask / np.maximum(covered, _TINY), 1.0)
    plate = _enlarged(_plate(destination), size)
    mixed = plate + (painted - plate) * share[..., None]
    return SwappedCrop(np.rint(mixed).astype(np.uint8), covered, laid.kind)


def _colours(source: FaceMap, destination: FaceMap, laid: Fit, both: Inside) -> ColourMatch:
    """Return how the source takes on the destination's light, judged where both show bare skin."""
    around = np.ones((3, 3), np.uint8)
    skin = cv2.erode(laid.seen(source.skin, SIZE), around) * cv2.erode(destination.skin, around)
    weights = (both * (skin + _LEAST_WEIGHT)).astype(np.float32)
    return match_colours(laid.seen(source.image, SIZE), destination.image, weights, destination.head.scale)


def _faded(inside: Inside, destination: FaceMap, feather: float) -> Mask:
    """Return a shape that rises to 1 over a share of the distance between the eyes, measured on the head."""
    width = feather * destination.head.scale * np.clip(destination.facing, _LEAST_FACING, 1.0)
    soft = cv2.GaussianBlur(feathered(inside, width), (0, 0), 1.0)
    return (soft * cv2.erode(inside.astype(np.float32), np.ones((3, 3), np.uint8))).astype(np.float32, copy=False)


def _eraser(destination: FaceMap, laid: Fit) -> Mask:
    """Return where brows, lids and rims of the destination are smoothed away, where the source may not cover them."""
    if laid.kind == "similarity":
        return np.zeros((SIZE, SIZE), np.float32)  # the far side keeps its own eye
    x, y = np.abs(destination.places[..., 0]), destination.places[..., 1]
    around_eyes = (y > _ERASED[0]) & (y < _ERASED[1]) & (x < _ERASED_HALF_WIDTH)
    marks = (around_eyes & destination.inside & (destination.skin < _BARE_SKIN)).astype(np.float32)
    wide = cv2.GaussianBlur(cv2.dilate(marks, np.ones((3, 3), np.uint8)), (0, 0), 1.2)
    return (wide * _faded(destination.inside, destination, _ERASER_FEATHER)).astype(np.float32, copy=False)


def _plate(destination: FaceMap) -> Pixels:
    """Return the destination's bare skin, without features."""
    skin = cv2.erode(destination.skin, np.ones((3, 3), np.uint8)) * destination.inside
    typical = (destination.image * skin[..., None]).sum(axis=(0, 1)) / max(float(skin.sum()), _TINY)
    return spread(destination.image, skin.astype(np.float32), 0.22 * destination.head.scale, typical)


def _enlarged(field: Pixels, size: int) -> Pixels:
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _without_border(mask: Mask) -> Mask:
    """Return a mask that is 0 at the crop's border."""
    return cv2.copyMakeBorder(mask[1:-1, 1:-1], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0).astype(np.float32, copy=False)
