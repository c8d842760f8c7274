"""Outside the swapped face, a PNG holds the destination's own pixels exactly, whatever kind of picture it was."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as PillowImage
from PIL import ImageOps

from predictor.client.samples import ASTRONAUT
from tests.serving.pictures import photograph, portrait, saved
from tests.serving.wire import Ask, RestConnection

Pixels = npt.NDArray[Any]
_SIDEWAYS = 6


def scene() -> PillowImage.Image:
    """One face, with much around it."""
    return photograph(ASTRONAUT).resize((400, 400))


def rgba() -> bytes:
    picture = scene().convert("RGBA")
    picture.putalpha(PillowImage.linear_gradient("L").resize(picture.size))
    return saved(picture, "PNG")


def sixteen_bits() -> bytes:
    """Samples that eight bits cannot hold."""
    deep = np.asarray(scene()).astype(np.uint16) * 257
    deep[..., 1] ^= np.arange(400, dtype=np.uint16)[None, :] % 251
    return cv2.imencode(".png", deep[..., ::-1])[1].tobytes()


def turned() -> bytes:
    exif = PillowImage.Exif()
    exif[0x0112] = _SIDEWAYS
    return saved(scene().transpose(PillowImage.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


KINDS: Mapping[str, Callable[[], bytes]] = {
    "rgb png": lambda: saved(scene(), "PNG"),
    "rgb jpeg": lambda: saved(scene(), "JPEG", quality=90),
    "rgba png": rgba,
    "grey png": lambda: saved(scene().convert("L"), "PNG"),
    "grey jpeg": lambda: saved(scene().convert("L"), "JPEG", quality=90),
    "cmyk jpeg": lambda: saved(scene().convert("CMYK"), "JPEG", quality=95),
    "16-bit png": sixteen_bits,
    "palette png": lambda: saved(scene().quantize(200), "PNG"),
    "turned jpeg": turned,
    "lossless webp": lambda: saved(scene(), "WEBP", lossless=True),
}


def decoded(data: bytes) -> Pixels:
    """Decode by others' code alone: upright, RGB or RGBA, 16 bits where the file has them."""
    if data[:4] == b"\x89PNG" and data[24] == 16:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        return np.asarray(pixels[..., ::-1])
    picture = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(data)))
    return np.asarray(picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_png_equals_the_destination_outside_the_face(rest: RestConnection, kind: str) -> None:
    destination = KINDS[kind]()
    before = decoded(destination)

    answer = rest.ask(
        Ask(image=portrait(), destinations=[destination], options={"output": {"format": "png"}, "report": True}).rest()
    ).json

    (made,) = answer["swapped_images"]
    after = decoded(base64.b64decode(made["image_data"]))
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    (face,) = made["faces"]
    differing = np.any(before != after, axis=2)
    outside = ~_around(face["box"], differing.shape)
    assert not differing[outside].any()
    assert differing[~outside].mean() > 0.1
    assert outside.mean() > 0.5
    if before.shape[2] == 4:
        np.testing.assert_array_equal(before[..., 3], after[..., 3])


def _around(box: list[float], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Where a face's box, larger by half on every side, lies."""
    left, top, right, bottom = box
    wide, high = (right - left) / 2, (bottom - top) / 2
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (columns > left - wide) & (columns < right + wide) & (rows > top - high) & (rows < bottom + high)
