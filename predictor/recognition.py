"""How an embedder is put to faces: who a face of a source is, and how alike a swapped face is to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from predictor.imaging.alignment import align

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Embedding, Face, Image
    from predictor.stages import Embedder

_LARGEST_BATCH = 8
"""Crops in one call of the embedder; w600k_r50 gains nothing from more. It bounds memory, and how long nobody looks
at the deadline."""


class Similarity(NamedTuple):
    """Cosines to the source's embedding, -1 to 1."""

    before: float
    after: float


class Recognition:
    """An embedder at work on faces of pictures.

    Args:
        embedder: Tells who a crop shows.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def embedding(self, image: Image, face: Face) -> Embedding:
        """Return who a face of a picture is.

        Raises:
            DegenerateLandmarks: It cannot be aligned.
        """
        (embedding,) = self._embedder.embed([self._crop(image, face)])
        return embedding

    def similarities(
        self, pictures: tuple[Image, Image], faces: Sequence[tuple[Face, Embedding]], check: Callable[[], None]
    ) -> list[Similarity]:
        """Return how alike each face was to its source, and how alike it is now.

        Args:
            pictures: Before and after the swap, of the same size.
            faces: In the picture before, each with the embedding of the source it took.
            check: Called between the parts of long work; what it raises, because nobody waits any more, ends the work.

        Raises:
            DegenerateLandmarks: A face cannot be aligned.
        """
        crops = [self._crop(picture, face) for face, _ in faces for picture in pictures]
        found: list[Embedding] = []
        for first in range(0, len(crops), _LARGEST_BATCH):
            check()
            found += self._embedder.embed(crops[first : first + _LARGEST_BATCH])
        both = zip(found[::2], found[1::2], faces, strict=True)
        return [Similarity(float(before @ source), float(after @ source)) for before, after, (_, source) in both]

    def _crop(self, image: Image, face: Face) -> Image:
        return align(image, face.landmarks, self._embedder.template).image
