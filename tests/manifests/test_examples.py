"""Every values file of the chart: lint, render, the schemas of every object, and twice the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.chart import EXAMPLES, lint, manifests, of_kind, read_values, render_texts
from tests.manifests.validation import problems

CASES = [pytest.param({}, id="defaults"), *(pytest.param(read_values(path), id=path.stem) for path in EXAMPLES)]


def test_there_is_an_example_of_everything_we_promise() -> None:
    names = [path.name.removesuffix("-values.yaml") for path in EXAMPLES]

    promised = "both canary cpu gpu gpu-mig keda knative offline openshift ray runtime-mode"
    assert sorted(names) == promised.split()


@pytest.mark.parametrize("values", CASES)
def test_helm_has_nothing_to_say_against_it(values: dict[str, object]) -> None:
    assert lint(values) == []


@pytest.mark.parametrize("values", CASES)
def test_every_object_is_what_its_api_takes(values: dict[str, object]) -> None:
    found = {f"{o['kind']}/{o['metadata']['name']}": wrong for o in manifests(values) if (wrong := problems(o))}

    assert found == {}


@pytest.mark.parametrize("values", CASES)
def test_rendered_twice_it_is_the_same(values: dict[str, object]) -> None:
    assert render_texts(values) == render_texts(values)


@pytest.mark.parametrize("values", CASES)
def test_no_object_stands_there_twice_and_all_are_in_the_namespace(values: dict[str, object]) -> None:
    objects = manifests(values, namespace="media")

    names = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(set(names)) == len(names)
    assert {o["metadata"].get("namespace") for o in objects if "helm.sh" not in str(o)} <= {"media", None}


@pytest.mark.parametrize("values", CASES)
def test_the_notes_name_every_service_and_hold_a_call(values: dict[str, object]) -> None:
    notes = render_texts(values)["NOTES.txt"]

    for service in of_kind("InferenceService", manifests(values)):
        assert (
            f"{service['metadata']['name']}: {service['metadata']['annotations']['serving.kserve.io/deploymentMode']}"
            in notes
        )
    for service in of_kind("RayService", manifests(values)):
        assert f"{service['metadata']['name']}: a RayService" in notes
    assert "/v1/models/faceswap:predict" in notes
    assert "<no value>" not in notes


@pytest.mark.parametrize("values", CASES)
def test_no_text_has_untidy_ends(values: dict[str, object]) -> None:
    for name, text in render_texts(values).items():
        assert [line for line in text.splitlines() if line != line.rstrip()] == [], name


def test_strict_schemas_refuse_a_typo() -> None:
    (service,) = of_kind("InferenceService", manifests())
    service["spec"]["predictor"]["containers"][0]["terminationMesagePolicy"] = "File"
    (pod,) = of_kind("Pod", manifests())
    pod["spec"]["container"] = []

    assert "terminationMesagePolicy" in str(problems(service))
    assert "container" in str(problems(pod))


def test_the_schemas_here_are_those_of_kserve_and_kuberay() -> None:
    from tests.manifests.vendor import SOURCES, vendored  # noqa: PLC0415  # only where KServe's CRDs lie beside us

    shared = Path(__file__).parents[3] / "shared"
    folders = [shared / "crds", shared / "cluster" / "manifests" / "crds"]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip("the CRDs of KServe and KubeRay are not beside this clone (../shared)")

    from tests.manifests.validation import SCHEMAS  # noqa: PLC0415

    for name, source in SOURCES.items():
        (folder,) = [each for each in folders if (each / source).is_file()]
        assert (SCHEMAS / name).read_text() == vendored(folder, name)
