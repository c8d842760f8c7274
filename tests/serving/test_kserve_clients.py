"""KServe's own clients: InferenceRESTClient on V1 and V2, InferenceGRPCClient."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import kserve
import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor.client.server_process import RunningServer
from tests.serving.pictures import portrait
from tests.serving.wire import base64_text


def size(data: bytes) -> tuple[int, int]:
    return PillowImage.open(io.BytesIO(data)).size


def rest_client(protocol: str) -> Any:  # noqa: ANN401  # kserve has no types
    return kserve.InferenceRESTClient(kserve.RESTConfig(protocol=protocol, timeout=60))


def tensor(name: str, rows: list[bytes | str]) -> Any:  # noqa: ANN401  # kserve has no types
    return kserve.InferInput(name=name, shape=[len(rows)], datatype="BYTES", data=rows)


def raw_tensor(name: str, rows: list[bytes]) -> Any:  # noqa: ANN401  # kserve has no types
    one = kserve.InferInput(name=name, shape=[len(rows)], datatype="BYTES")
    one.set_data_from_numpy(np.array(rows, dtype=np.object_), binary_data=True)
    return one


@pytest.mark.parametrize("protocol", ["v1", "v2"])
async def test_state_over_rest(server: RunningServer, protocol: str) -> None:
    client = rest_client(protocol)

    assert await client.is_model_ready(server.http_url, "faceswap") is True
    assert await client.is_server_live(server.http_url) is True
    if protocol == "v2":
        assert await client.is_server_ready(server.http_url) is True
    await client.close()


@pytest.mark.parametrize("instances", [False, True])
async def test_v1(server: RunningServer, *, instances: bool) -> None:
    client = rest_client("v1")
    one = {
        "image": base64_text(portrait()),
        "destinations": [{"name": "me", "image": base64_text(portrait())}],
    }

    answer = await client.infer(server.http_url, {"instances": [one]} if instances else one, model_name="faceswap")
    await client.close()

    (picture,) = (answer["predictions"][0] if instances else answer)["swapped_images"]
    assert picture["destination_name"] == "me"
    assert size(base64.b64decode(picture["image_data"])) == (200, 200)


async def test_v2_with_a_dict(server: RunningServer) -> None:
    client = rest_client("v2")
    body = {
        "id": "dict",
        "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64_text(portrait())]}],
    }

    answer = await client.infer(server.http_url, body, model_name="faceswap-enhance")
    await client.close()

    assert answer.id == "dict"
    (image,) = [output for output in answer.outputs if output.name == "image"]
    assert size(base64.b64decode(image.data[0])) == (400, 400)


async def test_v2_with_an_infer_request_in_text(server: RunningServer) -> None:
    client = rest_client("v2")
    request = kserve.InferRequest("faceswap-detect", [tensor("image", [base64_text(portrait())])], request_id="text")

    answer = await client.infer(server.http_url, request, model_name="faceswap-detect")
    await client.close()

    assert answer.id == "text"
    assert {output.name for output in answer.outputs} == {"faces", "width", "height"}


async def test_v2_with_an_infer_request_of_raw_bytes(server: RunningServer) -> None:
    client = rest_client("v2")
    request = kserve.InferRequest("faceswap-detect", [raw_tensor("image", [portrait()])], request_id="raw")

    # Its own answers must be text: KServe's REST client forces every BYTES row that comes back through UTF-8.
    answer = await client.infer(server.http_url, request, model_name="faceswap-detect")
    await client.close()

    (faces,) = [output for output in answer.outputs if output.name == "faces"]
    assert len(json.loads(faces.data[0])) == 1


async def test_grpc(server: RunningServer) -> None:
    async with kserve.InferenceGRPCClient(server.grpc_address, timeout=60) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("faceswap") is True
        request = kserve.InferRequest(
            "faceswap",
            [tensor("image", [portrait()]), tensor("destination", [portrait()])],
            request_id="grpc",
            parameters={"report": True},
        )

        answer = await client.infer(request)

    assert answer.id == "grpc"
    outputs = {output.name: output for output in answer.outputs}
    assert size(outputs["image"].as_numpy().tolist()[0]) == (200, 200)
    assert "report" in outputs
