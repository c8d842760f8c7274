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
from predictor.imaging.colour import Overlap, enlarged, match_colours, spread
from predictor.imaging.masks import feathered
from predictor.imaging.proportions import BROWS_AND_EYES, Part, lips
from predictor.imaging.skin import SIZE, map_face
from predictor.imaging.surroundings import towards_surroundings
from predictor.imaging.warping import fit
from predictor.stages import carry_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Crop, Identity, Image, Mask
    from predictor.imaging.colour import ColourMatch, Pixels
    from predictor.imaging.proportions import Shape
    from predictor.imaging.skin import FaceMap
    from predictor.imaging.warping import Fit

# ARCFACE_112 ends above the chin; this layout shows a whole face with some room, so 168 pixels instead of 112, around
# a centre between nose and mouth.
_WHOLE_FACE = LandmarkTemplate(
    "blend", 168, ARCFACE_112.points - np.array([56.0, 65.0], np.float32) + np.float32((168 - 1) / 2)
)

# In distances between the eyes.
_FEATHER = 0.3
# Hair that hangs into a source's face must not come along; a destination's eye must be covered to its corner.
_SOURCE_FEATURES, _DESTINATION_FEATURES = 0.82, 0.92
_ERASER_FEATHER = 0.05
_GAP, _CHEEK = 0.15, 0.3
_FRINGE = 0.07
"""A source's outline runs along the edge of its hair; this much of it is shadow and single hairs."""
_ERASED = Part(0.0, 1.2, -0.65, 0.4)
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
    needs_embedding = False
    least_scale = 1.0

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position."""
        distinct = {id(identity): identity for identity in identities}
        sources = {key: map_face(identity.crop, _SOURCE_FEATURES) for key, identity in distinct.items()}
        swapped = []
        for crop, identity in zip(crops, identities, strict=True):
            check()
            swapped.append(_blended(identity.crop.image, sources[id(identity)], crop))
        return swapped


def _blended(source_image: Image, source: FaceMap, crop: Crop) -> SwappedCrop:
    size = crop.image.shape[0]
    destination = map_face(crop, _DESTINATION_FEATURES)
    laid = fit(source, destination)
    face = cv2.erode(source.inside.astype(np.float32), _disc(_FRINGE * source.head.scale))
    shown = laid.seen(face.astype(np.float32, copy=False), SIZE) * (laid.trust > 0)
    both = destination.inside & (_paintable(shown, laid, destination.head.scale) > _HALF)
    colours = _colours(source, destination, laid, destination.inside & (shown > _HALF))
    mask = _faded(both, destination, _FEATHER)
    eraser = _eraser(destination, laid, both)
    covered: Mask = mask + eraser * (1.0 - mask)
    # Erased, or not seen well in the source: there the destination's own bare skin is shown.
    share = (mask / np.maximum(covered, _TINY) * _trust(shown, laid, destination)).astype(np.float32, copy=False)
    plate = enlarged(_plate(destination), SIZE)
    preview = _mixed(plate, colours.applied(laid.seen(source.image, SIZE)), share)
    factors = towards_surroundings(destination, preview, covered, share)
    painted = colours.times(factors).applied(laid.seen(source_image, size))
    mixed = _mixed(enlarged(plate, size), painted, enlarged(share, size))
    image = cv2.convertScaleAbs(mixed).astype(np.uint8, copy=False)
    return SwappedCrop(image, _without_border(enlarged(covered, size)), laid.kind)


def _mixed(plate: Pixels, painted: Pixels, share: Mask) -> Pixels:
    mixed: Pixels = plate + (painted - plate) * cv2.merge([share, share, share])
    return mixed


def _trust(shown: Mask, laid: Fit, destination: FaceMap) -> Mask:
    """Return how much of the source is shown rather than the destination's bare skin."""
    if laid.kind == "similarity":
        return _faded(shown > _HALF, destination, _FEATHER)
    return cv2.GaussianBlur(shown * laid.trust, (0, 0), 1.0).astype(np.float32, copy=False)


def _paintable(shown: Mask, laid: Fit, unit: float) -> Mask:
    """Return where the source may be painted: what it shows, closed, and on a near profile's cheek a little more.

    A turned source may have a gap along its middle. A cheek seen from the side goes on where one seen from the front
    ends; the fade runs out there, over the destination's own bare skin.
    """
    if laid.kind == "similarity":
        return cv2.dilate(shown, _disc(_CHEEK * unit)).astype(np.float32, copy=False)
    return cv2.morphologyEx(shown, cv2.MORPH_CLOSE, _disc(_GAP * unit)).astype(np.float32, copy=False)


def _disc(radius: float) -> Image:
    across = 2 * round(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across)).astype(np.uint8, copy=False)


def _colours(source: FaceMap, destination: FaceMap, laid: Fit, both: Shape) -> ColourMatch:
    """Return how the source takes on the destination's light, judged where both show bare skin."""
    around = np.ones((3, 3), np.uint8)
    skin = cv2.erode(laid.seen(source.skin, SIZE), around) * cv2.erode(destination.skin, around)
    places = destination.surface.places
    # Towards the outline of a turned head there may be background.
    seen = both & (destination.surface.facing > _LEAST_FACING)
    bare = (seen * skin + both * _LEAST_WEIGHT).astype(np.float32, copy=False)
    face = (seen & ~BROWS_AND_EYES.covers(places)) * (1.0 - lips(places))
    overlap = Overlap(face, bare, lips(places), destination.head.scale)
    return match_colours(laid.seen(source.image, SIZE), destination.image, overlap)


def _faded(inside: Shape, destination: FaceMap, feather: float) -> Mask:
    """Return a shape that rises to 1 over a share of the distance between the eyes, measured on the head."""
    width = feather * destination.head.scale * np.clip(destination.surface.facing, _LEAST_FACING, 1.0)
    soft = cv2.GaussianBlur(feathered(inside, width), (0, 0), 1.0)
    return (soft * cv2.erode(inside.astype(np.float32), np.ones((3, 3), np.uint8))).astype(np.float32, copy=False)


def _eraser(destination: FaceMap, laid: Fit, both: Shape) -> Mask:
    """Return where brows, lids and rims of the destination are smoothed away, where the source may not cover them."""
    if laid.kind == "similarity":
        return np.zeros((SIZE, SIZE), np.float32)  # the far side keeps its own eye
    nearby = cv2.GaussianBlur(both.astype(np.float32), (0, 0), 0.2 * destination.head.scale)
    window = _ERASED.fades(destination.surface.places, 0.15) * np.minimum(4.0 * nearby, 1.0)
    marks = (destination.inside & (destination.skin < _BARE_SKIN)).astype(np.float32)
    wide = cv2.GaussianBlur(cv2.dilate(marks, np.ones((5, 5), np.uint8)), (0, 0), 2.0)
    eraser: Mask = wide * window * _faded(destination.inside, destination, _ERASER_FEATHER)
    return eraser


def _plate(destination: FaceMap) -> Pixels:
    """Return the destination's bare skin, without features."""
    seen = destination.inside & (destination.surface.facing > _LEAST_FACING)
    skin = cv2.erode(destination.skin, np.ones((3, 3), np.uint8)) * seen
    typical = np.einsum("ijk,ij->k", destination.image, skin) / max(float(skin.sum()), _TINY)
    return spread(destination.image, skin.astype(np.float32), 0.1 * destination.head.scale, typical)


def _without_border(mask: Mask) -> Mask:
    """Return a mask that is 0 at the crop's border."""
    return cv2.copyMakeBorder(mask[1:-1, 1:-1], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0).astype(np.float32, copy=False)
