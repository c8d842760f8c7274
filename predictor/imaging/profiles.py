"""ICC colour profiles: which one the answer keeps, and the way to sRGB where it cannot."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
import PIL.Image
from PIL import ImageCms

if TYPE_CHECKING:
    import numpy.typing as npt

    from predictor.imaging.formats.contents import Contents
    from predictor.imaging.orientation import Samples

LARGEST_PROFILE_BYTES = 8 * 2**20
"""Larger ones are dropped, not read: the largest in use (CMYK and camera tables) have about 3 MB."""

# ICC.1:2022, section 7.2: size, colour space and signature in the header of 128 bytes
_HEADER_BYTES = 128
_SPACE, _SIGNATURE = slice(16, 20), slice(36, 40)


def to_rgb(contents: Contents) -> tuple[Samples, bytes | None]:
    """Return RGB samples, as many bits as the file's, and the profile they are to be read with (None: sRGB).

    RGB keeps its values and its profile. Grey is repeated, CMYK and Lab are converted; with a profile of their own
    through it, to sRGB, since it does not fit the result. A profile of another space than the picture's, or a broken
    one, is dropped.
    """
    samples, profile = contents.samples, contents.profile
    space = _space_of(profile)
    if contents.space == "cmyk":
        through = _converted(samples, "CMYK", profile) if profile and space == b"CMYK" else None
        return _plain_cmyk(samples) if through is None else through, None
    if contents.space == "lab":
        return _from_lab(samples), None
    kept = profile if space == b"RGB " else None
    if contents.space == "rgb":
        return samples, kept
    if profile and space == b"GRAY":
        samples = _grey_through(samples, profile)
    return np.asarray(cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB), samples.dtype), kept


def _space_of(profile: bytes | None) -> bytes:
    if profile is None or not _HEADER_BYTES < len(profile) <= LARGEST_PROFILE_BYTES or profile[_SIGNATURE] != b"acsp":
        return b""
    return profile[_SPACE]


def _plain_cmyk(samples: Samples) -> npt.NDArray[np.uint8]:
    return np.asarray(PIL.Image.fromarray(samples, "CMYK").convert("RGB"))


def _from_lab(samples: Samples) -> npt.NDArray[np.uint8]:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return _applied(samples, "LAB", lab)


def _grey_through(grey: Samples, profile: bytes) -> Samples:
    """Apply a grey profile by its curve: 256 levels, straight lines between them for 16 bits."""
    levels = np.arange(256, dtype=np.uint8)
    converted = _converted(levels[None], "L", profile)
    if converted is None:
        return grey
    curve = converted[0, :, 1]  # the three channels of a grey are alike
    if grey.dtype == np.uint8:
        return curve[grey]
    return np.interp(grey, levels.astype(np.float64) * 257, curve.astype(np.float64) * 257).round().astype(np.uint16)


def _converted(samples: Samples, mode: str, profile: bytes) -> npt.NDArray[np.uint8] | None:
    """Take samples to sRGB through a profile; None where the profile is broken."""
    try:
        return _applied(samples, mode, ImageCms.ImageCmsProfile(BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return None


def _applied(samples: Samples, mode: str, profile: ImageCms.ImageCmsProfile) -> npt.NDArray[np.uint8]:
    # Relative colorimetric with black point compensation: paper is white, the darkest ink is black, and what lies
    # between keeps its colour; what print applications do by default.
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(transform.apply(PIL.Image.fromarray(samples, mode)))
