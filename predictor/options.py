"""What a request may ask for, once its shape has been checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

OutputFormat: TypeAlias = Literal["same", "jpeg", "png", "webp"]
Upscale: TypeAlias = Literal[1, 2, 4]


@dataclass(frozen=True, slots=True)
class Pair:
    """One face of a source goes onto one face of each destination, or onto all of them."""

    source: str | None = None
    """Name of the source; None is the first."""
    source_face_id: int = 1
    """1-based, left to right."""
    destination_face_id: int | Literal["all"] = 1
    """1-based, left to right."""


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Restore faces, and how strongly."""

    model: str | None = None
    """A restorer by name; None is the recipe's own."""
    blend: float = 1.0
    """0 leaves the face as it was, 1 is the restorer's answer, linear in between."""


@dataclass(frozen=True, slots=True)
class SwapOptions:
    """Who goes where, and what happens to the picture afterwards."""

    pairs: tuple[Pair, ...] = (Pair(),)
    restore: RestoreOptions | None = None
    upscale: Upscale = 1
    report: bool = False
    """Tell what happened to each face; how alike it is to its source costs a recognition before and after."""


@dataclass(frozen=True, slots=True)
class EnhanceOptions:
    """Restore all faces of a picture and enlarge it."""

    restore: RestoreOptions | None = RestoreOptions()
    upscale: Upscale = 2


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How the answer's pictures are encoded."""

    format: OutputFormat = "same"
    quality: int = 95
    """1 to 100, for JPEG and WebP."""
