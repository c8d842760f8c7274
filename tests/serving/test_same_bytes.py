"""The same swap gives the same picture, byte for byte, by every protocol and by the command line."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from PIL import Image as PillowImage

from predictor.client.calls import Swap, swap_over_grpc, swap_over_v1, swap_over_v2_binary, swap_over_v2_json
from predictor.client.samples import ASTRONAUT, GRACE_HOPPER
from predictor.client.server_process import RunningServer
from tests.serving.marks import read_source_type
from tests.serving.pictures import beside, photograph, saved
from tests.serving.wire import Ask, GrpcConnection, RestConnection, RestRequest, base64_text

# The face on the left goes to the right and the other way round.
PAIRS = [
    {"source_face_id": 1, "destination_face_id": 2},
    {"source_face_id": 2, "destination_face_id": 1},
]
OPTIONS = {"pairs": PAIRS}


def two_faces() -> PillowImage.Image:
    """Two faces, 512x300."""
    return beside(photograph(ASTRONAUT), photograph(GRACE_HOPPER)).resize((512, 300))


def with_alpha() -> bytes:
    """A PNG, ever more transparent to the right."""
    picture = two_faces().convert("RGBA")
    picture.putalpha(PillowImage.linear_gradient("L").rotate(90).resize(picture.size))
    return saved(picture, "PNG")


def on_its_side() -> bytes:
    """A JPEG whose pixels lie on their side and whose EXIF orientation stands them up."""
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    return saved(two_faces().transpose(PillowImage.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


DESTINATIONS: Mapping[str, Callable[[], bytes]] = {"with_alpha.png": with_alpha, "on_its_side.jpg": on_its_side}


@pytest.fixture(scope="module")
def by_command_line(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """What `python -m predictor swap` makes of both destinations."""
    folder = tmp_path_factory.mktemp("command_line")
    (folder / "source.png").write_bytes(saved(two_faces(), "PNG"))
    for name, destination in DESTINATIONS.items():
        (folder / name).write_bytes(destination())
    paths = [str(folder / name) for name in ("source.png", *DESTINATIONS)]
    command = [sys.executable, "-m", "predictor", "swap", *paths, "-o", str(folder / "out")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREDICTOR_")}
    subprocess.run([*command, "--pair", "1:2", "--pair", "2:1"], check=True, env=environment, capture_output=True)
    return {name: (folder / "out" / name).read_bytes() for name in DESTINATIONS}


@pytest.mark.parametrize("name", DESTINATIONS)
def test_every_way_gives_the_same_bytes(
    server: RunningServer, by_command_line: Mapping[str, bytes], name: str, rest: RestConnection
) -> None:
    source, destination = saved(two_faces(), "PNG"), DESTINATIONS[name]()
    swap = Swap(source, [destination], OPTIONS)
    channel = GrpcConnection(int(server.grpc_address.rsplit(":", 1)[1]))

    with httpx.Client(base_url=server.http_url, timeout=60) as http:
        made = {
            "V1": swap_over_v1(http, swap)[0].picture,
            "V1 instances": instances(rest, source, destination),
            "V2 JSON": swap_over_v2_json(http, swap)[0].picture,
            "V2 binary": swap_over_v2_binary(http, swap)[0].picture,
            "gRPC contents": swap_over_grpc(channel.channel, swap)[0].picture,
            "gRPC raw": grpc_raw(channel, source, destination),
            "command line": by_command_line[name],
        }
    channel.close()

    different = [way for way, picture in made.items() if picture != made["V1"]]
    assert different == []
    assert made["V1"] != destination
    assert all(read_source_type(picture) == "compositeCapture" for picture in made.values())


def test_the_swap_is_upright_whatever_the_orientation(by_command_line: Mapping[str, bytes], tmp_path: Path) -> None:
    made = tmp_path / "made.jpg"
    made.write_bytes(by_command_line["on_its_side.jpg"])

    with PillowImage.open(made) as picture:
        assert picture.size == (512, 300)
        assert 0x0112 not in picture.getexif()


def instances(rest: RestConnection, source: bytes, destination: bytes) -> bytes:
    """Swap by V1's other form."""
    body = {
        "instances": [
            {
                "image": base64_text(source),
                "destinations": [{"name": "one", "image": base64_text(destination)}],
                **OPTIONS,
            }
        ]
    }
    answer = rest.ask(RestRequest("POST", "/v1/models/faceswap:predict", json.dumps(body).encode()))
    return base64.b64decode(answer.json["predictions"][0]["swapped_images"][0]["image_data"])


def grpc_raw(channel: GrpcConnection, source: bytes, destination: bytes) -> bytes:
    """Swap by gRPC's raw contents: each row behind its length."""
    request: pb.ModelInferRequest = Ask(image=source, destinations=[destination], options=OPTIONS).grpc()
    for tensor in request.inputs:
        (row,) = tensor.contents.bytes_contents
        request.raw_input_contents.append(len(row).to_bytes(4, "little") + row)
        tensor.ClearField("contents")
    response = channel.ask(request).response
    place = [output.name for output in response.outputs].index("image")
    return bytes(response.raw_output_contents[place][4:])
