"""Weights from a claim, in both modes, and what an operator reads where they cannot be run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import SMALL, Namespace, until
from tests.cluster.weights import LICENCE, MISSING, RECIPE, Weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def _values(uri: str, mode: str = "container") -> dict[str, Any]:
    return {**SMALL, "mode": mode, "model": RECIPE, "storageUris": [{"uri": uri}]}


def _last_end(namespace: Namespace) -> dict[str, Any]:
    """Return how the server's container last ended, empty if it has not yet."""
    for pod in namespace.pods():
        for status in pod["status"].get("containerStatuses", []):
            for state in (status["state"], status["lastState"]):
                if "terminated" in state:
                    return dict(state["terminated"])
    return {}


@pytest.mark.parametrize("mode", ["container", "runtime"])
def test_the_recipe_onnx_runs_from_a_claim(mode: str, client: Client, weights: Weights, steps: Steps) -> None:
    namespace = client.namespace
    weights.claim(namespace)

    with steps.timed("install to a ready pod"):
        namespace.install(_values("pvc://weights/complete", mode))
        namespace.roll_out()
    until(namespace.is_ready, "the InferenceService")
    with steps.timed("first answer, faces restored"):
        answer = client.call(namespace.url(), "--report", "--option", "restore=true")

    (picture,) = answer["pictures"]
    (face,) = picture["faces"]
    assert face["swapped"] is True
    assert face["similarity_after"] is not None  # an embedder has looked: this is no embedded recipe
    assert {"swap", "restore"} <= set(face["stages_ms"])
    (pod,) = namespace.pods()
    (container,) = pod["spec"]["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == "/mnt/models"]
    assert mount["readOnly"] is True
    assert "initContainers" not in pod["spec"]


@pytest.mark.parametrize(
    ("variety", "reason"),
    [("incomplete", MISSING), ("licensed", f"set PREDICTOR_ACCEPTED_LICENCES={LICENCE}")],
    ids=["a file is missing", "a licence is not accepted"],
)
def test_the_reason_why_it_cannot_start_is_read_at_the_pod(
    variety: str, reason: str, namespace: Namespace, weights: Weights, steps: Steps
) -> None:
    weights.claim(namespace, variety)

    with steps.timed("install to the reason in the pod's status"):
        namespace.install(_values("pvc://weights"))
        ended = until(lambda: _last_end(namespace), "the container's end")

    log = namespace.kubectl("logs", "-l", "serving.kserve.io/inferenceservice=faceswap-cpu", "--tail=20")
    assert ended["exitCode"] == 3
    assert "faceswap-predictor cannot start: " in ended["message"]
    assert reason in ended["message"]
    assert ended["message"].strip().splitlines()[-1] in log
    assert not namespace.is_ready()
