"""The order of the work, and nothing else: detect, identify, align, swap, restore, paste back once, upsample."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from predictor.errors import DegenerateLandmarks, StageFailed, TooManyFaces
from predictor.faces import FaceReport, Identity, left_to_right
from predictor.imaging.alignment import scale_of, similarity
from predictor.imaging.compositing import composite
from predictor.recognition import Recognition
from predictor.restoration import Restoration, Swapped
from predictor.selection import choose, givers_of, require_offered
from predictor.stages import require_picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.faces import Crop, Embedding, Face, Image, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.job import Job
    from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
    from predictor.selection import Giver, Scene, Source
    from predictor.stages import Detector, Embedder, FaceParser, Restorer, Swapper, Upsampler

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stages:
    """The models a pipeline runs; None where a recipe has none."""

    detector: Detector
    embedder: Embedder | None
    swapper: Swapper
    restorer: Restorer | None
    upsampler: Upsampler | None
    restorer_name: str | None
    """What a request may call the restorer."""
    parser: FaceParser | None = None
    """Says where a restored face counts; without one it counts in a face's usual shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Altered:
    """What the pipeline made of a picture."""

    image: Image
    faces: list[FaceReport]
    trained: bool
    """Whether a trained network made some of its pixels."""


class Pipeline:
    """One recipe at work; safe to call from several threads at once.

    Args:
        stages: The models.
        max_faces: Pictures with more faces are refused.
    """

    def __init__(self, stages: Stages, max_faces: int = 100) -> None:
        self._stages = stages
        self._recognition = Recognition(stages.embedder) if stages.embedder else None
        self._restoration = Restoration(stages.restorer, stages.parser) if stages.restorer else None
        self._max_faces = max_faces

    def check(self, options: SwapOptions | EnhanceOptions, place: str = "") -> None:
        """Check what is asked before anything is run.

        Args:
            options: What is asked.
            place: Where the request stands when there are several: `instances[2].`; errors name it.

        Raises:
            UnsupportedOption: This recipe cannot do it.
            InvalidField: Two pairs give a face to the same face.
        """
        require_offered(options, self._stages.restorer_name, self.scales, place)

    def find_faces(self, image: Image, picture: str, job: Job) -> list[Face]:
        """Return all faces, left to right.

        Raises:
            TooManyFaces: More than this pipeline takes.
        """
        with job.stage("detect"):
            faces = self._stages.detector.detect(image, job.check)
        if len(faces) > self._max_faces:
            raise TooManyFaces(picture, len(faces), self._max_faces)
        height, width = image.shape[:2]
        return left_to_right(faces, width, height)

    def identify(self, source: Source, face_id: int, job: Job) -> Identity:
        """Return what the swapper needs of one face of a source.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The source has no such face.
        """
        scene = source.scene
        face = scene.face(face_id)
        with job.stage("identify"):
            crop = scene.aligned(face, self._stages.swapper.source_template)
            if self._recognition is None:
                return Identity(crop, None)
            return Identity(crop, self._recognition.embedding(scene.image, face))

    def identify_all(self, sources: Sequence[Source], pairs: Sequence[Pair], job: Job) -> list[Giver]:
        """Return who gives a face to each pair, in order; a pair that names no source takes the first one.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: A source has no such face.
        """
        return givers_of(sources, pairs, lambda source, face_id: self.identify(source, face_id, job))

    def swap(self, destination: Scene, givers: Sequence[Giver], options: SwapOptions, job: Job) -> Altered:
        """Give faces of one picture the identities that the pairs name, then restore and upsample as asked.

        Args:
            destination: The picture and its faces.
            givers: From `identify_all`, one for each pair of the options.
            options: What to do; already passed `check`.
            job: Whose time this is.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The picture has no such face.
            DeadlineExceeded: Nobody waits any more.
            StageFailed: A stage gave an answer that cannot be right.
        """
        chosen = {index: givers[number] for index, number in choose(options.pairs, destination).items()}
        reports = [FaceReport(index, face) for index, face in enumerate(destination.faces, start=1)]
        canvas = destination.image.copy()
        began = time.perf_counter()
        swapped = self._swap_faces(destination, {index: giver.identity for index, giver in chosen.items()}, job)
        share = (time.perf_counter() - began) / len(chosen)
        for (index, giver), one in zip(chosen.items(), swapped, strict=True):
            face = destination.faces[index]
            seconds = self._finish_face(canvas, Swapped(destination.image, face, *one), options.restore, job)
            reports[index] = FaceReport(
                id=index + 1,
                face=face,
                swapped=True,
                restored=options.restore is not None,
                source=giver.source,
                source_face_id=giver.face_id,
                fit=one[1].fit,
                stage_seconds={"swap": share} | seconds,
            )
        if options.report:
            embeddings = {index: giver.identity.embedding for index, giver in chosen.items()}
            self._tell_similarity(reports, embeddings, (destination.image, canvas), job)
        canvas = self._upsample(canvas, options.upscale, job)
        return Altered(canvas, reports, self._stages.swapper.trained or self._trained(reports, options.upscale))

    def enhance(self, scene: Scene, options: EnhanceOptions, job: Job) -> Altered:
        """Restore all faces of a picture and upsample it, as asked.

        Args:
            scene: The picture and its faces.
            options: What to do; already passed `check`.
            job: Whose time this is.
        """
        canvas = scene.image.copy()
        reports = []
        for index, face in enumerate(scene.faces, start=1):
            restored, began = False, time.perf_counter()
            if options.restore:
                with job.stage("restore"):
                    restored = _present(self._restoration).of_face(canvas, face, options.restore.blend)
            seconds = {"restore": time.perf_counter() - began} if options.restore else {}
            reports.append(FaceReport(index, face, restored=restored, stage_seconds=seconds))
        canvas = self._upsample(canvas, options.upscale, job)
        return Altered(canvas, reports, self._trained(reports, options.upscale))

    @property
    def can_restore(self) -> bool:
        """Whether the recipe has a restorer."""
        return self._stages.restorer is not None

    @property
    def scales(self) -> Sequence[int]:
        """The factors the recipe can enlarge by, 1 left out."""
        return self._stages.upsampler.scales if self._stages.upsampler else ()

    def _swap_faces(
        self, destination: Scene, wanted: Mapping[int, Identity], job: Job
    ) -> list[tuple[Crop, SwappedCrop]]:
        swapper = self._stages.swapper
        with job.stage("swap"):
            faces = [destination.faces[index] for index in wanted]
            crops = [destination.aligned(face, _fitting(swapper, face)) for face in faces]
            swapped = swapper.swap(crops, list(wanted.values()), job.check)
        for crop, result in zip(crops, swapped, strict=True):
            require_picture("swap", result.image, crop.image.shape)
            if result.mask.shape != crop.image.shape[:2] or not np.isfinite(result.mask).all():
                raise StageFailed("swap", "gave a mask that is not finite or not of the crop's size")
        return list(zip(crops, swapped, strict=True))

    def _finish_face(
        self, canvas: Image, swapped: Swapped, restore: RestoreOptions | None, job: Job
    ) -> dict[str, float]:
        """Composite one swapped face, restored if asked, into the canvas, once; return seconds by stage."""
        seconds: dict[str, float] = {}
        pixels, mask, matrix = swapped.result.image, swapped.result.mask, swapped.crop.matrix
        if restore is not None:
            began = time.perf_counter()
            with job.stage("restore"):
                pixels, mask, matrix = _present(self._restoration).of_swap(swapped, restore.blend)
            seconds["restore"] = time.perf_counter() - began
        began = time.perf_counter()
        with job.stage("paste_back"):
            composite(canvas, pixels, mask, matrix)
        seconds["paste_back"] = time.perf_counter() - began
        return seconds

    def _tell_similarity(
        self,
        reports: list[FaceReport],
        embeddings: Mapping[int, Embedding | None],
        pictures: tuple[Image, Image],
        job: Job,
    ) -> None:
        """Add to the reports at these positions how alike each face is to its source, in the two pictures."""
        known = {index: source for index, source in embeddings.items() if source is not None}
        if self._recognition is None or not known:
            return
        began = time.perf_counter()
        with job.stage("identify"):
            faces = [(reports[index].face, source) for index, source in known.items()]
            similarities = self._recognition.similarities(pictures, faces, job.check)
        share = (time.perf_counter() - began) / len(known)
        for index, (before, after) in zip(known, similarities, strict=True):
            seconds = reports[index].stage_seconds | {"identify": share}
            reports[index] = replace(
                reports[index], similarity_before=before, similarity_after=after, stage_seconds=seconds
            )

    def _upsample(self, image: Image, scale: int, job: Job) -> Image:
        if scale == 1:
            return image
        height, width = image.shape[:2]
        with job.stage("upsample"):
            enlarged = _present(self._stages.upsampler).upsample(image, scale, job.check)
        require_picture("upsample", enlarged, (height * scale, width * scale, 3))
        return enlarged

    def _trained(self, reports: Sequence[FaceReport], upscale: int) -> bool:
        """Return whether a trained network restored a face or enlarged the picture."""
        restorer, upsampler = self._stages.restorer, self._stages.upsampler
        restored = any(report.restored for report in reports)
        return (restored and _present(restorer).trained) or (upscale != 1 and _present(upsampler).trained)


def _present(stage: _T | None) -> _T:
    if stage is None:
        raise AssertionError("an option passed `check` that this recipe has no stage for")
    return stage


def _fitting(swapper: Swapper, face: Face) -> LandmarkTemplate:
    """Return the smallest of a swapper's templates in which the face loses no more than it may, else the largest."""
    for template in swapper.templates:
        try:
            if scale_of(similarity(face.landmarks, template.points)) >= swapper.least_scale:
                return template
        except DegenerateLandmarks:
            break
    return swapper.templates[-1]
