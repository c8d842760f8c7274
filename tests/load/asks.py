"""What is asked: one swap for all that is compared, and mixes of sizes."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from itertools import islice

from PIL import Image as PillowImage

from predictor.bench.memory import requests
from predictor.client.samples import ASTRONAUT, SIX_FACES
from tests.serving.pictures import photograph, portrait, saved
from tests.serving.wire import Ask

MIB = 2**20
_SOAK_ASKS = 40
_FRAME_BYTES = 64 * 1024
"""More than all of a body that is no destination: the source and the JSON around it."""


def swap() -> Ask:
    """A portrait's face onto the first of six, 1280×886: JPEG in, JPEG out."""
    return Ask(image=portrait(), destinations=[SIX_FACES.read()])


def detect() -> Ask:
    """The least work there is: one face, 200×200."""
    return Ask("faceswap-detect", portrait())


def swap_of(body_bytes: int) -> Ask:
    """The same swap onto a picture that fills a V1 body; an uncompressed PNG, so that its size is known."""
    pixels = ((body_bytes - _FRAME_BYTES) * 3 / 4 - len(portrait())) / 3
    picture = photograph(SIX_FACES)
    scale = math.sqrt(pixels / (picture.width * picture.height))
    size = (math.floor(picture.width * scale), math.floor(picture.height * scale))
    return Ask(image=portrait(), destinations=[saved(picture.resize(size), "PNG", compress_level=0)])


def large_answer() -> Ask:
    """An answer of megabytes for little work: four times a portrait, as PNG."""
    small = saved(PillowImage.open(io.BytesIO(ASTRONAUT.read())).convert("RGB").resize((256, 256)), "PNG")
    return Ask("faceswap-enhance", small, options={"restore": False, "upscale": 4, "output": {"format": "png"}})


def mixed() -> Sequence[Ask]:
    """The mix of the memory bench: sizes, formats, models, restoring and enlarging take turns."""
    pictures: dict[str, bytes] = {}

    def picture(text: str) -> bytes:
        return pictures.setdefault(text, base64.b64decode(text))

    asks = []
    for model, body in islice(requests(), _SOAK_ASKS):
        destinations = [picture(one["image"]) for one in body.get("destinations", ())]
        options = {name: value for name, value in body.items() if name not in {"image", "destinations"}}
        asks.append(Ask(model, picture(body["image"]), destinations, options))
    return asks
