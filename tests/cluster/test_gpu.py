"""A GPU in name only: who asks for it gets the node, does not run on the CPU unnoticed, and can be updated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import SMALL, Manifest, Namespace, name_of, run, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

SERVICE, DEPLOYMENT, DEVICE = "faceswap-gpu", "faceswap-gpu-predictor", "nvidia.com/gpu"


@pytest.fixture
def device() -> Iterator[None]:
    """One GPU of the first node, that nobody has built in."""
    node = json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"][0]
    if DEVICE in node["status"]["capacity"]:
        pytest.skip("this node has GPUs of its own")
    patch = ("patch", "node", name_of(node), "--subresource=status", "--type=merge", "-p")
    run("kubectl", *patch, json.dumps({"status": {"capacity": {DEVICE: "1"}, "allocatable": {DEVICE: "1"}}}))
    yield
    run("kubectl", *patch, json.dumps({"status": {"capacity": {DEVICE: None}, "allocatable": {DEVICE: None}}}))


def _values(generation: int, **model: object) -> dict[str, Any]:
    """Return the values of the GPU's service; the CPU's image stands in for the one with NVIDIA's libraries."""
    gpu = {"enabled": True, "image": {"tag": "dev"}, "resources": SMALL["resources"], "model": model}
    return {"cpu": {"enabled": False}, "gpu": gpu, "podAnnotations": {"generation": str(generation)}}


def _pod_of(namespace: Namespace, generation: int) -> Manifest:
    """Return the pod of a generation once it is there and has a node, empty before."""
    pods = [pod for pod in namespace.pods(SERVICE) if pod["metadata"]["annotations"]["generation"] == str(generation)]
    return next((pod for pod in pods if pod["spec"].get("nodeName")), {})


def _why_it_ended(namespace: Namespace) -> str:
    (pod,) = namespace.pods(SERVICE)
    for status in pod["status"].get("containerStatuses", []):
        for state in (status["state"], status["lastState"]):
            if "terminated" in state:
                return str(state["terminated"]["message"])
    return ""


@pytest.mark.usefixtures("device")
def test_it_is_scheduled_where_the_gpu_is_and_says_that_it_does_not_run_on_the_cpu(
    namespace: Namespace, steps: Steps
) -> None:
    namespace.install(_values(1))
    pod = until(lambda: _pod_of(namespace, 1), "a node for the pod")
    with steps.timed("scheduled to the reason in the pod's status"):
        message = until(lambda: _why_it_ended(namespace), "the container's end")

    assert pod["spec"]["containers"][0]["resources"]["limits"][DEVICE] == "1"
    assert "faceswap-predictor cannot start: " in message
    assert "cuda" in message.lower()
    assert not namespace.is_ready(SERVICE)

    namespace.install(_values(2))
    with steps.timed("upgrade to a new pod on the node, the old one failing"):
        until(lambda: _pod_of(namespace, 2), "a node for the new pod", 90)


@pytest.mark.usefixtures("device")
def test_an_update_with_one_gpu_does_not_hang(namespace: Namespace, steps: Steps) -> None:
    on_cpu = {"provider": "cpu", "strictProvider": False}
    client = Client(namespace).start()
    namespace.install(_values(1, **on_cpu))
    namespace.roll_out(DEPLOYMENT)
    first = _pod_of(namespace, 1)

    with steps.timed("upgrade to the new pod ready, the old one serving"):
        namespace.install(_values(2, **on_cpu))
        until(lambda: _pod_of(namespace, 2), "a node for the new pod", 90)
        namespace.roll_out(DEPLOYMENT)

    (second,) = namespace.pods(SERVICE)
    assert name_of(second) != name_of(first)
    assert client.call(namespace.url(SERVICE))["answered"] == 1
