"""How a restorer is put to a face: on a crop of its own layout, with one resampling on the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import DegenerateLandmarks, StageFailed
from predictor.imaging.alignment import align, composed, inverted
from predictor.imaging.compositing import composite, paste_back
from predictor.imaging.masks import soft_ellipse, soft_square
from predictor.stages import require_picture

if TYPE_CHECKING:
    from predictor.faces import AffineMatrix, Crop, Face, Image, Mask, SwappedCrop
    from predictor.stages import FaceParser, Restorer

_BORDER = 0.05
"""Width of the fade towards the sides of the restorer's crop, as a share of its size."""


@dataclass(frozen=True, slots=True, eq=False)
class Swapped:
    """One face after the swapper, not yet in its picture."""

    destination: Image
    """The picture without any swap, RGB, shape (H, W, 3)."""
    face: Face
    crop: Crop
    result: SwappedCrop


class Restoration:
    """A restorer at work on faces of pictures.

    Args:
        restorer: Restores crops.
        parser: Says where a restored crop counts, for the same layout; None takes a face's usual shape.
    """

    def __init__(self, restorer: Restorer, parser: FaceParser | None = None) -> None:
        self._restorer = restorer
        self._parser = parser
        self._face = soft_ellipse(restorer.template)
        self._inside = soft_square(restorer.template.size, _BORDER)

    def of_swap(self, swapped: Swapped, blend: float) -> tuple[Image, Mask, AffineMatrix]:
        """Paste a swapped crop into the restorer's crop of the destination and restore that.

        Args:
            swapped: The swapper's answer.
            blend: 0 keeps the swap as it is, 1 is the restorer's answer, linear in between.

        Returns:
            The restored crop, where the swap counts in it, and its matrix: what `paste_back` takes.
        """
        wide = align(swapped.destination, swapped.face.landmarks, self._restorer.template)
        pixels = wide.image.copy()
        between = composed(swapped.crop.matrix, inverted(wide.matrix))
        # The two layouts fit a face differently, so the swap may reach beyond this crop; it shall not end in a line.
        mask = paste_back(pixels, swapped.result.image, swapped.result.mask, between) * self._inside
        restored = self._restored(pixels)
        everywhere = np.ones_like(mask)
        return _mixed(pixels, restored, self._counts(restored, everywhere) * np.float32(blend)), mask, wide.matrix

    def of_face(self, canvas: Image, face: Face, blend: float) -> bool:
        """Restore one face of a canvas, in place; return whether it could be aligned.

        Args:
            canvas: RGB, shape (H, W, 3); written to.
            face: Which face.
            blend: 0 keeps the face as it is, 1 is the restorer's answer, linear in between.
        """
        try:
            crop = align(canvas, face.landmarks, self._restorer.template)
        except DegenerateLandmarks:
            return False  # too small to align is too small to restore
        restored = self._restored(crop.image)
        # The share that is kept is the canvas's own pixels, not the crop's, which were resampled.
        composite(canvas, restored, self._counts(restored, self._face) * np.float32(blend), crop.matrix)
        return True

    def _restored(self, crop: Image) -> Image:
        (restored,) = self._restorer.restore([crop])
        require_picture("restore", restored, crop.shape)
        return restored

    def _counts(self, restored: Image, without_parser: Mask) -> Mask:
        """Return where a restored crop counts."""
        if self._parser is None:
            return without_parser
        (mask,) = self._parser.parse([restored])
        if mask.shape != restored.shape[:2] or not np.isfinite(mask).all():
            raise StageFailed("restore", "the parser gave a mask that is not finite or not of the crop's size")
        return mask


def _mixed(image: Image, other: Image, share: Mask) -> Image:
    """Return so much of another picture at each pixel, and the rest of this one; rounded once."""
    if share.min() == 1.0:
        return other
    weight = share[..., None]
    mixed: Image = np.rint(image * (1.0 - weight) + other * weight).astype(np.uint8)
    return mixed
