"""Who gives a face to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from predictor.errors import DegenerateFace, DegenerateLandmarks, FaceIndexOutOfRange, InvalidField, NoFaceFound
from predictor.imaging.alignment import align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Crop, Face, Identity, Image
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.options import Pair


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
