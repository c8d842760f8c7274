"""curl, as people type it: whatever Content-Type it sends, or none, the body is JSON."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from predictor.client.server_process import RunningServer
from tests.serving.pictures import portrait
from tests.serving.wire import base64_text

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")

# What curl -d sends when nobody says otherwise; the two that KServe mistakes for other things; none at all.
CONTENT_TYPES = [
    ("form, curl's default", ()),
    ("json", ("-H", "Content-Type: application/json")),
    ("json with a charset", ("-H", "Content-Type: application/json; charset=utf-8")),
    ("text", ("-H", "Content-Type: text/plain")),
    ("bytes", ("-H", "Content-Type: application/octet-stream")),
    ("none", ("-H", "Content-Type:")),
]


def curl(url: str, body: dict[str, Any], folder: Path, *arguments: str) -> tuple[int, Any]:
    """Post a body and return status and answer."""
    assert CURL is not None
    sent, got = folder / "sent.json", folder / "got.json"
    sent.write_text(json.dumps(body))
    command = [CURL, "-sS", "-o", str(got), "-w", "%{http_code}", "--data-binary", f"@{sent}", *arguments, url]
    status = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return int(status), json.loads(got.read_bytes())


@pytest.mark.parametrize("arguments", [one for _, one in CONTENT_TYPES], ids=[name for name, _ in CONTENT_TYPES])
def test_v1_and_v2_read_json_under_any_content_type(
    server: RunningServer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    picture = base64_text(portrait())
    v1_body = {"image": picture}
    v2_body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [picture]}]}

    v1 = curl(f"{server.http_url}/v1/models/faceswap-detect:predict", v1_body, tmp_path, *arguments)
    v2 = curl(f"{server.http_url}/v2/models/faceswap-detect/infer", v2_body, tmp_path, *arguments)

    assert (v1[0], len(v1[1]["faces"])) == (200, 1)
    assert (v2[0], v2[1]["model_name"]) == (200, "faceswap-detect")


def test_a_body_in_chunks(server: RunningServer, tmp_path: Path) -> None:
    url = f"{server.http_url}/v1/models/faceswap-detect:predict"

    status, answer = curl(url, {"image": base64_text(portrait())}, tmp_path, "-H", "Transfer-Encoding: chunked")

    assert (status, len(answer["faces"])) == (200, 1)


def test_every_preloaded_picture_is_swapped_and_what_cannot_be_is_listed(server: RunningServer, tmp_path: Path) -> None:
    url = f"{server.http_url}/v1/models/faceswap:predict"

    status, answer = curl(url, {"image": base64_text(portrait())}, tmp_path)

    assert status == 200
    assert answer["success"] is True
    assert answer["message"] == "Successfully swapped face onto 2 images"
    assert answer["faces_detected_in_source"] == 1
    assert [one["destination_name"] for one in answer["swapped_images"]] == ["astronaut.png", "grace_hopper.jpg"]
    assert all(base64.b64decode(one["image_data"]) for one in answer["swapped_images"])
    skipped = {one["destination_name"]: one["code"] for one in answer["skipped"]}
    assert skipped == {"cut.jpg": "undecodable_image", "nobody.png": "no_face_found", "notes.txt": "undecodable_image"}
    assert all(one["reason"] for one in answer["skipped"])


def test_bad_files_of_the_folder_are_named_in_the_log(server: RunningServer, server_log: Path) -> None:
    assert server.process.poll() is None
    log = server_log.read_text()

    assert "destination cut.jpg is left out" in log
    assert "destination notes.txt is left out" in log
    assert ".hidden" not in log
