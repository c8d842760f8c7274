"""What serving needs of a pipeline, so that it runs ours and the peers' own alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Face, Image
    from predictor.job import Job
    from predictor.options import EnhanceOptions, Pair, SwapOptions
    from predictor.pipeline import Altered
    from predictor.selection import Giver, Scene, Source


class AnyPipeline(Protocol):
    """A recipe at work, safe to call from several threads; `predictor.pipeline.Pipeline` says what each part does."""

    @property
    def can_restore(self) -> bool:
        """Whether the recipe has a restorer."""

    @property
    def scales(self) -> Sequence[int]:
        """The factors the recipe can enlarge by, 1 left out."""

    def check(self, options: SwapOptions | EnhanceOptions, place: str = "") -> None:
        """Check what is asked before anything is run."""

    def find_faces(self, image: Image, picture: str, job: Job) -> list[Face]:
        """Return all faces, left to right."""

    def identify_all(self, sources: Sequence[Source], pairs: Sequence[Pair], job: Job) -> list[Giver]:
        """Return who gives a face to each pair, in order."""

    def swap(self, destination: Scene, givers: Sequence[Giver], options: SwapOptions, job: Job) -> Altered:
        """Give faces of one picture the identities that the pairs name, then restore and upsample as asked."""

    def enhance(self, scene: Scene, options: EnhanceOptions, job: Job) -> Altered:
        """Restore the faces of a picture and upsample it, as asked."""
