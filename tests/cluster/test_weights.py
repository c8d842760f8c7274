"""Weights from a claim, in both modes; pulled onto one; and what an operator reads where they cannot be run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster.callers import Client, pod
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, SMALL, Manifest, Namespace, until
from tests.cluster.weights import CLAIM, FILES, LICENCE, MANIFEST, MISSING, NOT_PULLED, RECIPE, Weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

LARGE: dict[str, Any] = {"resources": {**SMALL["resources"], "limits": {"cpu": "1", "memory": "8Gi"}}}
_GIB = 2**30


@pytest.fixture(scope="module")
def installed(
    request: pytest.FixtureRequest, new_namespace: Callable[..., Namespace], weights: Weights
) -> Iterator[dict[str, Namespace]]:
    """A namespace for each mode, with a service in it that runs the recipe `onnx` at full size."""
    made = {mode: new_namespace() for mode in ("container", "runtime")}
    values: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "container": ({"model": RECIPE, "storageUris": [{"uri": f"pvc://{CLAIM}/complete"}]}, ()),
        "runtime": ({"model": {"weightsManifest": MANIFEST}}, ("-f", str(CHART / "ci/runtime-mode-values.yaml"))),
    }
    weights.claim(made["container"])
    weights.claim(made["runtime"], "complete")
    for namespace in made.values():
        Client(namespace).start()
    with Steps(request).timed("recipe onnx at full size: two installs, a core each, to ready pods"):
        for mode, (given, words) in values.items():
            made[mode].install({**LARGE, **given}, *words)
        for namespace in made.values():
            namespace.roll_out(seconds=290)
    yield made
    for namespace in made.values():
        namespace.delete()


@pytest.mark.parametrize("mode", ["container", "runtime"])
def test_the_recipe_onnx_runs_from_a_claim(mode: str, installed: dict[str, Namespace], steps: Steps) -> None:
    namespace = installed[mode]
    until(namespace.is_ready, "the InferenceService")
    steps.measured("memory when ready", namespace.peak_memory() / _GIB, "GiB")

    with steps.timed("first answer, faces restored"):
        answer = Client(namespace).call(namespace.url(), "--report", "--option", "restore=true")

    (picture,) = answer["pictures"]
    (face,) = picture["faces"]
    assert face["swapped"] is True
    assert face["similarity_after"] is not None  # an embedder has looked: this is no embedded recipe
    assert {"swap", "restore"} <= set(face["stages_ms"])
    (running,) = namespace.pods()
    (container,) = running["spec"]["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == "/mnt/models"]
    assert mount["readOnly"] is True
    assert "initContainers" not in running["spec"]


def test_the_largest_pictures_fit_into_what_the_readme_gives_the_recipe_onnx(
    installed: dict[str, Namespace], steps: Steps
) -> None:
    namespace = installed["container"]
    client = Client(namespace)
    client.run("python", "-c", _DRAW)

    swap = ("--source", "/tmp/64.jpg", "--destination", "/tmp/64.jpg", "--option", "restore=true")
    with steps.timed("swap 64 onto 64 megapixels, faces restored"):
        client.call(namespace.url(), "--protocol", "v2-raw", "--timeout", "300", *swap, timeout=330)
    steps.measured("memory, most so far", namespace.peak_memory() / _GIB, "GiB")

    (running,) = namespace.pods()
    assert running["status"]["containerStatuses"][0]["restartCount"] == 0
    assert namespace.peak_memory() < 8 * _GIB * 0.8


_DRAW = """
from PIL import Image
from predictor.client.samples import ASTRONAUT
Image.open(ASTRONAUT.path()).convert("RGB").resize((8000, 8000)).save("/tmp/64.jpg")
"""


def test_a_job_pulls_the_weights_onto_a_claim(namespace: Namespace, weights: Weights, steps: Steps) -> None:
    weights.claim(namespace)
    mirror = pod("mirror", ["python", "-m", "http.server", "--directory", "/weights/small", "8000"])
    mirror["metadata"]["labels"] = {"app": "mirror"}
    mirror["spec"]["containers"][0]["volumeMounts"].append({"name": CLAIM, "mountPath": "/weights"})
    mirror["spec"]["volumes"].append({"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}})
    ports: Manifest = {"selector": {"app": "mirror"}, "ports": [{"port": 8000}]}
    namespace.apply(mirror, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mirror"}, "spec": ports})
    weights.claim(namespace, "pulled", name="faceswap-weights")
    files = [name for name in FILES if name != NOT_PULLED]

    with steps.timed("install to the end of the Job"):
        pull = {"claim": {"name": "faceswap-weights"}, "pull": {"enabled": True, "files": files}}
        namespace.install({**SMALL, "model": RECIPE, "weights": pull})
        namespace.kubectl(
            *("wait", "--for=condition=complete", "--timeout=60s"),
            *("job", "-l", "app.kubernetes.io/component=weights-pull"),
        )
    with steps.timed("end of the Job to a ready pod"):
        namespace.roll_out()

    assert set(namespace.in_server("ls", "/mnt/models").split()) >= set(FILES)


REASONS = {"incomplete": MISSING, "licensed": f"set PREDICTOR_ACCEPTED_LICENCES={LICENCE}"}


@pytest.fixture(scope="module")
def refused(
    request: pytest.FixtureRequest, new_namespace: Callable[..., Namespace], weights: Weights
) -> Iterator[dict[str, Namespace]]:
    """A namespace for each reason, with a service in it that cannot start."""
    made = {variety: new_namespace() for variety in REASONS}
    with Steps(request).timed("two installs to the reasons in the pods' status"):
        for variety, namespace in made.items():
            weights.claim(namespace, variety)
            namespace.install({**SMALL, "model": RECIPE, "storageUris": [{"uri": f"pvc://{CLAIM}"}]})
        for namespace in made.values():
            until(partial(_last_end, namespace), "the container's end")
    yield made
    for namespace in made.values():
        namespace.delete()


@pytest.mark.parametrize("variety", REASONS)
def test_the_reason_why_it_cannot_start_is_read_at_the_pod(variety: str, refused: dict[str, Namespace]) -> None:
    namespace = refused[variety]

    ended = _last_end(namespace)

    assert ended["exitCode"] == 3
    assert "faceswap-predictor cannot start: " in ended["message"]
    assert REASONS[variety] in ended["message"]
    assert not namespace.is_ready()
    until(lambda: ended["message"].strip().splitlines()[-1] in _log(namespace), "the sentence in the log", 90)


def _log(namespace: Namespace) -> str:
    """Return the server's log, empty while a new container has just begun."""
    return namespace.kubectl("logs", "-l", "serving.kserve.io/inferenceservice=faceswap-cpu", "--tail=20")


def _last_end(namespace: Namespace) -> dict[str, Any]:
    """Return how the server's container last ended, empty if it has not yet."""
    for each in namespace.pods():
        for status in each["status"].get("containerStatuses", []):
            for state in (status["state"], status["lastState"]):
                if "terminated" in state:
                    return dict(state["terminated"])
    return {}
