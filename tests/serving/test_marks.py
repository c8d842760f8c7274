"""Every picture we make says that it was altered: from every model, by every protocol, in every format."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.serving.marks import read_source_type
from tests.serving.pictures import portrait
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest, base64_text

FORMATS = ("same", "jpeg", "png", "webp")
MODELS = ("faceswap", "faceswap-enhance")


def options_for(model: str, picture_format: str) -> dict[str, Any]:
    """Least work: what is marked is the same."""
    return {"output": {"format": picture_format}, **({"restore": False, "upscale": 1} if "enhance" in model else {})}


def asked(model: str, picture_format: str) -> Ask:
    destinations = [portrait()] if model == "faceswap" else []
    return Ask(model, portrait(), destinations, options_for(model, picture_format))


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_v1(rest: RestConnection, model: str, picture_format: str) -> None:
    answer = rest.ask(asked(model, picture_format).rest()).json

    made = answer["swapped_images"][0] if model == "faceswap" else answer
    assert made["altered"] is True
    assert read_source_type(base64.b64decode(made["image_data"])) == "compositeCapture"


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_v2_rest(rest: RestConnection, model: str, picture_format: str) -> None:
    rows = [("image", portrait()), *([("destination", portrait())] if model == "faceswap" else [])]
    body = {
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": [1], "data": [base64_text(picture)]} for name, picture in rows
        ],
        "parameters": {
            name: value if isinstance(value, int) else json.dumps(value)
            for name, value in options_for(model, picture_format).items()
        },
        "outputs": [{"name": "image"}],
    }

    answer = rest.ask(RestRequest("POST", f"/v2/models/{model}/infer", json.dumps(body).encode())).json

    assert read_source_type(base64.b64decode(answer["outputs"][0]["data"][0])) == "compositeCapture"


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_grpc(grpc_connection: GrpcConnection, model: str, picture_format: str) -> None:
    response = grpc_connection.ask(asked(model, picture_format).grpc()).response

    (image,) = [output for output in response.outputs if output.name == "image"]
    assert read_source_type(image.contents.bytes_contents[0]) == "compositeCapture"


@pytest.mark.parametrize("field", ["mark", "altered", "provenance", "metadata", "watermark"])
def test_no_field_turns_it_off(rest: RestConnection, field: str) -> None:
    ask = asked("faceswap", "png")

    answer = rest.ask(Ask(ask.model, ask.image, ask.destinations, {**ask.options, field: False}).rest())

    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
