"""What the predictor does, without a protocol: read a request, run the pipeline, mark and encode the answer.

The three steps are KServe's three hooks; the command line calls the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from predictor.errors import (
    DegenerateFace,
    FaceIndexOutOfRange,
    ImageTooLarge,
    InvalidField,
    NoFaceFound,
    OutputTooLarge,
)
from predictor.imaging.codec import check_output_size, decode, encode, output_format, probe
from predictor.policy.provenance import mark
from predictor.requests import AlteredPicture, EncodedPicture, FacesAnswer, Skipped, SwapAnswer
from predictor.selection import Giver, Scene, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from predictor.destinations import Destination, Destinations
    from predictor.faces import Face, Image
    from predictor.imaging.codec import OutputKind, Picture
    from predictor.job import Job
    from predictor.options import OutputOptions, Pair, SwapOptions
    from predictor.pipeline import Altered
    from predictor.pipelines import AnyPipeline
    from predictor.requests import DetectRequest, EnhanceRequest, SwapRequest
    from predictor.runtime.session import OpenedSession
    from predictor.settings import Settings
    from predictor.weights.store import LoadedWeights

_Asked: TypeAlias = "EncodedPicture | Destination"
# What a client cannot know of the operator's own pictures is no error of its request.
_SKIPPABLE = (NoFaceFound, FaceIndexOutOfRange, DegenerateFace)


@dataclass(slots=True, eq=False)
class Subject:
    """A picture of a request; its faces are looked for once, however many swaps share it."""

    name: str
    picture: Picture
    faces: Sequence[Face] | None = None
    """Left to right; None until they are looked for."""
    givers: dict[tuple[Pair, ...], Sequence[Giver]] = field(default_factory=dict)
    """Who of it gives a face, by the pairs that asked: of a source that stands alone."""


Subjects = dict[EncodedPicture, Subject]
"""Decoded pictures by the encoded one, so that what requests share is decoded once."""


@dataclass(frozen=True, slots=True, eq=False)
class SwapWork:
    """A swap request, decoded; faces are not looked for yet."""

    request: SwapRequest
    sources: Sequence[Subject]
    destinations: Sequence[Subject | Destination]
    skipped: Sequence[Skipped]
    """Files of the destinations folder that could not be read."""


class Service:
    """One pipeline with its preloaded destinations and its limits.

    Args:
        pipeline: The recipe at work.
        destinations: The preloaded pictures.
        settings: The limits.
        sessions: How the networks of the pipeline run.
        weights: The files of weights that they run.
    """

    def __init__(
        self,
        pipeline: AnyPipeline,
        destinations: Destinations,
        settings: Settings,
        sessions: Sequence[OpenedSession] = (),
        weights: Sequence[LoadedWeights] = (),
    ) -> None:
        self._pipeline = pipeline
        self._destinations = destinations
        self._settings = settings
        self.sessions = sessions
        self.weights = weights

    @property
    def destination_names(self) -> list[str]:
        """Names of the preloaded pictures, in order."""
        return self._destinations.names

    def read_swaps(self, requests: Sequence[SwapRequest], job: Job, subjects: Subjects | None = None) -> list[SwapWork]:
        """Check what was asked against the recipe and the limits, then decode every picture.

        Args:
            requests: What was asked.
            job: Whose time this is.
            subjects: What is decoded already; new ones are added.

        Raises:
            InvalidRequest: The first thing that is wrong, all limits before the first picture is decoded.
        """
        for request in requests:
            self._pipeline.check(request.options, request.field)
        self._check_pixels(dict.fromkeys(picture for request in requests for picture in _pictures(request)))
        asked = [self._asked(request) for request in requests]
        self._check_outputs(zip(requests, asked, strict=True))
        known = {} if subjects is None else subjects
        with job.stage("decode"):
            return [self._decode(request, found, known, job) for request, found in zip(requests, asked, strict=True)]

    def swap_all(self, works: Sequence[SwapWork], job: Job) -> list[SwapAnswer]:
        """Run the pipeline over every destination of every request.

        Raises:
            InvalidRequest: A face that was asked for does not exist.
            StageFailed: A stage gave an answer that cannot be right.
        """
        return [self._swap(work, job) for work in works]

    def read_source(self, source: EncodedPicture, options: SwapOptions, job: Job) -> Subjects:
        """Decode and analyse a picture that gives faces to many requests to come, which are read with the answer.

        Raises:
            InvalidRequest: It cannot be read, has no such face, or the recipe cannot do what is asked.
        """
        self._pipeline.check(options)
        self._check_pixels([source])
        with job.stage("decode"):
            subject = Subject(source.name, decode(source.data, source.field, self._settings.limit_pixels))
        self._givers([subject], options.pairs, "", job)
        return {source: subject}

    def read_pictures(self, pictures: Sequence[EncodedPicture], job: Job) -> list[Picture]:
        """Decode pictures within the limits."""
        self._check_pixels(pictures)
        return self._decode_all(pictures, job)

    def read_enhances(self, requests: Sequence[EnhanceRequest], job: Job) -> list[Picture]:
        """Check what was asked against the recipe and the limits, then decode every picture."""
        for request in requests:
            self._pipeline.check(request.options, request.field)
        pictures = [request.picture for request in requests]
        self._check_pixels(pictures)
        total = 0
        for request in requests:
            size = self._output_size(request.picture, request.output)
            total = self._check_output([size], request.options.upscale, total)
        return self._decode_all(pictures, job)

    def enhance(self, request: EnhanceRequest, picture: Picture, job: Job) -> AlteredPicture:
        """Restore the faces of a picture and upsample it."""
        name = request.picture.name
        scene = Scene(name, picture.image, self._found(picture.image, name, job))
        altered = self._pipeline.enhance(scene, request.options, job)
        _count_faces(altered, job)
        if request.options.restore:  # too small to align is too small to restore
            job.count("faces_skipped", sum(not face.restored for face in altered.faces), DegenerateFace.code)
        return _altered(name, picture, altered)

    def detect(self, request: DetectRequest, picture: Picture, job: Job) -> FacesAnswer:
        """List the faces of a picture, left to right."""
        height, width = picture.image.shape[:2]
        return FacesAnswer(self._found(picture.image, request.picture.name, job), width, height)

    def encode(self, altered: AlteredPicture, output: OutputOptions, job: Job) -> bytes:
        """Mark a picture as altered and encode it; there is no way to leave the mark out."""
        with job.stage("encode"):
            encoded = encode(altered.picture, output, mark(trained=altered.trained))
        job.count("pixels_encoded", _pixels(altered.picture))
        return encoded

    def _swap(self, work: SwapWork, job: Job) -> SwapAnswer:
        place = work.request.field  # errors name the instance as well as the picture
        givers = self._givers(work.sources, work.request.options.pairs, place, job)
        pictures: list[AlteredPicture] = []
        skipped = list(work.skipped)
        for destination in work.destinations:
            faces = self._faces(destination, place, job)
            scene = Scene(place + destination.name, destination.picture.image, faces)
            try:
                altered = self._pipeline.swap(scene, givers, work.request.options, job)
            except _SKIPPABLE as error:
                if work.request.destinations is not None:
                    raise
                skipped.append(Skipped(destination.name, error.detached()))
                continue
            _count_faces(altered, job)
            pictures.append(_altered(destination.name, destination.picture, altered))
        for one in skipped:
            job.count("pictures_skipped", label=one.error.code)
        if not pictures:
            raise skipped[len(work.skipped)].error
        return SwapAnswer(pictures, skipped, len(self._faces(work.sources[0], place, job)))

    def _givers(self, subjects: Sequence[Subject], pairs: tuple[Pair, ...], place: str, job: Job) -> Sequence[Giver]:
        """Return who gives a face to each pair; a source that stands alone keeps the answer for the next request."""
        known = subjects[0].givers if len(subjects) == 1 else {}
        if pairs not in known:
            sources = [
                Source(one.name, Scene(place + one.name, one.picture.image, self._faces(one, place, job)))
                for one in subjects
            ]
            known[pairs] = self._pipeline.identify_all(sources, pairs, job)
        return known[pairs]

    def _faces(self, found: Subject | Destination, place: str, job: Job) -> Sequence[Face]:
        if isinstance(found, Subject) and found.faces is None:
            found.faces = self._found(found.picture.image, place + found.name, job)
        return found.faces or []

    def _found(self, image: Image, name: str, job: Job) -> list[Face]:
        faces = self._pipeline.find_faces(image, name, job)
        job.count("faces_found", len(faces))
        return faces

    def _decode_all(self, pictures: Sequence[EncodedPicture], job: Job) -> list[Picture]:
        with job.stage("decode"):
            return [self._decoded(one, job) for one in pictures]

    def _decoded(self, encoded: EncodedPicture, job: Job) -> Picture:
        picture = decode(encoded.data, encoded.field, self._settings.limit_pixels)
        job.count("pixels_decoded", _pixels(picture))
        return picture

    def _decode(self, request: SwapRequest, asked: Sequence[_Asked], subjects: Subjects, job: Job) -> SwapWork:
        def subject(found: EncodedPicture) -> Subject:
            if found not in subjects:
                picture = self._decoded(found, job)
                subjects[found] = Subject(found.name, picture)
            return subjects[found]

        sources = [subject(source) for source in request.sources]
        destinations = [subject(found) if isinstance(found, EncodedPicture) else found for found in asked]
        unread = self._destinations.rejected if request.destinations is None else {}
        return SwapWork(request, sources, destinations, [Skipped(name, error) for name, error in unread.items()])

    def _asked(self, request: SwapRequest) -> list[_Asked]:
        """Return the destinations of a request, those it names found; none given means every preloaded one."""
        given: Sequence[EncodedPicture | str] | None = request.destinations
        if given is None:
            given = self._destinations.names
            if not given:
                raise InvalidField(
                    f"{request.field}destinations", "required: this server has no preloaded destination pictures"
                )
        return [
            found if isinstance(found, EncodedPicture) else self._destinations.get(found, request.field)
            for found in given
        ]

    def _check_pixels(self, pictures: Iterable[EncodedPicture]) -> None:
        """Refuse by the headers alone what is too large to decode."""
        total = 0
        for picture in pictures:
            header = probe(picture.data, picture.field)
            if header.pixels > self._settings.limit_pixels:
                raise ImageTooLarge(picture.field, header.pixels, self._settings.limit_pixels)
            total += header.weight
            if total > self._settings.limit_pixels_per_request:
                together = "all pictures together, pixels of 16 bits counted twice"
                raise ImageTooLarge(together, total, self._settings.limit_pixels_per_request)

    def _check_outputs(self, asked: Iterable[tuple[SwapRequest, Sequence[_Asked]]]) -> None:
        total = 0
        for request, destinations in asked:
            sizes = [self._output_size(found, request.output) for found in destinations]
            total = self._check_output(sizes, request.options.upscale, total)

    def _output_size(self, found: _Asked, output: OutputOptions) -> tuple[int, int, OutputKind]:
        if isinstance(found, EncodedPicture):
            header = probe(found.data, found.field)
            return header.width, header.height, output_format(header.format, output.format)
        height, width = found.picture.image.shape[:2]
        return width, height, output_format(found.picture.format, output.format)

    def _check_output(self, sizes: Sequence[tuple[int, int, OutputKind]], upscale: int, total: int = 0) -> int:
        limit = self._settings.limit_output_pixels
        for width, height, kind in sizes:
            check_output_size(kind, width * upscale, height * upscale)
            total += width * height * upscale**2
            if total > limit:
                raise OutputTooLarge(
                    f"the answer would have {total:,} pixels; at most {limit:,} are made", limit=limit, actual=total
                )
        return total


def _pictures(request: SwapRequest) -> list[EncodedPicture]:
    given = [found for found in request.destinations or () if isinstance(found, EncodedPicture)]
    return [*request.sources, *given]


def _pixels(picture: Picture) -> int:
    height, width = picture.image.shape[:2]
    return int(height * width)


def _count_faces(altered: Altered, job: Job) -> None:
    job.count("faces_swapped", sum(face.swapped for face in altered.faces))
    job.count("faces_restored", sum(face.restored for face in altered.faces))


def _altered(name: str, picture: Picture, altered: Altered) -> AlteredPicture:
    return AlteredPicture(name, picture.with_image(altered.image), altered.faces, altered.trained)
