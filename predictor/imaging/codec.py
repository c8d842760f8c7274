"""Pictures in and out: bytes ⇄ Picture. Limits, orientation, transparency, colour profiles and formats end here.

Whatever the bytes are, reading them gives a picture or one of our errors; the foreign decoders' own are translated.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.errors import ImageTooLarge, OutputTooLarge, UndecodableImage, UnsupportedImage
from predictor.imaging.formats import READERS, jpeg, png, webp
from predictor.imaging.formats.contents import BrokenPictureError, UntakenKindError
from predictor.imaging.formats.signatures import kind_of
from predictor.imaging.orientation import upright
from predictor.imaging.picture import Header, OutputKind, Picture, PictureFormat, rounded
from predictor.imaging.profiles import to_rgb

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from predictor.faces import Image
    from predictor.imaging.formats.contents import Contents, Layout
    from predictor.imaging.orientation import Samples
    from predictor.imaging.picture import Alpha, Deep
    from predictor.options import OutputFormat, OutputOptions

__all__ = ["Header", "OutputKind", "Picture", "check_output_size", "decode", "encode", "output_format", "probe"]

# What OpenCV finds wrong with a file is in our error; it would also write it to stderr, with paths of its build.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_LONGEST_SIDE: dict[OutputKind, int] = {
    "jpeg": 65_500,  # libjpeg, JPEG_MAX_DIMENSION
    "webp": 16_383,  # RFC 9649: 14 bits
    "png": 1_000_000,  # libpng, PNG_USER_WIDTH_MAX
}


def probe(data: bytes, field: str) -> Header:
    """Read kind and upright size from the header; no pixel is decoded and no memory taken for any.

    Args:
        data: The file.
        field: What the request calls it, for the errors.

    Raises:
        UnsupportedImage: A kind that is not taken.
        UndecodableImage: No picture, or one whose header is damaged.
    """
    return _layout(data, field).header()


def decode(data: bytes, field: str, max_pixels: int) -> Picture:
    """Decode a picture: upright, RGB, with its transparency, 16-bit samples and colour profile.

    Of an animation, the first frame.

    Raises:
        UnsupportedImage: A kind that is not taken.
        ImageTooLarge: More pixels than allowed; decided from the header.
        UndecodableImage: No picture, a damaged or a truncated one.
    """
    layout = _layout(data, field)
    header = layout.header()
    if header.pixels > max_pixels:
        raise ImageTooLarge(field, header.pixels, max_pixels)
    with _translated(field):
        contents = READERS[layout.format].decode(data)
        if contents.samples.shape[:2] != (layout.height, layout.width):
            raise BrokenPictureError("header and data disagree on the size")
        return _picture(contents, layout)


def encode(picture: Picture, output: OutputOptions, mark: bytes | None) -> bytes:
    """Encode a picture; the same arguments give the same bytes.

    Args:
        picture: What to write; transparency goes over white where the format has none, 16 bits are written to PNG.
        output: Format and quality.
        mark: An XMP packet to embed, see `policy.provenance`.

    Raises:
        OutputTooLarge: The format cannot be that wide or high.
    """
    kind = output_format(picture.format, output.format)
    height, width = picture.image.shape[:2]
    check_output_size(kind, width, height)
    if kind == "jpeg":
        return jpeg.encode(_over_white(picture.image, picture.alpha), output.quality, picture.profile, mark)
    if kind == "webp":
        return webp.encode(picture.image, picture.alpha, output.quality, picture.profile, mark)
    if picture.deep is not None:
        return png.encode(picture.deep, picture.deep_alpha, picture.profile, mark)
    return png.encode(picture.image, picture.alpha, picture.profile, mark)


def output_format(source: PictureFormat, asked: OutputFormat) -> OutputKind:
    """Return the kind a picture is written as; `same` is its own, or the nearest one that we write."""
    return READERS[source].written_as if asked == "same" else asked


def check_output_size(kind: OutputKind, width: int, height: int) -> None:
    """Raise OutputTooLarge if the kind cannot hold a picture of that size."""
    longest, limit = max(width, height), _LONGEST_SIDE[kind]
    if longest > limit:
        raise OutputTooLarge(
            f"the answer would be {longest:,} pixels long; {kind.upper()} ends at {limit:,}",
            limit=limit,
            actual=longest,
        )


def _layout(data: bytes, field: str) -> Layout:
    with _translated(field):
        layout = READERS[kind_of(data)].read_layout(data)
        if layout.width < 1 or layout.height < 1:
            raise BrokenPictureError("the picture has no pixels")
        return layout


@contextmanager
def _translated(field: str) -> Iterator[None]:
    """Turn whatever a reader raises into an error about the field."""
    try:
        yield
    except UntakenKindError as error:
        raise UnsupportedImage(field, error.kind) from error
    except BrokenPictureError as error:
        raise UndecodableImage(field, str(error)) from error
    except MemoryError:  # the machine's trouble, not the file's
        raise
    except Exception as error:  # Pillow's readers meet hostile bytes with a dozen kinds, from struct.error to TypeError
        raise UndecodableImage(field) from error


def _picture(contents: Contents, layout: Layout) -> Picture:
    samples, profile = to_rgb(contents)
    image, deep = _depths(upright(samples, layout.orientation))
    if contents.alpha is None:
        return Picture(image, layout.format, deep=deep, profile=profile)
    alpha, deep_alpha = _depths(upright(contents.alpha, layout.orientation))
    return Picture(image, layout.format, alpha, deep, deep_alpha, profile)


def _depths(samples: Samples) -> tuple[npt.NDArray[np.uint8], Deep | None]:
    """Return samples in 8 bits, and in 16 where they have them."""
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8), None
    deep = np.asarray(samples, np.uint16)
    return rounded(deep), deep


def _over_white(image: Image, alpha: Alpha | None) -> Image:
    if alpha is None:
        return image
    opacity = alpha[..., None].astype(np.uint16)
    # 255 * 255 + 127 fits into 16 bits
    return ((image * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
