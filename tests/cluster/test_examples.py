"""Each values file of the chart's ci/: installed where this cluster can take it, else said why not and tried dry."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import yaml

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.examples import DRY, INSTALLED
from tests.cluster.kubernetes import CHART, IMAGE, SMALL, Namespace, run, until
from tests.cluster.weights import MANIFEST, Weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

EXAMPLES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
ELSEWHERE = {"keda": "test_scaling.py", "ray": "test_ray.py", "runtime-mode": "test_weights.py"}
"""Installed by other tests, which need what they give."""


class Refusal(NamedTuple):
    """What the server has to say of an object whose kind it does not know."""

    kind: str
    sentence: str


UNKNOWN_KINDS = {"openshift": Refusal("PodMonitor", 'no matches for kind "PodMonitor"')}


def _rendered(namespace: Namespace, example: str) -> list[dict[str, Any]]:
    text = namespace.helm("template", "faceswap", str(CHART), "--no-hooks", "-f", str(EXAMPLES[example]))
    return [each for each in yaml.safe_load_all(text) if each]


def test_every_example_is_tried() -> None:
    assert set(EXAMPLES) == INSTALLED | set(DRY)
    assert {"cpu", "canary"} == INSTALLED - set(ELSEWHERE)
    for example, file in ELSEWHERE.items():
        assert f"ci/{example}-values.yaml" in (CHART.parents[1] / "tests" / "cluster" / file).read_text()


@pytest.mark.parametrize("example", sorted(DRY))
def test_the_server_takes_what_this_cluster_cannot_run(example: str, namespace: Namespace) -> None:
    unknown = UNKNOWN_KINDS.get(example)
    objects = _rendered(namespace, example)
    taken = [each for each in objects if not unknown or each["kind"] != unknown.kind]

    assert namespace.dry_run(taken) == len(taken) > 0
    if unknown and not run("kubectl", "api-resources", "--api-group=monitoring.coreos.com", "-o", "name"):
        refused = [each for each in objects if each["kind"] == unknown.kind]
        with pytest.raises(AssertionError, match=unknown.sentence):
            namespace.dry_run(refused)


def test_the_example_of_several_pods_swaps_onto_its_own_pictures(
    client: Client, steps: Steps, astronaut_png: bytes
) -> None:
    namespace = client.namespace
    client.run("tee", "/tmp/portrait.png", stdin=astronaut_png)
    namespace.kubectl("create", "configmap", "portraits", "--from-file=portrait.png=/dev/stdin", stdin=astronaut_png)

    with steps.timed("install to ready pods"):
        namespace.install(SMALL, "-f", str(EXAMPLES["cpu"]))
        namespace.roll_out()
    until(namespace.is_ready, "the InferenceService")

    answer = client.call(namespace.url(), "--source", "/tmp/portrait.png")
    assert [picture["name"] for picture in answer["pictures"]] == ["portrait.png"]
    assert len(until(lambda: namespace.pods()[1:] and namespace.pods(), "the second pod")) == 2


def test_the_example_of_a_canary_makes_its_objects(namespace: Namespace, weights: Weights, steps: Steps) -> None:
    """Nothing splits calls here, without a Gateway API: the objects and the condition are all there is to see."""
    weights.claim(namespace, "small")
    model = {"weightsManifest": MANIFEST, "detector": "centerface"}

    with steps.timed("install to the canary's condition"):
        namespace.install({**SMALL, "model": model}, "-f", str(EXAMPLES["canary"]))
        namespace.roll_out("faceswap-cpu-canary-predictor")
        until(lambda: namespace.condition("CanaryPredictorReady").get("status") == "True", "the canary's condition")

    names = {each["metadata"]["name"] for each in namespace.find("deployments")}
    assert names == {"faceswap-cpu-predictor", "faceswap-cpu-canary-predictor"}
    assert {each["metadata"]["name"] for each in namespace.find("services")} >= names
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in namespace.find("deployments")}
    assert images == {IMAGE}
