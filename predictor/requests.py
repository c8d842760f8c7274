"""Requests and answers without a protocol: what V1, V2, gRPC and the command line have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from predictor.options import EnhanceOptions, OutputOptions, SwapOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.errors import PredictorError
    from predictor.faces import Face, FaceReport
    from predictor.imaging.codec import Picture


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """A picture as it came; only the same object is the same picture."""

    name: str
    data: bytes = field(repr=False)
    field: str
    """Where it stood in the request; errors name it."""


@dataclass(frozen=True, slots=True)
class SwapRequest:
    """One source or several, and the pictures that receive a face."""

    sources: Sequence[EncodedPicture]
    destinations: Sequence[EncodedPicture | str] | None = None
    """A text is the name of a preloaded picture; None is every preloaded one, in name order."""
    options: SwapOptions = SwapOptions()
    output: OutputOptions = OutputOptions()
    field: str = ""
    """Where the request stands when there are several: `instances[2].`; errors name it."""

    @property
    def report(self) -> bool:
        """Whether the answer tells what happened to each face."""
        return self.options.report


@dataclass(frozen=True, slots=True)
class EnhanceRequest:
    """A picture to restore and enlarge."""

    picture: EncodedPicture
    options: EnhanceOptions = EnhanceOptions()
    output: OutputOptions = OutputOptions()
    report: bool = False
    field: str = ""
    """Where the request stands when there are several: `instances[2].`; errors name it."""


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """A picture whose faces are asked for."""

    picture: EncodedPicture


@dataclass(frozen=True, slots=True, eq=False)
class AlteredPicture:
    """A picture we made, not yet encoded."""

    name: str
    picture: Picture
    faces: Sequence[FaceReport]
    trained: bool
    """Whether a trained network made some of its pixels; the mark says so."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A preloaded destination on which the asked face does not exist, or that could not be read."""

    name: str
    error: PredictorError


@dataclass(frozen=True, slots=True, eq=False)
class SwapAnswer:
    """The pictures of one swap request."""

    pictures: Sequence[AlteredPicture]
    skipped: Sequence[Skipped]
    faces_in_source: int
    """How many faces the first source has."""


@dataclass(frozen=True, slots=True, eq=False)
class FacesAnswer:
    """The faces of a picture, left to right."""

    faces: Sequence[Face]
    width: int
    height: int
