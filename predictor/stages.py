"""The contracts: five, and a parser some go without. A stage is any class with the right members, nothing to inherit.

Every stage is safe to call from several threads at once and keeps nothing of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from predictor.errors import StageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Crop, Embedding, Face, Identity, Image, Mask, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.runtime.session import Session, Tensor


def carry_on() -> None:
    """Let long work go on: what a stage asks between its parts where nobody set a deadline."""


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:
        """Return every face of a picture, in any order; an empty list where there is none.

        Args:
            image: RGB, shape (H, W, 3).
            check: Called between the parts of long work; what it raises, because nobody waits any more, ends the work.
        """


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
    needs_embedding: bool
    """Whether an `Identity` must hold one, so that the recipe needs an embedder."""
    least_scale: float
    """How many pixels of the crop a pixel of the picture may become along a side before the next larger layout is
    taken; 1 loses none."""

    @property
    def templates(self) -> Sequence[LandmarkTemplate]:
        """Layouts of destination crops it takes, smallest first; the pipeline picks by the size of the face."""

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position.

        Args:
            crops: Each aligned to one of `templates`.
            identities: As many.
            check: Called between the parts of long work; what it raises, because nobody waits any more, ends the work.
        """


class Restorer(Protocol):
    """Gives a face back its detail."""

    template: LandmarkTemplate
    """How crops must be aligned."""
    trained: bool
    """Whether a trained network makes its pixels."""

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        """Return the crops, restored, same sizes."""


class FaceParser(Protocol):
    """Tells a face from hands, hats and all else that is in front of it or around it."""

    template: LandmarkTemplate
    """How crops must be aligned."""

    def parse(self, crops: Sequence[Image]) -> list[Mask]:
        """Return where each crop shows the face, softly: shape (size, size), 0 to 1, 0 at the crop's border."""


class Upsampler(Protocol):
    """Enlarges a whole picture."""

    trained: bool
    """Whether a trained network makes its pixels."""

    @property
    def scales(self) -> Sequence[int]:
        """The factors it can do, 1 left out."""

    def upsample(self, image: Image, scale: int, check: Callable[[], None] = carry_on) -> Image:
        """Return the picture, `scale` times as wide and as high.

        Args:
            image: RGB, shape (H, W, 3).
            scale: One of `scales`.
            check: Called between the parts of long work; what it raises, because nobody waits any more, ends the work.
        """


def require_answer(stage: str, answer: Tensor, given: Tensor) -> None:
    """Raise StageFailed where a network's answer is not finite, or says nothing of what the network was given.

    A flat answer to a flat picture is right; to any other it is what numbers out of range leave behind.
    """
    low, high = float(answer.min()), float(answer.max())  # both are not finite where one value is not
    if not (np.isfinite(low) and np.isfinite(high)):
        raise StageFailed(stage, "the network's answer is not finite")
    if low == high and given.min() != given.max():
        raise StageFailed(stage, "the network's answer is constant")


def answer_to(given: Tensor, session: Session, stage: str, shape: tuple[int, ...]) -> Tensor:
    """Return the first answer of a network that takes one tensor.

    Raises:
        StageFailed: The answer is not finite, not of the shape that is due, or constant though the tensor is not.
    """
    answer = session.run(None, {session.get_inputs()[0].name: given})[0]
    if answer.shape != shape:
        raise StageFailed(stage, f"the network's answer has shape {answer.shape}; {shape} was due")
    require_answer(stage, answer, given)
    return answer


def require_picture(stage: str, image: Image, shape: tuple[int, ...]) -> None:
    """Raise StageFailed unless a stage gave 8-bit pixels of the shape that was due."""
    if image.shape != shape or image.dtype != np.uint8:
        raise StageFailed(stage, f"gave {image.dtype} of shape {image.shape}; uint8 of shape {shape} was due")
