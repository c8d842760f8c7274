"""Stages without models: each does something a test can see, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from predictor.faces import Box, Crop, Embedding, Face, Identity, Image, Mask, SwappedCrop
from predictor.imaging.alignment import ARCFACE_112, FFHQ_512, LandmarkTemplate
from predictor.imaging.masks import soft_square
from predictor.pipeline import Pipeline, Stages
from predictor.stages import carry_on

SMALL = ARCFACE_112.scaled(64)
LARGE = ARCFACE_112.scaled(128)
RESTORER_TEMPLATE = FFHQ_512.scaled(96)


def face_at(left: float, top: float, size: float = 60.0) -> Face:
    """An upright face in a square box, its landmarks laid out as ArcFace's."""
    points = (ARCFACE_112.points / ARCFACE_112.size * size + (left, top)).astype(np.float32)
    return Face(Box(left, top, left + size, top + size), points, 0.9)


def degenerate_face(left: float = 5.0, top: float = 5.0) -> Face:
    """A face whose landmarks lie on one spot."""
    return Face(Box(left, top, left + 10, top + 10), np.full((5, 2), 9.0, np.float32), 0.9)


def plain(colour: tuple[int, int, int], height: int = 100, width: int = 200) -> Image:
    """A picture in one colour; by its red a fake detector can tell pictures apart."""
    return np.full((height, width, 3), colour, np.uint8)


@dataclass
class FakeDetector:
    """Finds what it is told, the same on every picture or by the red of its first pixel."""

    faces: Sequence[Face] | dict[int, Sequence[Face]] = ()
    seen: list[Image] = field(default_factory=list)

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        self.seen.append(image)
        return list(self.faces.get(int(image[0, 0, 0]), ()) if isinstance(self.faces, dict) else self.faces)


@dataclass
class FakeEmbedder:
    """Takes faces of the same colour for the same person, and those of red, green and blue for strangers."""

    template: LandmarkTemplate = ARCFACE_112
    seen: list[Image] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def embed(self, crops: Sequence[Image]) -> list[Embedding]:
        self.seen += crops
        self.batches.append(len(crops))
        return [self._embedding(crop) for crop in crops]

    def _embedding(self, crop: Image) -> Embedding:
        embedding = np.zeros(512, np.float32)
        embedding[:3] = crop[crop.shape[0] // 2, crop.shape[1] // 2]
        return embedding / max(float(np.linalg.norm(embedding)), 1.0)


@dataclass
class FakeSwapper:
    """Fills a crop with the mean colour of the source's."""

    source_template: LandmarkTemplate = ARCFACE_112
    templates: Sequence[LandmarkTemplate] = (SMALL, LARGE)
    trained: bool = False
    needs_embedding: bool = False
    least_scale: float = 1.0
    paint: Callable[[Image, Identity], Image] = lambda crop, identity: np.full_like(
        crop, np.rint(identity.crop.image.mean(axis=(0, 1)))
    )
    mask: Callable[[int], Mask] = soft_square
    calls: list[tuple[list[Crop], list[Identity]]] = field(default_factory=list)

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        check()
        self.calls.append((list(crops), list(identities)))
        return [
            SwappedCrop(self.paint(crop.image, identity), self.mask(crop.image.shape[0]), "network")
            for crop, identity in zip(crops, identities, strict=True)
        ]


@dataclass
class FakeRestorer:
    """Paints a crop over."""

    template: LandmarkTemplate = RESTORER_TEMPLATE
    trained: bool = False
    paint: Callable[[Image], Image] = lambda crop: np.full_like(crop, 250)
    seen: list[Image] = field(default_factory=list)

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        self.seen += [crop.copy() for crop in crops]
        return [self.paint(crop) for crop in crops]


@dataclass
class FakeParser:
    """Sees a face where it is told; nowhere, if not told."""

    template: LandmarkTemplate = RESTORER_TEMPLATE
    mask: Callable[[int], Mask] = lambda size: np.zeros((size, size), np.float32)
    seen: list[Image] = field(default_factory=list)

    def parse(self, crops: Sequence[Image]) -> list[Mask]:
        self.seen += crops
        return [self.mask(crop.shape[0]) for crop in crops]


@dataclass
class FakeUpsampler:
    """Repeats every pixel, in two parts as far as giving up is concerned."""

    scales: Sequence[int] = (2, 4)
    trained: bool = False
    enlarge: Callable[[Image, int], Image] = lambda image, scale: image.repeat(scale, axis=0).repeat(scale, axis=1)
    seen: list[Image] = field(default_factory=list)

    def upsample(self, image: Image, scale: int, check: Callable[[], None] = carry_on) -> Image:
        self.seen.append(image)
        enlarged = self.enlarge(image, scale)
        check()
        return enlarged


@dataclass
class Fakes:
    """A recipe of fakes; `pipeline` puts them to work."""

    detector: FakeDetector = field(default_factory=FakeDetector)
    embedder: FakeEmbedder | None = None
    swapper: FakeSwapper = field(default_factory=FakeSwapper)
    restorer: FakeRestorer | None = field(default_factory=FakeRestorer)
    upsampler: FakeUpsampler | None = field(default_factory=FakeUpsampler)

    def pipeline(self, max_faces: int = 100) -> Pipeline:
        name = "fake" if self.restorer else None
        return Pipeline(
            Stages(self.detector, self.embedder, self.swapper, self.restorer, self.upsampler, name), max_faces
        )
