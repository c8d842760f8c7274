"""`kubectl apply -f deploy/inferenceservice-cpu.yaml`: every model over every protocol, and the largest pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import DEPLOY, RESTRICTED, CommandFailed, Namespace, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PROTOCOLS = ("v1", "v2", "v2-raw", "grpc")
_GIB = 2**30


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest, new_namespace: Callable[..., Namespace]) -> Iterator[Namespace]:
    """A namespace with the service in it, that enforces the restricted standard."""
    steps = Steps(request)
    made = new_namespace(RESTRICTED)
    Client(made).start()
    with steps.timed("apply to a ready pod"):
        made.kubectl("apply", "-f", str(DEPLOY / "inferenceservice-cpu.yaml"))
        made.roll_out()
    with steps.timed("ready pod to Ready of KServe"):
        until(made.is_ready, "the InferenceService")
    with steps.timed("first answer"):
        Client(made).call(made.url())
    yield made
    made.delete()


@pytest.fixture
def client(namespace: Namespace) -> Client:
    """The pod that calls; it is there already."""
    return Client(namespace)


def _write(client: Client, name: str, picture: bytes) -> None:
    client.run("tee", f"/tmp/{name}", stdin=picture)
    client.namespace.in_server("tee", f"/tmp/{name}", stdin=picture)


def _cli(namespace: Namespace, *words: str) -> str:
    """Return the SHA-256 of the picture that the command line makes in the server's own pod."""
    made = namespace.in_server("python", "-m", "predictor", *words, "-o", "/tmp/out").strip()
    return namespace.in_server("sha256sum", made).split()[0]


def test_it_swaps_enhances_and_detects_over_every_protocol_as_the_command_line_does(
    namespace: Namespace, client: Client, astronaut_png: bytes, grace_hopper_jpeg: bytes
) -> None:
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
    detected = json.loads(namespace.in_server("python", "-m", "predictor", "detect", "--json", "/tmp/party.jpg"))
    for protocol in PROTOCOLS:
        (face,) = answers["detect", protocol]["facts"]["faces"]
        assert [round(edge, 1) for edge in face["box"]] == detected["faces"][0]["box"]
    assert by_cli["swap"] != hashlib.sha256(grace_hopper_jpeg).hexdigest()


def test_the_largest_pictures_that_the_settings_allow_fit_into_the_default_memory(
    namespace: Namespace, client: Client, steps: Steps
) -> None:
    """64 megapixels in a picture, twice in a request, and 128 in an answer."""
    client.run("python", "-c", _DRAW)
    asks = {
        "swap 64 onto 64 megapixels": ("--source", "/tmp/64.jpg", "--destination", "/tmp/64.jpg"),
        "enhance 32 to 128 megapixels": ("--model", "enhance", "--image", "/tmp/32.jpg", "--option", "upscale=2"),
        "detect in 64 megapixels": ("--model", "detect", "--image", "/tmp/64.jpg"),
    }

    steps.measured("memory before, most so far", namespace.peak_memory() / _GIB, "GiB")
    for name, words in asks.items():
        with steps.timed(name):
            client.call(namespace.url(), "--protocol", "v2-raw", "--timeout", "300", *words, timeout=330)
        steps.measured(f"{name}, memory", namespace.peak_memory() / _GIB, "GiB")
    with pytest.raises(CommandFailed, match="output_too_large"):
        client.call(namespace.url(), "--model", "enhance", "--image", "/tmp/64.jpg", "--option", "upscale=2")

    (pod,) = namespace.pods()
    (container,), (status,) = pod["spec"]["containers"], pod["status"]["containerStatuses"]
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert status["restartCount"] == 0
    assert namespace.peak_memory() < 4 * _GIB * 0.75


_DRAW = """
from PIL import Image
from predictor.client.samples import ASTRONAUT
portrait = Image.open(ASTRONAUT.path()).convert("RGB")
for megapixels, size in ((64, (8000, 8000)), (32, (8000, 4000))):
    portrait.resize(size).save(f"/tmp/{megapixels}.jpg")
"""
