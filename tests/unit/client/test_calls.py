from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from predictor.client.calls import (
    Swap,
    Swapped,
    detect,
    swap_over_v1,
    swap_over_v2_binary,
    swap_over_v2_json,
)
from predictor.client.failures import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes that are no text, so that a call which decodes them on the way is found out.
SOURCE, DESTINATION, RESULT = b"\xff\xd8source\x00", b"\x89PNGdestination", b"\xff\x00result"


class Wire:
    """A server that keeps what it was sent and answers what it was told."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.request = httpx.Request("GET", "http://nowhere")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        return self._answer

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://predictor", transport=httpx.MockTransport(self))

    def json(self) -> dict[str, Any]:
        sent: dict[str, Any] = json.loads(self.request.content)
        return sent


def _text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def test_v1_sends_a_free_form_object_and_reads_the_pictures_of_the_answer() -> None:
    wire = Wire(
        httpx.Response(200, json={"swapped_images": [{"destination_name": "a.jpg", "image_data": _text(RESULT)}]})
    )

    swapped = swap_over_v1(wire.client(), Swap(SOURCE, [DESTINATION], {"destination_face_id": "all"}, model="other"))

    assert wire.request.url.path == "/v1/models/other:predict"
    assert wire.json() == {
        "image": _text(SOURCE),
        "destinations": [{"name": "destination 1", "image": _text(DESTINATION)}],
        "destination_face_id": "all",
    }
    assert swapped == [Swapped("a.jpg", RESULT)]


def test_v1_leaves_destinations_out_when_the_preloaded_ones_are_meant() -> None:
    wire = Wire(httpx.Response(200, json={"swapped_images": []}))

    swap_over_v1(wire.client(), Swap(SOURCE))

    assert wire.json() == {"image": _text(SOURCE)}


def test_v2_json_sends_base64_tensors_and_pairs_names_with_pictures() -> None:
    outputs = [{"name": "destination_name", "data": ["a", "b"]}, {"name": "image", "data": [_text(b"1"), _text(b"2")]}]
    wire = Wire(httpx.Response(200, json={"outputs": outputs}))

    swapped = swap_over_v2_json(wire.client(), Swap(SOURCE, [DESTINATION], {"upscale": 2}))

    sent = {tensor["name"]: tensor for tensor in wire.json()["inputs"]}
    assert sent["image"]["data"] == [_text(SOURCE)]
    assert sent["destination"] == {
        "name": "destination", "datatype": "BYTES", "shape": [1], "data": [_text(DESTINATION)]
    }  # fmt: skip
    assert json.loads(sent["options"]["data"][0]) == {"upscale": 2}
    assert swapped == [Swapped("a", b"1"), Swapped("b", b"2")]


def _binary_answer(tensors: dict[str, list[bytes]], texts: dict[str, list[str]]) -> httpx.Response:
    blobs = {name: b"".join(struct.pack("<I", len(e)) + e for e in elements) for name, elements in tensors.items()}
    outputs: list[dict[str, Any]] = [
        {"name": name, "parameters": {"binary_data_size": len(blob)}} for name, blob in blobs.items()
    ]
    outputs += [{"name": name, "data": data} for name, data in texts.items()]
    header = json.dumps({"outputs": outputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(header))}
    return httpx.Response(200, content=header + b"".join(blobs.values()), headers=headers)


def test_v2_binary_sends_the_pictures_as_they_are_behind_a_json_header() -> None:
    wire = Wire(_binary_answer({"image": [RESULT], "destination_name": [b"a"]}, {}))

    swap_over_v2_binary(wire.client(), Swap(SOURCE, [DESTINATION, b""]))

    length = int(wire.request.headers["Inference-Header-Content-Length"])
    header, body = json.loads(wire.request.content[:length]), wire.request.content[length:]
    elements = [struct.pack("<I", len(picture)) + picture for picture in (SOURCE, DESTINATION, b"")]
    assert body == b"".join(elements)
    sizes = [tensor["parameters"]["binary_data_size"] for tensor in header["inputs"] if tensor["name"] != "options"]
    assert sizes == [len(elements[0]), len(elements[1]) + len(elements[2])]
    assert header["parameters"] == {"binary_data_output": True}


@pytest.mark.parametrize(
    "answer",
    [
        _binary_answer({"image": [RESULT, b"2"], "destination_name": [b"a", b"b"]}, {}),
        _binary_answer({"image": [RESULT, b"2"]}, {"destination_name": ["a", "b"]}),
    ],
    ids=["all binary", "names as text"],
)
def test_v2_binary_reads_outputs_in_both_forms(answer: httpx.Response) -> None:
    swapped = swap_over_v2_binary(Wire(answer).client(), Swap(SOURCE))

    assert swapped == [Swapped("a", RESULT), Swapped("b", b"2")]


@pytest.mark.parametrize("call", [swap_over_v1, swap_over_v2_json, swap_over_v2_binary])
def test_an_error_of_the_server_is_told_in_its_own_words(call: Callable[[httpx.Client, Swap], object]) -> None:
    wire = Wire(httpx.Response(422, json={"error": "no face was found in the source", "code": "no_face_found"}))

    with pytest.raises(CallFailed, match="answered 422: no face was found in the source"):
        call(wire.client(), Swap(SOURCE))


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b'"bad gateway"', b'{"detail": "bad gateway"}'])
def test_an_error_of_something_in_between_is_told_too(body: bytes) -> None:
    wire = Wire(httpx.Response(502, content=body))

    with pytest.raises(CallFailed, match=r"answered 502: .*bad gateway"):
        swap_over_v1(wire.client(), Swap(SOURCE))


def test_detect_returns_the_faces_as_the_server_lists_them() -> None:
    faces = [{"id": 1, "box": [1.0, 2.0, 3.0, 4.0]}]
    wire = Wire(httpx.Response(200, json={"faces": faces, "width": 9, "height": 9}))

    assert detect(wire.client(), SOURCE) == faces
    assert wire.request.url.path == "/v1/models/faceswap-detect:predict"
