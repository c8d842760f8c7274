"""`kubectl apply -f deploy/inferenceservice-cpu.yaml`, and every model over every protocol."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import DEPLOY, Namespace, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DEPLOYMENT = "deployment/faceswap-cpu-predictor"
PROTOCOLS = ("v1", "v2", "v2-raw", "grpc")


def _in_server(namespace: Namespace, *words: str, stdin: bytes | None = None) -> str:
    return namespace.kubectl("exec", "-i", DEPLOYMENT, "--", *words, stdin=stdin)


def _write(client: Client, name: str, picture: bytes) -> None:
    for pod in (client.name, DEPLOYMENT):
        client.namespace.kubectl("exec", "-i", pod, "--", "tee", f"/tmp/{name}", stdin=picture)


def _cli(namespace: Namespace, *words: str) -> str:
    """Return the SHA-256 of the picture that the command line makes in the server's own pod."""
    made = _in_server(namespace, "python", "-m", "predictor", *words, "-o", "/tmp/out").strip()
    return _in_server(namespace, "sha256sum", made).split()[0]


def test_an_empty_cluster_swaps_enhances_and_detects(
    namespace: Namespace, client: Client, steps: Steps, astronaut_png: bytes, grace_hopper_jpeg: bytes
) -> None:
    with steps.timed("apply to a ready pod"):
        namespace.kubectl("apply", "-f", str(DEPLOY / "inferenceservice-cpu.yaml"))
        namespace.roll_out()
    with steps.timed("ready pod to Ready of KServe"):
        until(namespace.is_ready, "the InferenceService")
    with steps.timed("first answer"):
        client.call(namespace.url())

    _write(client, "me.png", astronaut_png)
    _write(client, "party.jpg", grace_hopper_jpeg)
    asked = {
        "swap": ("--source", "/tmp/me.png", "--destination", "/tmp/party.jpg"),
        "enhance": ("--image", "/tmp/party.jpg"),
        "detect": ("--image", "/tmp/party.jpg"),
    }
    answers = {
        (model, protocol): client.call(
            f"grpc://{namespace.grpc()}" if protocol == "grpc" else namespace.url(),
            *("--model", model, "--protocol", protocol, *words),
        )
        for model, words in asked.items()
        for protocol in PROTOCOLS
    }

    by_cli = {
        "swap": _cli(namespace, "swap", "/tmp/me.png", "/tmp/party.jpg"),
        "enhance": _cli(namespace, "enhance", "/tmp/party.jpg"),
    }
    for model, digest in by_cli.items():
        assert {answers[model, protocol]["pictures"][0]["sha256"] for protocol in PROTOCOLS} == {digest}
    detected = json.loads(_in_server(namespace, "python", "-m", "predictor", "detect", "--json", "/tmp/party.jpg"))
    for protocol in PROTOCOLS:
        (face,) = answers["detect", protocol]["facts"]["faces"]
        assert [round(edge, 1) for edge in face["box"]] == detected["faces"][0]["box"]
    assert by_cli["swap"] != hashlib.sha256(grace_hopper_jpeg).hexdigest()
