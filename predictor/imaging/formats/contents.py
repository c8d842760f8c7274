"""What a reader of one format gives back, and the two ways in which it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from predictor.imaging.orientation import exchanges_sides
from predictor.imaging.picture import Header

if TYPE_CHECKING:
    from predictor.imaging.orientation import Samples
    from predictor.imaging.picture import PictureFormat

ColourSpace: TypeAlias = Literal["grey", "rgb", "cmyk", "lab"]


class BrokenPictureError(ValueError):
    """The bytes are not a complete picture. The codec knows of which field and says UndecodableImage."""


class UntakenKindError(ValueError):
    """A picture of a kind that is not taken. The codec knows of which field and says UnsupportedImage."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a picture as it is stored, and how to hold it upright."""

    format: PictureFormat
    width: int
    height: int
    orientation: int = 1
    """EXIF's 1 to 8."""
    deep: bool = False
    """Whether its samples have 16 bits."""

    def header(self) -> Header:
        """Return what the upright picture will be."""
        if exchanges_sides(self.orientation):
            return Header(self.format, self.height, self.width, self.deep)
        return Header(self.format, self.width, self.height, self.deep)


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """Decoded samples as they are stored: not yet upright, not yet RGB."""

    samples: Samples
    """Shape (H, W) for grey, (H, W, 3) for RGB and Lab, (H, W, 4) for CMYK (0 is no ink)."""
    space: ColourSpace
    alpha: Samples | None = None
    """Straight opacity, shape (H, W), as many bits as the samples."""
    profile: bytes | None = None
    """The file's ICC profile, whatever it is for."""
