"""How a restorer is put to a face: on a crop of its own layout, with one resampling on the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import DegenerateLandmarks
from predictor.imaging.alignment import align, composed, inverted
from predictor.imaging.compositing import paste_back
from predictor.imaging.masks import soft_ellipse
from predictor.stages import require_picture

if TYPE_CHECKING:
    from predictor.faces import AffineMatrix, Crop, Face, Image, Mask, SwappedCrop
    from predictor.stages import Restorer


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
    """

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer
        self._face = soft_ellipse(restorer.template)

    def of_swap(self, swapped: Swapped, blend: float) -> tuple[Image, Mask, AffineMatrix]:
        """Paste a swapped crop into the restorer's crop of the destination and restore that.

        Args:
            swapped: The swapper's answer.
            blend: 0 keeps the swap as it is, 1 is the restorer's answer.

        Returns:
            The restored crop, where the swap counts in it, and its matrix: what `paste_back` takes.
        """
        wide = align(swapped.destination, swapped.face.landmarks, self._restorer.template)
        pixels = wide.image.copy()
        between = composed(swapped.crop.matrix, inverted(wide.matrix))
        mask = paste_back(pixels, swapped.result.image, swapped.result.mask, between)
        return self._restored(pixels, blend), mask, wide.matrix

    def of_face(self, canvas: Image, face: Face, blend: float) -> bool:
        """Restore one face of a canvas, in place; return whether it could be aligned.

        Args:
            canvas: RGB, shape (H, W, 3); written to.
            face: Which face.
            blend: 0 keeps the face as it is, 1 is the restorer's answer.
        """
        try:
            crop = align(canvas, face.landmarks, self._restorer.template)
        except DegenerateLandmarks:
            return False  # too small to align is too small to restore
        paste_back(canvas, self._restored(crop.image, blend), self._face, crop.matrix)
        return True

    def _restored(self, crop: Image, blend: float) -> Image:
        (restored,) = self._restorer.restore([crop])
        require_picture("restore", restored, crop.shape)
        if blend == 1.0:
            return restored
        mixed = crop.astype(np.float32) * (1.0 - blend) + restored.astype(np.float32) * blend
        return np.rint(mixed).astype(np.uint8)
