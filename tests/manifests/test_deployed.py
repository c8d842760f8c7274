"""deploy/ is what the chart renders, and what its README says of it holds."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.manifests.chart import environment
from tests.manifests.deployed import DEPLOY, FILES, deployed
from tests.manifests.validation import problems

README = (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_the_chart_renders(name: str) -> None:
    assert (DEPLOY / name).read_text() == deployed(name), "the chart has changed: make render"


def test_every_file_is_rendered_and_explained() -> None:
    files = {path.name for path in DEPLOY.iterdir() if path.is_file()} - {"README.md"}  # image/ is the image's

    assert files == set(FILES)
    assert [name for name in FILES if f"deploy/{name}" not in README] == []


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_what_its_api_takes(name: str) -> None:
    for manifest in yaml.safe_load_all((DEPLOY / name).read_text()):
        assert problems(manifest) == []
        assert "namespace" not in manifest["metadata"]


def test_the_first_needs_no_weights_and_the_others_wait_for_a_licence() -> None:
    def variables(name: str) -> dict[str, str]:
        made = yaml.safe_load((DEPLOY / name).read_text())
        return environment(made["spec"].get("predictor", made["spec"])["containers"][0])

    assert variables("inferenceservice-cpu.yaml")["PREDICTOR_RECIPE"] == "embedded"
    for name in ("inferenceservice-gpu.yaml", "servingruntime.yaml"):
        assert (variables(name)["PREDICTOR_RECIPE"], variables(name)["PREDICTOR_ACCEPTED_LICENCES"]) == ("onnx", "")


def test_the_service_in_the_readme_is_what_its_api_takes_and_names_the_runtime() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)

    service = yaml.safe_load(text)

    runtime = yaml.safe_load((DEPLOY / "servingruntime.yaml").read_text())
    model = service["spec"]["predictor"]["model"]
    assert problems(service) == []
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] == runtime["spec"]["supportedModelFormats"][0]["name"]
    assert model["resources"] == runtime["spec"]["containers"][0]["resources"]
