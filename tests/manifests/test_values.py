"""values.yaml: complete, explained, and the same as what the schema and the predictor's settings know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import predictor
from predictor.settings import Settings
from tests.manifests.chart import CHART, container, environment, manifests, of_kind

VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# The chart knows these better than a user: from rest, grpc, storage and destinations.
WRITTEN_BY_THE_CHART = {"http_port", "grpc_port", "destinations_dir"}
# Not of an InferenceService: `ray` has a value for each.
OF_RAY = "ray_"


def _leaves(node: yaml.Node, path: str = "") -> Iterator[tuple[str, int]]:
    """Every key with a value of its own, and its line; an inline map is one value."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here = f"{path}.{key.value}".lstrip(".")
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from _leaves(value, here)
        else:
            yield here, key.start_mark.line


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        target = SCHEMA
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def _keys(schema: dict[str, Any], path: str = "") -> set[str]:
    schema = _resolved(schema)
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= {f"{path}.{name}".lstrip(".")} | _keys(part, f"{path}.{name}".lstrip("."))
    return found


def _given(values: dict[str, Any], path: str = "") -> set[str]:
    found: set[str] = set()
    for name, part in values.items():
        found |= {f"{path}.{name}".lstrip(".")}
        found |= _given(part, f"{path}.{name}".lstrip(".")) if isinstance(part, dict) else set()
    return found


def test_every_value_is_explained() -> None:
    lines = VALUES.splitlines()
    root = yaml.compose(VALUES)
    assert root is not None

    def explained(line: int) -> bool:
        above = line - 1
        while above >= 0 and lines[above].lstrip().startswith("#"):
            if "# -- " in lines[above]:
                return True
            above -= 1
        return False

    def covered(path: str) -> bool:
        # requests and limits, contexts: one comment explains the map
        parents = ["podSecurityContext", "containerSecurityContext"]
        return any(path.startswith(f"{parent}.") for parent in parents) or ".resources." in f".{path}"

    silent = [path for path, line in _leaves(root) if not explained(line) and not covered(path)]

    assert silent == []


def test_every_key_of_the_schema_has_a_default_to_see() -> None:
    given = _given(yaml.safe_load(VALUES))
    # what a service says again, what a list or map holds, and what nothing but a user can say
    optional = re.compile(
        r"^(cpu|gpu|ray|canary\.image|canary\.model|probes\.\w+|strategy|autoscaling\.behavior)\.|^global$"
    )

    unseen = {key for key in _keys(SCHEMA) - given if not optional.match(key)}

    assert unseen == set()


def test_every_key_of_a_service_may_be_repeated_under_cpu_and_gpu() -> None:
    shared = {
        *("cpu", "gpu", "ray", "global", "nameOverride", "fullnameOverride", "commonLabels", "commonAnnotations"),
        *("serviceAccount", "weights", "grafanaDashboard", "tests", "extraObjects"),
    }
    of_a_service = set(SCHEMA["properties"]) - shared

    assert set(SCHEMA["properties"]["cpu"]["properties"]) == of_a_service | {"enabled"}
    assert set(SCHEMA["properties"]["gpu"]["properties"]) == of_a_service | {"enabled", "resource", "count"}


def test_every_setting_of_the_predictor_has_a_value() -> None:
    def snake(name: str) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

    names = {snake(name) for name in SCHEMA["definitions"]["model"]["properties"]}

    of_an_inference_service = {name for name in Settings.model_fields if not name.startswith(OF_RAY)}
    assert names == of_an_inference_service - WRITTEN_BY_THE_CHART


def test_every_setting_of_ray_reaches_the_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = {"replicas": "2-3", "cpus": 0.125, "gpus": 0.5, "batch": 4}
    ray = {"enabled": True, "stages": stages, "connectionSeconds": 20}
    (made,) = of_kind("RayService", manifests({"ray": ray}))
    cluster = made["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]

    on_head, on_worker = (environment(group["template"]["spec"]["containers"][0]) for group in groups)

    for name, given in on_head.items():
        monkeypatch.setenv(name, given)
    read = Settings().model_dump(include={name for name in Settings.model_fields if name.startswith(OF_RAY)})
    expected = {f"ray_{name}": value for name, value in stages.items()}
    assert read == expected | {"ray_connection_seconds": 20}
    assert on_head == on_worker


@pytest.mark.parametrize(
    ("key", "value", "variable", "text"),
    [
        ("limitPixels", 64_000_000, "LIMIT_PIXELS", "64000000"),
        ("destinationsLimitBytes", 2**40, "DESTINATIONS_LIMIT_BYTES", "1099511627776"),
        ("queueSeconds", 0.5, "QUEUE_SECONDS", "0.5"),
        ("clientSeconds", 2.5, "CLIENT_SECONDS", "2.5"),
        ("queueLength", 0, "QUEUE_LENGTH", "0"),
        ("strictProvider", False, "STRICT_PROVIDER", "false"),
        ("acceptedLicences", ["gfpgan", "mit"], "ACCEPTED_LICENCES", "gfpgan,mit"),
        ("restorer", "sharpen", "RESTORER", "sharpen"),
    ],
)
def test_a_setting_reaches_the_predictor_as_it_was_written(
    key: str, value: object, variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = environment(container({"model": {key: value}}))
    for name, given in variables.items():
        monkeypatch.setenv(name, given)

    settings = Settings()

    assert variables[f"PREDICTOR_{variable}"] == text
    read = getattr(settings, variable.lower())
    assert (list(read) if isinstance(read, tuple) else read) == value


def test_a_setting_that_is_not_given_is_left_to_the_predictor() -> None:
    variables = environment(container())

    assert sorted(name for name in variables if name.startswith("PREDICTOR_")) == [
        "PREDICTOR_DRAIN_DELAY_SECONDS",
        "PREDICTOR_GRACE_SECONDS",
        "PREDICTOR_GRPC_PORT",
        "PREDICTOR_HTTP_PORT",
        "PREDICTOR_MODEL_NAME",
        "PREDICTOR_RECIPE",
        "PREDICTOR_REQUEST_TIMEOUT_SECONDS",
    ]


def test_the_chart_says_which_predictor_it_is_for() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == predictor.__version__
