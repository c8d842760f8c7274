"""The whole job done by the peers' own packages.

What their users get differs from our own pipeline, and stays as it is:

* every face is embedded when it is found, of sources and of destinations;
* each face is pasted back over the whole picture before the next, with insightface's mask;
* restoring looks for faces again and restores every one that GFPGANer finds, swapped or not; what it finds none of
  stays as it was, and the report says so;
* restoring and upsampling in one request is GFPGANer's work alone: faces are restored at 512 pixels and pasted into
  the enlarged picture;
* GFPGANer draws new noise for every face, so the same request does not give the same bytes twice;
* reports do not tell how alike a face is to its source;
* `blend` below 1 is refused: GFPGANer's own weight changes nothing;
* fp32 on one device, the packages' own threads: `PREDICTOR_PROVIDER`, `_PRECISION` and `_THREADS` are not read.

Two things are ours, so that answers mean the same: faces are ordered left to right, and pictures are RGB outside.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.errors import StageFailed, TooManyFaces, UnsupportedOption
from predictor.faces import FaceReport, Identity, left_to_right
from predictor.imaging.alignment import ARCFACE_112
from predictor.pipeline import Altered
from predictor.reference.analysis import FoundFace, face_of, insightface_of
from predictor.selection import choose, givers_of, require_offered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Box, Embedding, Face, Image
    from predictor.job import Job
    from predictor.options import EnhanceOptions, Pair, SwapOptions
    from predictor.reference.analysis import FaceAnalysis, INSwapper
    from predictor.reference.restorer import Gfpgan
    from predictor.reference.upsampler import RealEsrgan
    from predictor.selection import Giver, Scene, Source


@dataclass(frozen=True, slots=True)
class Packages:
    """What the packages made of their files; None where only a part of the job is to be done."""

    analysis: FaceAnalysis
    swapper: INSwapper
    restorer: Gfpgan | None = None
    restorer_name: str | None = None
    """What a request may call the restorer."""
    upsampler: RealEsrgan | None = None


class ReferencePipeline:
    """The recipe `reference` at work; safe to call from several threads at once.

    Args:
        packages: The peers.
        max_faces: Pictures with more faces are refused.
    """

    def __init__(self, packages: Packages, max_faces: int = 100) -> None:
        self._packages = packages
        self._max_faces = max_faces
        self._one_at_a_time = threading.Lock()  # GFPGANer and RealESRGANer keep a call's data in themselves

    @property
    def can_restore(self) -> bool:
        """Whether there is a restorer."""
        return self._packages.restorer is not None

    @property
    def scales(self) -> Sequence[int]:
        """The factors it can enlarge by, 1 left out."""
        return self._packages.upsampler.scales if self._packages.upsampler else ()

    def check(self, options: SwapOptions | EnhanceOptions, place: str = "") -> None:
        """Check what is asked before anything is run.

        Raises:
            UnsupportedOption: This recipe cannot do it.
            InvalidField: Two pairs give a face to the same face.
        """
        require_offered(options, self._packages.restorer_name, self.scales, place)
        if options.restore and options.restore.blend != 1.0:
            raise UnsupportedOption(f"{place}restore.blend", str(options.restore.blend), ["1"])

    def find_faces(self, image: Image, picture: str, job: Job) -> list[Face]:
        """Return all faces, left to right, each with its embedding.

        Raises:
            TooManyFaces: More than this pipeline takes.
        """
        with job.stage("detect"):
            faces = [face_of(found) for found in self._packages.analysis.get(_reversed(image))]
        if len(faces) > self._max_faces:
            raise TooManyFaces(picture, len(faces), self._max_faces)
        height, width = image.shape[:2]
        return left_to_right(faces, width, height)

    def identify_all(self, sources: Sequence[Source], pairs: Sequence[Pair], job: Job) -> list[Giver]:
        """Return who gives a face to each pair, in order; a pair that names no source takes the first one.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: A source has no such face.
        """
        return givers_of(sources, pairs, lambda source, face_id: self._identify(source.scene, face_id, job))

    def swap(self, destination: Scene, givers: Sequence[Giver], options: SwapOptions, job: Job) -> Altered:
        """Give faces of one picture the identities that the pairs name, then restore and upsample as asked.

        Raises:
            NoFaceFound, FaceIndexOutOfRange, DegenerateFace: The picture has no such face.
            DeadlineExceeded: Nobody waits any more.
            StageFailed: A package gave up.
        """
        chosen = choose(options.pairs, destination)
        reports = [FaceReport(index, face) for index, face in enumerate(destination.faces, start=1)]
        canvas = _reversed(destination.image)
        for index, number in chosen.items():
            giver, face, began = givers[number], destination.faces[index], time.perf_counter()
            destination.aligned(face, ARCFACE_112)  # on degenerate landmarks insightface would end in OpenCV's words
            with job.stage("swap"):
                canvas = self._swap_face(canvas, face, giver.identity.embedding)
            reports[index] = FaceReport(
                id=index + 1,
                face=face,
                swapped=True,
                source=giver.source,
                source_face_id=giver.face_id,
                fit="network",
                stage_seconds={"swap": time.perf_counter() - began},
            )
        return self._finished(canvas, reports, options, job)

    def enhance(self, scene: Scene, options: EnhanceOptions, job: Job) -> Altered:
        """Restore the faces of a picture and upsample it, as asked."""
        reports = [FaceReport(index, face) for index, face in enumerate(scene.faces, start=1)]
        return self._finished(_reversed(scene.image), reports, options, job)

    def _identify(self, scene: Scene, face_id: int, job: Job) -> Identity:
        face = scene.face(face_id)
        with job.stage("identify"):
            crop = scene.aligned(face, ARCFACE_112)
            return Identity(crop, self._embedding(scene.image, face))

    def _embedding(self, image: Image, face: Face) -> Embedding:
        """Return what FaceAnalysis found, or for a face it did not find what it would have."""
        if isinstance(face, FoundFace):
            return face.embedding
        embedding: Embedding = self._packages.analysis.models["recognition"].get(_reversed(image), insightface_of(face))
        return embedding

    def _swap_face(self, canvas: Image, face: Face, embedding: Embedding | None) -> Image:
        giver = insightface_of(None, embedding)
        try:
            swapped: Image = self._packages.swapper.get(canvas, insightface_of(face), giver, paste_back=True)
        except (cv2.error, ValueError) as error:  # nothing of the crop lies in the picture
            raise StageFailed("swap", "insightface could not paste the face back") from error
        return swapped

    def _finished(
        self, canvas: Image, reports: list[FaceReport], options: SwapOptions | EnhanceOptions, job: Job
    ) -> Altered:
        """Restore and enlarge a picture, BGR, as its users do: GFPGANer alone if there are faces to restore."""
        restorer, upsampler, scale = self._packages.restorer, self._packages.upsampler, options.upscale
        restored: list[Box] = []
        if options.restore and restorer:
            with job.stage("restore"), self._one_at_a_time:
                canvas, restored = restorer.enhance(canvas, scale, upsampler)
        elif scale != 1 and upsampler:
            with job.stage("upsample"), self._one_at_a_time:
                canvas = upsampler.enhance(canvas, scale)
        reports = [replace(report, restored=_is_in(report.face, restored)) for report in reports]
        trained = bool(restored) or scale != 1 or any(report.swapped for report in reports)
        return Altered(_reversed(canvas), reports, trained)


def _reversed(image: Image) -> Image:
    """Return a picture with its channels in the other order: RGB is ours, BGR the packages'."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _is_in(face: Face, boxes: Sequence[Box]) -> bool:
    """Return whether a face's nose is in one of the boxes."""
    x, y = face.landmarks[2]
    return any(box.left <= x <= box.right and box.top <= y <= box.bottom for box in boxes)
