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
    StageFailed,
    TooManyFaces,
    UnsupportedOption,
)
from predictor.faces import FaceReport, Identity, left_to_right
from predictor.imaging.alignment import align, inverted, scale_of, similarity
from predictor.imaging.compositing import paste_back
from predictor.imaging.masks import soft_ellipse
from predictor.options import SwapOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.faces import AffineMatrix, Crop, Face, Image, Mask, SwappedCrop
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.job import Job
    from predictor.options import EnhanceOptions, Pair, RestoreOptions
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
class Giver:
    """A face of a source, ready to be given to faces of destinations."""

    source: str
    """Name of the source."""
    face_id: int
    identity: Identity


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

    def check(self, options: SwapOptions | EnhanceOptions, place: str = "") -> None:
        """Check what is asked before anything is run.

        Args:
            options: What is asked.
            place: Where the request stands when there are several: `instances[2].`; errors name it.

        Raises:
            UnsupportedOption: This recipe cannot do it.
            InvalidField: Two pairs give a face to the same face.
        """
        if isinstance(options, SwapOptions):
            _require_one_source_each(options.pairs, place)
        restorers = [self._stages.restorer_name] if self._stages.restorer_name else []
        if options.restore and not restorers:
            raise UnsupportedOption(f"{place}restore", "restoring", restorers)
        if options.restore and options.restore.model not in {None, *restorers}:
            raise UnsupportedOption(f"{place}restore.model", str(options.restore.model), restorers)
        if options.upscale not in (1, *self.scales):
            offered = [str(scale) for scale in (1, *self.scales)]
            raise UnsupportedOption(f"{place}upscale", str(options.upscale), offered)

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

    def identify_all(self, sources: Sequence[Source], pairs: Sequence[Pair], job: Job) -> list[Giver]:
        """Return who gives a face to each pair, in order; a pair that names no source takes the first one.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: A source has no such face.
        """
        by_name = {source.name: source for source in sources}
        wanted = [(pair.source or sources[0].name, pair.source_face_id) for pair in pairs]
        givers = {
            (name, face_id): Giver(name, face_id, self.identify(by_name[name], face_id, job))
            for name, face_id in dict.fromkeys(wanted)
        }
        return [givers[one] for one in wanted]

    def swap(  # noqa: PLR0913  # one picture, its faces, who goes where: each is a different thing
        self,
        image: Image,
        faces: Sequence[Face],
        picture: str,
        givers: Sequence[Giver],
        options: SwapOptions,
        job: Job,
    ) -> Altered:
        """Give faces of one picture the identities that the pairs name, then restore and upsample as asked.

        Args:
            image: The destination, RGB, shape (H, W, 3); not written to.
            faces: Its faces, left to right.
            picture: Its name, for errors.
            givers: From `identify_all`, one for each pair of the options.
            options: What to do; already passed `check`.
            job: Whose time this is.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The picture has no such face.
            DeadlineExceeded: Nobody waits any more.
            StageFailed: A stage gave an answer that cannot be right.
        """
        chosen = {index: givers[number] for index, number in _choose(options.pairs, faces, picture).items()}
        reports = [FaceReport(index, face) for index, face in enumerate(faces, start=1)]
        canvas = image.copy()
        began = time.perf_counter()
        swapped = self._swap_faces(image, faces, {index: one.identity for index, one in chosen.items()}, picture, job)
        share = (time.perf_counter() - began) / len(chosen)
        for (index, giver), (crop, result) in zip(chosen.items(), swapped, strict=True):
            seconds = {"swap": share} | self._finish_face(
                canvas, image, faces[index], (crop, result), options.restore, job
            )
            reports[index] = FaceReport(
                id=index + 1,
                face=faces[index],
                swapped=True,
                restored=options.restore is not None,
                source=giver.source,
                source_face_id=giver.face_id,
                fit=result.fit,
                stage_seconds=seconds,
            )
        canvas = self._upsample(canvas, options.upscale, job)
        return Altered(canvas, reports, self._stages.swapper.trained or self._trained(reports, options.upscale))

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
            restored, began = False, time.perf_counter()
            if options.restore:
                with job.stage("restore"):
                    restored = self._restore_face(canvas, face, options.restore)
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
        self, image: Image, faces: Sequence[Face], wanted: Mapping[int, Identity], picture: str, job: Job
    ) -> list[tuple[Crop, SwappedCrop]]:
        swapper = self._stages.swapper
        with job.stage("swap"):
            crops = [
                _aligned(image, faces[index], _fitting(swapper.templates, faces[index]), picture, len(faces))
                for index in wanted
            ]
            swapped = swapper.swap(crops, list(wanted.values()))
        for crop, result in zip(crops, swapped, strict=True):
            _require_size("swap", result.image, crop.image.shape)
            if result.mask.shape != crop.image.shape[:2] or not np.isfinite(result.mask).all():
                raise StageFailed("swap", "gave a mask that is not finite or not of the crop's size")
        return list(zip(crops, swapped, strict=True))

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

    def _restore_face(self, canvas: Image, face: Face, restore: RestoreOptions) -> bool:
        """Restore one face of the canvas, in place; return whether it could be aligned."""
        restorer = _present(self._stages.restorer)
        try:
            crop = align(canvas, face.landmarks, restorer.template)
        except DegenerateLandmarks:
            return False  # too small to align is too small to restore
        paste_back(canvas, _restored(restorer, crop.image, restore.blend), soft_ellipse(restorer.template), crop.matrix)
        return True

    def _upsample(self, image: Image, scale: int, job: Job) -> Image:
        if scale == 1:
            return image
        height, width = image.shape[:2]
        with job.stage("upsample"):
            enlarged = _present(self._stages.upsampler).upsample(image, scale)
        _require_size("upsample", enlarged, (height * scale, width * scale, 3))
        return enlarged

    def _trained(self, reports: Sequence[FaceReport], upscale: int) -> bool:
        """Return whether a trained network restored a face or enlarged the picture."""
        restorer, upsampler = self._stages.restorer, self._stages.upsampler
        restored = any(report.restored for report in reports)
        return (restored and _present(restorer).trained) or (upscale != 1 and _present(upsampler).trained)


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


def _require_one_source_each(pairs: Sequence[Pair], place: str) -> None:
    taken: set[int | str] = set()
    for number, pair in enumerate(pairs):
        face_id = pair.destination_face_id
        if face_id in taken or "all" in taken or (taken and face_id == "all"):
            raise InvalidField(f"{place}pairs[{number}].destination_face_id", f"{face_id} has a source already")
        taken.add(face_id)


def _choose(pairs: Sequence[Pair], faces: Sequence[Face], picture: str) -> dict[int, int]:
    """Return which pair is meant for which face, both by position, faces left to right."""
    chosen: dict[int, int] = {}
    for number, pair in enumerate(pairs):
        if pair.destination_face_id == "all":
            _face(faces, 1, picture)
            return dict.fromkeys(range(len(faces)), number)
        _face(faces, pair.destination_face_id, picture)
        chosen[pair.destination_face_id - 1] = number
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
    _require_size("restore", restored, crop.shape)
    if blend == 1.0:
        return restored
    mixed = crop.astype(np.float32) * (1.0 - blend) + restored.astype(np.float32) * blend
    return np.rint(mixed).astype(np.uint8)


def _composed(second: AffineMatrix, first: AffineMatrix) -> AffineMatrix:
    """Return the one matrix that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def _require_size(stage: str, image: Image, shape: tuple[int, ...]) -> None:
    if image.shape != shape or image.dtype != np.uint8:
        raise StageFailed(stage, f"gave {image.dtype} of shape {image.shape}; uint8 of shape {shape} was due")
