"""Each values file of the chart's ci/: installed where this cluster can take it, else said why not and tried dry."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import yaml

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, IMAGE, SMALL, Namespace, run, until
from tests.cluster.weights import MANIFEST, Weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
INSTALLED = {"canary", "cpu", "keda", "runtime-mode"}
DRY = {
    "both": "a GPU",
    "gpu": "a GPU, the RuntimeClass nvidia, and a way to the weights",
    "gpu-mig": "MIG slices, and a bucket",
    "knative": "Knative",
    "offline": "the registry that has the image",
    "openshift": "the Prometheus operator's CRDs",
}
"""What a cluster has to have for the others."""


class Refusal(NamedTuple):
    """What the server has to say of an object whose kind it does not know."""

    kind: str
    sentence: str


UNKNOWN_KINDS = {"openshift": Refusal("PodMonitor", 'no matches for kind "PodMonitor"')}


def _name(path: Any) -> str:  # noqa: ANN401  # pytest hands in whatever is a parameter
    return str(path.name).removesuffix("-values.yaml")


def _rendered(namespace: Namespace, example: str) -> list[dict[str, Any]]:
    text = namespace.helm(
        "template", "faceswap", str(CHART), "--no-hooks", "-f", str(CHART / "ci" / f"{example}-values.yaml")
    )
    return [each for each in yaml.safe_load_all(text) if each]


def test_every_example_is_tried() -> None:
    assert {_name(path) for path in EXAMPLES} == INSTALLED | set(DRY)


@pytest.mark.parametrize("example", sorted(DRY))
def test_the_server_takes_what_this_cluster_cannot_run(example: str, namespace: Namespace) -> None:
    unknown = UNKNOWN_KINDS.get(example)
    objects = _rendered(namespace, example)
    taken = [each for each in objects if not unknown or each["kind"] != unknown.kind]
    words = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")

    said = namespace.kubectl(*words, stdin=yaml.safe_dump_all(taken))

    assert said.count("(server dry run)") == len(taken) > 0
    if unknown and not run("kubectl", "api-resources", "--api-group=monitoring.coreos.com", "-o", "name"):
        refused = [each for each in objects if each["kind"] == unknown.kind]
        with pytest.raises(AssertionError, match=unknown.sentence):
            namespace.kubectl(*words, stdin=yaml.safe_dump_all(refused))


@pytest.mark.parametrize("example", ["cpu", "keda"])
def test_an_example_without_weights_answers(example: str, client: Client, steps: Steps, astronaut_png: bytes) -> None:
    namespace = client.namespace
    client.run("tee", "/tmp/portrait.png", stdin=astronaut_png)
    namespace.kubectl("create", "configmap", "portraits", "--from-file=portrait.png=/dev/stdin", stdin=astronaut_png)

    with steps.timed("install to ready pods"):
        namespace.install(SMALL, "-f", str(CHART / "ci" / f"{example}-values.yaml"))
        namespace.roll_out()
    until(namespace.is_ready, "the InferenceService")

    destinations = [] if example == "cpu" else ["--destination", "/tmp/portrait.png"]
    answer = client.call(namespace.url(), "--source", "/tmp/portrait.png", *destinations)
    assert [picture["name"] for picture in answer["pictures"]] == (
        ["portrait.png"] if example == "cpu" else ["destination_1"]
    )


def test_the_example_of_a_runtime_answers(client: Client, weights: Weights, steps: Steps) -> None:
    namespace = client.namespace
    weights.claim(namespace, "complete")

    with steps.timed("install to a ready pod"):
        namespace.install(
            {**SMALL, "model": {"weightsManifest": MANIFEST}}, "-f", str(CHART / "ci/runtime-mode-values.yaml")
        )
        namespace.roll_out()

    assert client.call(namespace.url())["answered"] == 1
    assert namespace.get("inferenceservice", "faceswap-cpu")["spec"]["predictor"]["model"]["runtime"] == "faceswap-cpu"


def test_the_example_of_a_canary_makes_its_objects(namespace: Namespace, weights: Weights, steps: Steps) -> None:
    """Nothing splits calls here, without a Gateway API: the objects and the condition are all there is to see."""
    weights.claim(namespace, "complete")
    model = {"weightsManifest": MANIFEST, "detector": "centerface", "swapper": "blend"}

    with steps.timed("install to the canary's condition"):
        namespace.install({**SMALL, "model": model}, "-f", str(CHART / "ci/canary-values.yaml"))
        namespace.roll_out("faceswap-cpu-canary-predictor")
        until(lambda: namespace.condition("CanaryPredictorReady").get("status") == "True", "the canary's condition")

    names = {each["metadata"]["name"] for each in namespace.find("deployments")}
    assert names == {"faceswap-cpu-predictor", "faceswap-cpu-canary-predictor"}
    assert {each["metadata"]["name"] for each in namespace.find("services")} >= names
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in namespace.find("deployments")}
    assert images == {IMAGE}
