"""Every field has an effect: each is switched on and off on the real server, and the answer changes."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from predictor.client.samples import ASTRONAUT, GRACE_HOPPER
from predictor.serving.schema import (
    DetectBody,
    EnhanceBody,
    NamedImage,
    Output,
    PairOfFaces,
    Restore,
    SwapBody,
    SwapTensorOptions,
)
from tests.serving.pictures import beside, photograph, portrait, saved
from tests.serving.wire import RestConnection, RestRequest, base64_text

Fields = dict[str, Any]


@cache
def couple(*, exchanged: bool = False) -> str:
    """Two faces, 400x200: the astronaut's and the admiral's, from left to right or the other way round."""
    left = photograph(ASTRONAUT).crop((120, 20, 320, 220))
    right = photograph(GRACE_HOPPER).crop((130, 60, 390, 320)).resize((200, 200))
    return base64_text(saved(beside(right, left) if exchanged else beside(left, right), "JPEG", quality=95))


@cache
def single() -> str:
    """One face."""
    return base64_text(portrait())


def named(*pictures: tuple[str, str]) -> list[Fields]:
    return [{"name": name, "image": image} for name, image in pictures]


def a_swap(**fields: Any) -> Fields:  # noqa: ANN401  # JSON
    return {"image": couple(), "destinations": named(("a", couple(exchanged=True))), **fields}


def a_swap_of_two_sources(*pairs: Fields) -> Fields:
    fields = a_swap(sources=named(("one", couple()), ("two", single())), pairs=list(pairs))
    del fields["image"]
    return fields


def an_enhance(**fields: Any) -> Fields:  # noqa: ANN401  # JSON
    return {"image": single(), "upscale": 1, **fields}


# Of each field, what it is compared with: the same request without it, or with another value.
SWAP: dict[str, tuple[Fields, Fields]] = {
    "image": (a_swap(), a_swap(image=single(), destinations=named(("a", couple())))),
    "sources": (a_swap(pairs=[{}]), a_swap_of_two_sources({"source": "two"})),
    "source_face_id": (a_swap(), a_swap(source_face_id=2)),
    "destinations": (a_swap(), a_swap(destinations=["astronaut.png"])),
    "destination_face_id": (a_swap(), a_swap(destination_face_id="all")),
    "pairs": (a_swap(), a_swap(pairs=[{"source_face_id": 2, "destination_face_id": 1}, {"destination_face_id": 2}])),
    "restore": (a_swap(), a_swap(restore=True)),
    "upscale": (a_swap(), a_swap(upscale=2)),
    "output": (a_swap(), a_swap(output={"format": "png"})),
    "report": (a_swap(), a_swap(report=True)),
}
PAIR: dict[str, tuple[Fields, Fields]] = {
    "source": (a_swap_of_two_sources({}), a_swap_of_two_sources({"source": "two"})),
    "source_face_id": (a_swap(pairs=[{}]), a_swap(pairs=[{"source_face_id": 2}])),
    "destination_face_id": (a_swap(pairs=[{}]), a_swap(pairs=[{"destination_face_id": 2}])),
}
NAMED: dict[str, tuple[Fields, Fields]] = {
    "name": (a_swap(), a_swap(destinations=named(("b", couple(exchanged=True))))),
    "image": (a_swap(), a_swap(destinations=named(("a", couple())))),
}
RESTORE: dict[str, tuple[Fields, Fields]] = {
    "model": (a_swap(), a_swap(restore={"model": "sharpen"})),
    "blend": (a_swap(restore={"blend": 1}), a_swap(restore={"blend": 0.2})),
}
OUTPUT: dict[str, tuple[Fields, Fields]] = {
    "format": (a_swap(), a_swap(output={"format": "webp"})),
    "quality": (a_swap(), a_swap(output={"quality": 50})),
}
ENHANCE: dict[str, tuple[Fields, Fields]] = {
    "image": (an_enhance(), an_enhance(image=couple())),
    "restore": (an_enhance(), an_enhance(restore=False)),
    "upscale": (an_enhance(), an_enhance(upscale=4)),
    "output": (an_enhance(), an_enhance(output={"format": "png"})),
    "report": (an_enhance(), an_enhance(report=True)),
}
DETECT: dict[str, tuple[Fields, Fields]] = {"image": ({"image": single()}, {"image": couple()})}
V1: list[tuple[str, type[BaseModel], dict[str, tuple[Fields, Fields]]]] = [
    ("faceswap", SwapBody, SWAP),
    ("faceswap", PairOfFaces, PAIR),
    ("faceswap", NamedImage, NAMED),
    ("faceswap", Restore, RESTORE),
    ("faceswap", Output, OUTPUT),
    ("faceswap-enhance", EnhanceBody, ENHANCE),
    ("faceswap-detect", DetectBody, DETECT),
]
CASES = [
    pytest.param(model, *pair, id=f"{body.__name__}.{field}")
    for model, body, table in V1
    for field, pair in table.items()
]
# Of V2's options, those that differ from V1's by the way alone: they stand in the tensor or in a parameter.
OPTIONS: list[Fields] = [
    {"source_face_id": 2},
    {"destination_face_id": "all"},
    {"pairs": [{"source_face_id": 2}]},
    {"restore": {"blend": 0.5}},
    {"upscale": 2},
    {"output": {"format": "png"}},
    {"report": True},
    {"destinations": ["grace_hopper.jpg"]},
]


@pytest.mark.parametrize(("body", "table"), [(body, table) for _, body, table in V1])
def test_no_field_is_forgotten(body: type[BaseModel], table: Fields) -> None:
    assert set(table) == set(body.model_fields)


def test_no_option_is_forgotten() -> None:
    assert {name for options in OPTIONS for name in options} == set(SwapTensorOptions.model_fields)


@pytest.mark.parametrize(("model", "off", "on"), CASES)
def test_a_field_changes_the_answer(rest: RestConnection, model: str, off: Fields, on: Fields) -> None:
    assert _predicted(rest, model, off) != _predicted(rest, model, on)


@pytest.mark.parametrize("options", OPTIONS, ids=[next(iter(options)) for options in OPTIONS])
def test_an_option_of_v2_changes_the_answer_from_the_tensor_and_from_a_parameter(
    rest: RestConnection, options: Fields
) -> None:
    given = "destinations" in options
    plain = _inferred(rest, given=given)

    from_tensor = _inferred(rest, given=given, tensor=options)
    from_parameter = _inferred(rest, given=given, parameters=options)

    assert from_tensor == from_parameter
    assert from_tensor != plain


def test_a_parameter_wins_over_the_tensor(rest: RestConnection) -> None:
    both = _inferred(rest, tensor={"source_face_id": 1, "upscale": 2}, parameters={"source_face_id": 2})

    assert both == _inferred(rest, tensor={"source_face_id": 2, "upscale": 2})


def _predicted(rest: RestConnection, model: str, fields: Fields) -> Fields:
    answer = rest.ask(RestRequest("POST", f"/v1/models/{model}:predict", json.dumps(fields).encode()))
    assert answer.status == 200, answer.json
    return _without_times(answer.json)


def _inferred(
    rest: RestConnection, *, given: bool = False, tensor: Fields | None = None, parameters: Fields | None = None
) -> list[Fields]:
    rows = {"image": couple()} | ({} if given else {"destination": couple(exchanged=True)})
    rows |= {} if tensor is None else {"options": json.dumps(tensor)}
    inputs = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [row]} for name, row in rows.items()]
    texts = {
        name: json.dumps(value) if isinstance(value, dict | list) else value
        for name, value in (parameters or {}).items()
    }
    body = json.dumps({"id": "1", "inputs": inputs, "parameters": texts}).encode()
    answer = rest.ask(RestRequest("POST", "/v2/models/faceswap/infer", body))
    assert answer.status == 200, answer.json
    outputs: list[Fields] = _without_times(answer.json)["outputs"]
    return outputs


def _without_times(answer: Fields) -> Fields:
    """An answer without what differs from call to call."""
    text = re.sub(r'(\\?"stages_ms\\?"): ?\{[^}]*\}', r"\1: {}", json.dumps(answer))
    stripped: Fields = json.loads(text)
    return stripped
