"""The order of the work, and nothing else: detect, identify, align, swap, restore, paste back once, upsample."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from predictor.errors import (
    DegenerateFace,
    DegenerateLandmarks,
    FaceIndexOutOfRange,
    InvalidField,
    NoFaceFound,
    TooManyFaces,
    UnsupportedOption,
)
from predictor.faces import FaceReport, Identity, left_to_right
from predictor.imaging.alignment import align, inverted, scale_of, similarity
from predictor.imaging.compositing import paste_back
from predictor.imaging.masks import soft_ellipse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.faces import AffineMatrix, Crop, Face, Image, Mask, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.job import Job
    from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
    from predictor.stages import Detector, Embedder, Restorer, Swapper, Upsampler

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


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A picture that gives faces."""

    name: str
    """What pairs call it."""
    label: str
    """What errors call it."""
    image: Image
    faces: Sequence[Face]
    """Left to right."""


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
        self._max_faces = max_faces

    def check(self, options: SwapOptions | EnhanceOptions) -> None:
        """Raise UnsupportedOption if this recipe cannot do what is asked; nothing is run."""
        restorers = [self._stages.restorer_name] if self._stages.restorer_name else []
        if options.restore and not restorers:
            raise UnsupportedOption("restore", "restoring", restorers)
        if options.restore and options.restore.model not in {None, *restorers}:
            raise UnsupportedOption("restore.model", str(options.restore.model), restorers)
        if options.upscale not in (1, *self.scales):
            raise UnsupportedOption("upscale", str(options.upscale), [str(scale) for scale in (1, *self.scales)])

    def find_faces(self, image: Image, picture: str, job: Job) -> list[Face]:
        """Return all faces, left to right.

        Raises:
            TooManyFaces: More than this pipeline takes.
        """
        with job.stage("detect"):
            faces = self._stages.detector.detect(image)
        if len(faces) > self._max_faces:
            raise TooManyFaces(picture, len(faces), self._max_faces)
        height, width = image.shape[:2]
        return left_to_right(faces, width, height)

    def identify(self, source: Source, face_id: int, job: Job) -> Identity:
        """Return what the swapper needs of one face of a source.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The source has no such face.
        """
        face = _face(source.faces, face_id, source.label)
        with job.stage("identify"):
            crop = _aligned(source.image, face, self._stages.swapper.source_template, source.label, len(source.faces))
            embedder = self._stages.embedder
            if embedder is None:
                return Identity(crop, None)
            portrait = align(source.image, face.landmarks, embedder.template).image
            return Identity(crop, embedder.embed([portrait])[0])

    def identify_all(
        self, sources: Sequence[Source], pairs: Sequence[Pair], job: Job
    ) -> dict[tuple[str, int], Identity]:
        """Return the identity of every source face that the pairs name, by source name and face id."""
        by_name = {source.name: source for source in sources}
        wanted = dict.fromkeys((pair.source or sources[0].name, pair.source_face_id) for pair in pairs)
        return {(name, face_id): self.identify(by_name[name], face_id, job) for name, face_id in wanted}

    def swap(  # noqa: PLR0913  # one picture, its faces, who goes where: each is a different thing
        self,
        image: Image,
        faces: Sequence[Face],
        picture: str,
        identities: Mapping[tuple[str, int], Identity],
        options: SwapOptions,
        job: Job,
    ) -> Altered:
        """Give faces of one picture the identities that the pairs name, then restore and upsample as asked.

        Args:
            image: The destination, RGB, shape (H, W, 3); not written to.
            faces: Its faces, left to right.
            picture: Its name, for errors.
            identities: From `identify_all`; a pair without a source takes the first one's.
            options: What to do; already passed `check`.
            job: Whose time this is.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The picture has no such face.
            DeadlineExceeded: Nobody waits any more.
            StageFailed: A stage gave an answer that cannot be right.
        """
        chosen = _choose(options.pairs, faces, picture, next(iter(identities))[0])
        reports = [FaceReport(index, face) for index, face in enumerate(faces, start=1)]
        canvas = image.copy()
        swapped = self._swap_faces(image, [(faces[i], identities[key]) for i, key in chosen.items()], picture, job)
        for (index, (source, source_face_id)), (crop, result) in zip(chosen.items(), swapped, strict=True):
            seconds = {"swap": job.stage_seconds["swap"] / len(chosen)}
            seconds |= self._finish_face(canvas, image, faces[index], (crop, result), options.restore, job)
            reports[index] = FaceReport(
                id=index + 1,
                face=faces[index],
                swapped=True,
                restored=options.restore is not None,
                source=source,
                source_face_id=source_face_id,
                fit=result.fit,
                stage_seconds=seconds,
            )
        canvas = self._upsample(canvas, options.upscale, job)
        return Altered(canvas, reports, self._trained(options, swapping=True))

    def enhance(self, image: Image, faces: Sequence[Face], options: EnhanceOptions, job: Job) -> Altered:
        """Restore all faces of a picture and upsample it, as asked.

        Args:
            image: RGB, shape (H, W, 3); not written to.
            faces: Its faces, left to right.
            options: What to do; already passed `check`.
            job: Whose time this is.
        """
        canvas = image.copy()
        reports = []
        for index, face in enumerate(faces, start=1):
            began = time.perf_counter()
            if options.restore:
                with job.stage("restore"):
                    self._restore_face(canvas, face, options.restore)
            seconds = {"restore": time.perf_counter() - began} if options.restore else {}
            reports.append(FaceReport(index, face, restored=options.restore is not None, stage_seconds=seconds))
        canvas = self._upsample(canvas, options.upscale, job)
        return Altered(canvas, reports, self._trained(options, swapping=False))

    @property
    def can_restore(self) -> bool:
        """Whether the recipe has a restorer."""
        return self._stages.restorer is not None

    @property
    def scales(self) -> Sequence[int]:
        """The factors the recipe can enlarge by, 1 left out."""
        return self._stages.upsampler.scales if self._stages.upsampler else ()

    def _swap_faces(
        self, image: Image, wanted: Sequence[tuple[Face, Identity]], picture: str, job: Job
    ) -> list[tuple[Crop, SwappedCrop]]:
        with job.stage("swap"):
            crops = [
                _aligned(image, face, _fitting(self._stages.swapper.templates, face), picture, len(wanted))
                for face, _ in wanted
            ]
            return list(zip(crops, self._stages.swapper.swap(crops, [identity for _, identity in wanted]), strict=True))

    def _finish_face(  # noqa: PLR0913  # the canvas grows from the picture by this one face
        self,
        canvas: Image,
        image: Image,
        face: Face,
        swapped: tuple[Crop, SwappedCrop],
        restore: RestoreOptions | None,
        job: Job,
    ) -> dict[str, float]:
        """Composite one swapped face, restored if asked, into the canvas, once; return seconds by stage."""
        crop, result = swapped
        seconds: dict[str, float] = {}
        pixels, mask, matrix = result.image, result.mask, crop.matrix
        if restore is not None:
            began = time.perf_counter()
            with job.stage("restore"):
                pixels, mask, matrix = self._restored_swap(image, face, swapped, restore)
            seconds["restore"] = time.perf_counter() - began
        began = time.perf_counter()
        with job.stage("paste_back"):
            paste_back(canvas, pixels, mask, matrix)
        seconds["paste_back"] = time.perf_counter() - began
        return seconds

    def _restored_swap(
        self, image: Image, face: Face, swapped: tuple[Crop, SwappedCrop], restore: RestoreOptions
    ) -> tuple[Image, Mask, AffineMatrix]:
        """Paste the swapped crop into the restorer's crop and restore that: one resampling less than two pastes."""
        restorer = _present(self._stages.restorer)
        crop, result = swapped
        wide = align(image, face.landmarks, restorer.template)
        between = _composed(crop.matrix, inverted(wide.matrix))
        pixels = wide.image.copy()
        mask = paste_back(pixels, result.image, result.mask, between)
        return _restored(restorer, pixels, restore.blend), mask, wide.matrix

    def _restore_face(self, canvas: Image, face: Face, restore: RestoreOptions) -> None:
        restorer = _present(self._stages.restorer)
        try:
            crop = align(canvas, face.landmarks, restorer.template)
        except DegenerateLandmarks:
            return  # too small to align is too small to restore; the report says how many were
        paste_back(canvas, _restored(restorer, crop.image, restore.blend), soft_ellipse(restorer.template), crop.matrix)

    def _upsample(self, image: Image, scale: int, job: Job) -> Image:
        if scale == 1:
            return image
        with job.stage("upsample"):
            return _present(self._stages.upsampler).upsample(image, scale)

    def _trained(self, options: SwapOptions | EnhanceOptions, *, swapping: bool) -> bool:
        stages = self._stages
        return any(
            (
                swapping and stages.swapper.trained,
                options.restore is not None and stages.restorer is not None and stages.restorer.trained,
                options.upscale != 1 and stages.upsampler is not None and stages.upsampler.trained,
            )
        )


def _present(stage: _T | None) -> _T:
    if stage is None:
        message = "an option passed `check` that this recipe has no stage for"
        raise AssertionError(message)
    return stage


def _face(faces: Sequence[Face], face_id: int, picture: str) -> Face:
    if not faces:
        raise NoFaceFound(picture)
    if face_id > len(faces):
        raise FaceIndexOutOfRange(picture, face_id, len(faces))
    return faces[face_id - 1]


def _choose(
    pairs: Sequence[Pair], faces: Sequence[Face], picture: str, first_source: str
) -> dict[int, tuple[str, int]]:
    """Return which source face goes onto which destination face, by position."""
    chosen: dict[int, tuple[str, int]] = {}
    for number, pair in enumerate(pairs):
        if pair.destination_face_id == "all":
            _face(faces, 1, picture)
            indices = list(range(len(faces)))
        else:
            _face(faces, pair.destination_face_id, picture)
            indices = [pair.destination_face_id - 1]
        for index in indices:
            if index in chosen:
                raise InvalidField(f"pairs[{number}]", f"face {index + 1} of {picture} has a source already")
            chosen[index] = (pair.source or first_source, pair.source_face_id)
    return dict(sorted(chosen.items()))


def _aligned(image: Image, face: Face, template: LandmarkTemplate, picture: str, faces: int) -> Crop:
    try:
        return align(image, face.landmarks, template)
    except DegenerateLandmarks as error:
        raise DegenerateFace(picture, faces) from error


def _fitting(templates: Sequence[LandmarkTemplate], face: Face) -> LandmarkTemplate:
    """Return the smallest template in which the face loses no pixels, else the largest."""
    for template in templates:
        try:
            if scale_of(similarity(face.landmarks, template.points)) >= 1.0:
                return template
        except DegenerateLandmarks:
            break
    return templates[-1]


def _restored(restorer: Restorer, crop: Image, blend: float) -> Image:
    (restored,) = restorer.restore([crop])
    if blend == 1.0:
        return restored
    mixed = crop.astype(np.float32) * (1.0 - blend) + restored.astype(np.float32) * blend
    return np.rint(mixed).astype(np.uint8)


def _composed(second: AffineMatrix, first: AffineMatrix) -> AffineMatrix:
    """Return the one matrix that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])
