"""Who gives a face to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import (
    DegenerateFace,
    DegenerateLandmarks,
    FaceIndexOutOfRange,
    InvalidField,
    NoFaceFound,
    UnsupportedOption,
)
from predictor.imaging.alignment import align
from predictor.options import SwapOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.faces import Crop, Face, Identity, Image
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.options import EnhanceOptions, Pair


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture whose faces are known."""

    label: str
    """What errors call it."""
    image: Image
    """RGB, shape (H, W, 3); never written to."""
    faces: Sequence[Face]
    """Left to right."""

    def face(self, face_id: int) -> Face:
        """Return one of its faces.

        Args:
            face_id: 1-based, left to right.

        Raises:
            NoFaceFound: It has none at all.
            FaceIndexOutOfRange: It has fewer.
        """
        if not self.faces:
            raise NoFaceFound(self.label)
        if face_id > len(self.faces):
            raise FaceIndexOutOfRange(self.label, face_id, len(self.faces))
        return self.faces[face_id - 1]

    def aligned(self, face: Face, template: LandmarkTemplate) -> Crop:
        """Return one of its faces, aligned.

        Raises:
            DegenerateFace: Its landmarks lie on one spot.
        """
        try:
            return align(self.image, face.landmarks, template)
        except DegenerateLandmarks as error:
            raise DegenerateFace(self.label, len(self.faces)) from error


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A picture that gives faces."""

    name: str
    """What pairs call it."""
    scene: Scene


@dataclass(frozen=True, slots=True, eq=False)
class Giver:
    """A face of a source, ready to be given to faces of destinations."""

    source: str
    """Name of the source."""
    face_id: int
    identity: Identity


def require_one_source_each(pairs: Sequence[Pair], place: str) -> None:
    """Refuse pairs of which two give a face to the same face.

    Args:
        pairs: What is asked.
        place: Where the request stands when there are several: `instances[2].`.

    Raises:
        InvalidField: The second of two, with its place.
    """
    taken: set[int | str] = set()
    for number, pair in enumerate(pairs):
        face_id = pair.destination_face_id
        if face_id in taken or "all" in taken or (taken and face_id == "all"):
            raise InvalidField(f"{place}pairs[{number}].destination_face_id", f"{face_id} has a source already")
        taken.add(face_id)


def require_offered(
    options: SwapOptions | EnhanceOptions, restorer: str | None, scales: Sequence[int], place: str
) -> None:
    """Refuse what a recipe cannot do.

    Args:
        options: What is asked.
        restorer: What a request may call the recipe's restorer; None where it has none.
        scales: The factors it can enlarge by, 1 left out.
        place: Where the request stands when there are several: `instances[2].`; errors name it.

    Raises:
        UnsupportedOption: The first that the recipe cannot do.
        InvalidField: Two pairs give a face to the same face.
    """
    if isinstance(options, SwapOptions):
        require_one_source_each(options.pairs, place)
    restorers = [restorer] if restorer else []
    if options.restore and not restorers:
        raise UnsupportedOption(f"{place}restore", "restoring", restorers)
    if options.restore and options.restore.model not in {None, *restorers}:
        raise UnsupportedOption(f"{place}restore.model", str(options.restore.model), restorers)
    if options.upscale not in (1, *scales):
        offered = [str(scale) for scale in (1, *scales)]
        raise UnsupportedOption(f"{place}upscale", str(options.upscale), offered)


def givers_of(
    sources: Sequence[Source], pairs: Sequence[Pair], identify: Callable[[Source, int], Identity]
) -> list[Giver]:
    """Return who gives a face to each pair, in order; a pair that names no source takes the first one.

    Args:
        sources: Whose names the pairs know.
        pairs: What is asked.
        identify: Makes the identity of a face by its id; asked once for each face.
    """
    by_name = {source.name: source for source in sources}
    wanted = [(pair.source or sources[0].name, pair.source_face_id) for pair in pairs]
    givers = {
        (name, face_id): Giver(name, face_id, identify(by_name[name], face_id))
        for name, face_id in dict.fromkeys(wanted)
    }
    return [givers[one] for one in wanted]


def choose(pairs: Sequence[Pair], destination: Scene) -> dict[int, int]:
    """Return which pair is meant for which face, both by position, faces left to right.

    Raises:
        NoFaceFound, FaceIndexOutOfRange: The destination has no such face.
    """
    chosen: dict[int, int] = {}
    for number, pair in enumerate(pairs):
        if pair.destination_face_id == "all":
            destination.face(1)
            return dict.fromkeys(range(len(destination.faces)), number)
        destination.face(pair.destination_face_id)
        chosen[pair.destination_face_id - 1] = number
    return dict(sorted(chosen.items()))
