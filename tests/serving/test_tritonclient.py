"""tritonclient, on HTTP and gRPC: state, metadata, and every model in every form a tensor can take."""

from __future__ import annotations

import base64
import io
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from PIL import Image as PillowImage

from predictor.client.samples import GRACE_HOPPER
from predictor.client.server_process import RunningServer
from tests.serving import triton
from tests.serving.pictures import photograph, portrait, saved
from tests.serving.puppet import puppet
from tests.serving.triton import Infer, Inferred, Transport

MIB = 1024 * 1024
TRANSPORTS: tuple[Transport, ...] = ("http", "grpc")
# HTTP: tensors in JSON or binary, both ways. gRPC has one way.
WAYS: list[tuple[Transport, bool, bool]] = [("http", one, other) for one in (True, False) for other in (True, False)]
WAYS.append(("grpc", True, True))


class Triton:
    """tritonclient in a process of its own."""

    def __init__(self, server: RunningServer, process: ProcessPoolExecutor) -> None:
        self._addresses: dict[Transport, str] = {
            "http": server.http_url.removeprefix("http://"),
            "grpc": server.grpc_address,
        }
        self._process = process

    def infer(self, transport: Transport, asked: Infer) -> Inferred:
        return self._process.submit(triton.infer, transport, self._addresses[transport], asked).result()

    def state(self, transport: Transport, question: str, *arguments: str) -> Any:  # noqa: ANN401  # as the client answers
        return self._process.submit(triton.state, transport, self._addresses[transport], question, *arguments).result()


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def client(server: RunningServer, process: ProcessPoolExecutor) -> Triton:
    return Triton(server, process)


def pixels_size(row: Any, *, raw: bool) -> tuple[int, int]:  # noqa: ANN401  # bytes or text
    data = row if raw else base64.b64decode(row)
    return PillowImage.open(io.BytesIO(data)).size


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_server_and_models_tell_their_state(client: Triton, transport: Transport) -> None:
    assert client.state(transport, "is_server_live") is True
    assert client.state(transport, "is_server_ready") is True
    for model in ("faceswap", "faceswap-enhance", "faceswap-detect"):
        assert client.state(transport, "is_model_ready", model) is True
    assert client.state(transport, "is_model_ready", "nobody") in (False, "StatusCode.NOT_FOUND")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_loads_is_live_and_not_ready(
    tmp_path_factory: pytest.TempPathFactory, process: ProcessPoolExecutor, transport: Transport
) -> None:

    with puppet(tmp_path_factory.mktemp("loading"), held="load") as loading:
        port = loading.http_port if transport == "http" else loading.grpc_port

        def ask(*question: str) -> object:
            return process.submit(triton.state, transport, f"127.0.0.1:{port}", *question).result()

        assert ask("is_server_live") is True
        assert ask("is_server_ready") is False
        assert ask("is_model_ready", "faceswap") is False


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_metadata_names_every_tensor(client: Triton, transport: Transport) -> None:
    server = client.state(transport, "get_server_metadata")
    swap = client.state(transport, "get_model_metadata", "faceswap")
    enhance = client.state(transport, "get_model_metadata", "faceswap-enhance")
    detect = client.state(transport, "get_model_metadata", "faceswap-detect")

    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("faceswap-predictor", True)
    assert [one["name"] for one in swap["inputs"]] == ["image", "destination", "options"]
    assert {one["name"]: one["datatype"] for one in swap["outputs"]} == {
        "image": "BYTES",
        "destination_name": "BYTES",
        "source_index": "INT32",
        "report": "BYTES",
    }
    assert {"image", "width", "height", "faces_restored"} <= {one["name"] for one in enhance["outputs"]}
    assert "faces" in {one["name"] for one in detect["outputs"]}


@pytest.mark.parametrize(("transport", "binary_in", "binary_out"), WAYS)
def test_swap_of_base64(client: Triton, transport: Transport, *, binary_in: bool, binary_out: bool) -> None:
    asked = Infer(
        "faceswap",
        {"image": triton.as_base64([portrait()]), "destination": triton.as_base64([portrait(), GRACE_HOPPER.read()])},
        ("image", "destination_name", "source_index"),
        binary_in,
        binary_out,
        request_id="triton-7",
    )

    answer = client.infer(transport, asked)

    assert answer.error == ""
    assert answer.request_id == "triton-7"
    assert [pixels_size(row, raw=False) for row in answer.outputs["image"]] == [(200, 200), (512, 600)]
    assert answer.outputs["source_index"] == [0, 0]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_swap_of_raw_pictures_row_by_row(client: Triton, transport: Transport) -> None:
    asked = Infer(
        "faceswap",
        {"image": [portrait(), GRACE_HOPPER.read()], "destination": [portrait()], "options": [b'{"report": true}']},
        request_id="raw",
    )

    answer = client.infer(transport, asked)

    assert answer.error == ""
    assert [pixels_size(row, raw=True) for row in answer.outputs["image"]] == [(200, 200), (200, 200)]
    assert answer.outputs["source_index"] == [0, 1]
    assert answer.outputs["destination_name"] == [b"destination_1", b"destination_1"]
    assert [json.loads(row)["faces"][0]["swapped"] for row in answer.outputs["report"]] == [True, True]


@pytest.mark.parametrize(("transport", "binary_in", "binary_out"), WAYS)
def test_enhance_and_detect(client: Triton, transport: Transport, *, binary_in: bool, binary_out: bool) -> None:
    tensors = {"image": triton.as_base64([portrait()])}

    enhanced = client.infer(
        transport, Infer("faceswap-enhance", tensors, ("image", "width", "faces_restored"), binary_in, binary_out)
    )
    found = client.infer(transport, Infer("faceswap-detect", tensors, ("faces", "height"), binary_in, binary_out))

    assert (enhanced.error, found.error) == ("", "")
    assert [pixels_size(row, raw=False) for row in enhanced.outputs["image"]] == [(400, 400)]
    assert (enhanced.outputs["width"], enhanced.outputs["faces_restored"]) == ([400], [1])
    assert [face["id"] for face in json.loads(found.outputs["faces"][0])] == [1]
    assert found.outputs["height"] == [200]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_raw_enhance_and_detect(client: Triton, transport: Transport) -> None:
    tensors = {"image": [portrait(), portrait()]}

    enhanced = client.infer(transport, Infer("faceswap-enhance", tensors, ("image",), shape="[N, 1]"))
    found = client.infer(transport, Infer("faceswap-detect", tensors))

    assert (enhanced.error, found.error) == ("", "")
    assert [pixels_size(row, raw=True) for row in enhanced.outputs["image"]] == [(400, 400)] * 2
    assert len(found.outputs["faces"]) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_parameters_of_the_request_win_over_the_options_tensor(client: Triton, transport: Transport) -> None:
    tensors = {"image": [portrait()], "options": [b'{"upscale": 4, "output": {"format": "png"}, "restore": false}']}
    parameters = {"upscale": 1, "output": '{"format": "webp"}'}

    answer = client.infer(transport, Infer("faceswap-enhance", tensors, parameters=parameters))

    assert answer.error == ""
    picture = PillowImage.open(io.BytesIO(answer.outputs["image"][0]))
    assert (picture.size, picture.format) == ((200, 200), "WEBP")
    assert answer.outputs["faces_restored"] == [0]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_unknown_output_is_refused(client: Triton, transport: Transport) -> None:
    answer = client.infer(transport, Infer("faceswap-detect", {"image": [portrait()]}, ("colour",)))

    assert "no output is named 'colour'" in answer.error
    assert answer.status in ("400", "StatusCode.INVALID_ARGUMENT")


def test_raw_pictures_are_refused_as_json(client: Triton) -> None:
    answer = client.infer("http", Infer("faceswap", {"image": [portrait()]}, ("image",), binary_out=False))

    assert "JSON cannot carry" in answer.error
    assert answer.status == "400"


def test_grpc_carries_more_than_eight_mebibytes_both_ways(client: Triton) -> None:
    large = saved(photograph(GRACE_HOPPER).resize((1800, 2100)), "BMP")
    assert len(large) > 8 * MIB
    options = [b'{"upscale": 2, "restore": false, "output": {"format": "png"}}']

    answer = client.infer("grpc", Infer("faceswap-enhance", {"image": [large], "options": options}, ("image",)))

    assert answer.error == ""
    assert len(answer.outputs["image"][0]) > 8 * MIB


def test_grpc_over_our_limit_is_refused_in_our_words(client: Triton) -> None:
    answer = client.infer("grpc", Infer("faceswap-detect", {"image": [bytes(33 * MIB)]}))

    assert answer.status == "StatusCode.RESOURCE_EXHAUSTED"
    assert "at most 33,554,432 are accepted" in answer.error


def test_grpc_over_twice_our_limit_is_refused_by_the_transport(client: Triton) -> None:
    answer = client.infer("grpc", Infer("faceswap-detect", {"image": [bytes(65 * MIB)]}))

    assert answer.status == "StatusCode.RESOURCE_EXHAUSTED"
    assert "larger than max" in answer.error
    assert client.state("grpc", "is_server_live") is True
