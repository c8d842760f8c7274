"""The five contracts. A stage is any class with the right members; there is nothing to inherit.

Every stage is safe to call from several threads at once and keeps nothing of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from predictor.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Crop, Embedding, Face, Identity, Image, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """Return every face of a picture, in any order; an empty list where there is none."""


class Embedder(Protocol):
    """Tells who a face is."""

    template: LandmarkTemplate
    """How crops must be aligned."""

    def embed(self, crops: Sequence[Image]) -> list[Embedding]:
        """Return an embedding of length 1 for each crop."""


class Swapper(Protocol):
    """Gives destination faces the source's identity."""

    source_template: LandmarkTemplate
    """How the source's crop in an `Identity` is aligned."""
    trained: bool
    """Whether a trained network makes its pixels."""

    @property
    def templates(self) -> Sequence[LandmarkTemplate]:
        """Layouts of destination crops it takes, smallest first; the pipeline picks by the size of the face."""

    def swap(self, crops: Sequence[Crop], identities: Sequence[Identity]) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position."""


class Restorer(Protocol):
    """Gives a face back its detail."""

    template: LandmarkTemplate
    """How crops must be aligned."""
    trained: bool
    """Whether a trained network makes its pixels."""

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, restored, same sizes."""


class Upsampler(Protocol):
    """Enlarges a whole picture."""

    trained: bool
    """Whether a trained network makes its pixels."""

    @property
    def scales(self) -> Sequence[int]:
        """The factors it can do, 1 left out."""

    def upsample(self, image: Image, scale: int) -> Image:
        """Return the picture, `scale` times as wide and as high."""


def require_picture(stage: str, image: Image, shape: tuple[int, ...]) -> None:
    """Raise StageFailed unless a stage gave 8-bit pixels of the shape that was due."""
    if image.shape != shape or image.dtype != np.uint8:
        raise StageFailed(stage, f"gave {image.dtype} of shape {image.shape}; uint8 of shape {shape} was due")
