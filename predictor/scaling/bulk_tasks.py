"""What bulk does to a picture: the same three things as the server and the command line, by the same service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, TypeAlias

from predictor.imaging.codec import output_format
from predictor.job import Job
from predictor.requests import DetectRequest, EncodedPicture, EnhanceRequest, SwapRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.faces import Face
    from predictor.imaging.picture import OutputKind
    from predictor.options import EnhanceOptions, OutputOptions, SwapOptions
    from predictor.requests import AlteredPicture
    from predictor.service import Service


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of one picture."""

    faces: Sequence[Mapping[str, object]]
    """Left to right, as the report tells them."""
    data: bytes | None = None
    """The picture, marked as altered; None where none is made."""
    kind: OutputKind = "png"


Make: TypeAlias = Callable[[EncodedPicture], Made]


class Task(Protocol):
    """What is to be done to every picture; it travels to the workers."""

    def described(self) -> Mapping[str, object]:
        """Return all that the results depend on besides the input and the settings."""

    def started(self, service: Service) -> Make:
        """Return what does it, all that is the same for every picture done once.

        Raises:
            InvalidRequest: The source gives no face, or the recipe cannot do what is asked.
        """


@dataclass(frozen=True, slots=True)
class SwapTask:
    """Put faces of a source onto faces of every picture."""

    name: str
    """What errors call the source."""
    source: bytes = field(repr=False)
    options: SwapOptions
    output: OutputOptions

    def described(self) -> Mapping[str, object]:
        """Return word, source and options."""
        source = sha256(self.source).hexdigest()
        return {"task": "swap", "source": source, **asdict(self.options), **asdict(self.output)}

    def started(self, service: Service) -> Make:
        """Analyse the source, once for all pictures."""
        source = EncodedPicture(self.name, self.source, self.name)
        known = service.read_source(source, self.options, Job())

        def make(picture: EncodedPicture) -> Made:
            job = Job()
            works = service.read_swaps([SwapRequest([source], [picture], self.options, self.output)], job, dict(known))
            (answer,) = service.swap_all(works, job)
            return _encoded(service, answer.pictures[0], self.output, job)

        return make


@dataclass(frozen=True, slots=True)
class EnhanceTask:
    """Restore the faces of every picture and enlarge it."""

    options: EnhanceOptions
    output: OutputOptions

    def described(self) -> Mapping[str, object]:
        """Return word and options."""
        return {"task": "enhance", **asdict(self.options), **asdict(self.output)}

    def started(self, service: Service) -> Make:
        """Nothing is the same for all pictures; what the recipe cannot do, the first one tells."""

        def make(picture: EncodedPicture) -> Made:
            request, job = EnhanceRequest(picture, self.options, self.output), Job()
            (decoded,) = service.read_enhances([request], job)
            return _encoded(service, service.enhance(request, decoded, job), self.output, job)

        return make


@dataclass(frozen=True, slots=True)
class DetectTask:
    """List the faces of every picture; only the report tells them."""

    def described(self) -> Mapping[str, object]:
        """Return the word."""
        return {"task": "detect"}

    def started(self, service: Service) -> Make:
        """Nothing is the same for all pictures."""

        def make(picture: EncodedPicture) -> Made:
            job = Job()
            (decoded,) = service.read_pictures([picture], job)
            answer = service.detect(DetectRequest(picture), decoded, job)
            return Made([_described(number, face) for number, face in enumerate(answer.faces, start=1)])

        return make


def _encoded(service: Service, altered: AlteredPicture, output: OutputOptions, job: Job) -> Made:
    data = service.encode(altered, output, job)
    faces = [
        {**_described(one.id, one.face), "swapped": one.swapped, "restored": one.restored} for one in altered.faces
    ]
    return Made(faces, data, output_format(altered.picture.format, output.format))


def _described(number: int, face: Face) -> Mapping[str, object]:
    box = [round(float(edge), 1) for edge in (face.box.left, face.box.top, face.box.right, face.box.bottom)]
    return {"id": number, "box": box, "score": round(float(face.score), 3)}
