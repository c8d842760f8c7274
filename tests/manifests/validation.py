"""Is an object what its API takes? Custom resources against strict CRD schemas, the rest against Kubernetes' own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate

from tests.manifests.chart import Manifest

SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = "1.34"
_FILES = {
    "InferenceService": "inferenceservice.json",
    "ServingRuntime": "servingruntime.json",
    "ClusterServingRuntime": "servingruntime.json",
    "PodMonitor": "podmonitor.json",
    "RayService": "rayservice.json",
}


def problems(manifest: Manifest) -> list[str]:
    """Return what is wrong with an object, empty if its API would take it."""
    if manifest["kind"] in _FILES:
        return [f"{error.json_path}: {error.message}" for error in _validator(manifest["kind"]).iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


@cache
def _validator(kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads((SCHEMAS / _FILES[kind]).read_text()))
