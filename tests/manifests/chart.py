"""The chart, rendered by Helm's own engine (Helm 4, as helm-python-sdk carries it); no cluster and no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "faceswap-predictor"
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "faceswap", "default"

Values = Mapping[str, Any]
Manifest = dict[str, Any]


class Refused(Exception):
    """The chart refused its values; the text is the sentence a user reads."""


def read_values(path: Path) -> dict[str, Any]:
    """Return a values file as `helm -f` would read it."""
    return helm_python.values_from_yaml(path.read_text())


def lint(values: Values) -> list[str]:
    """Return what `helm lint --strict` has to say beyond information."""
    report = helm_python.lint(CHART, dict(values), strict=True, namespace=NAMESPACE)
    errors: list[str] = report["errors"]
    return [m["error"] for m in report["messages"] if m["severity"] > 1] + errors  # 1 is information


def render_texts(values: Values | None = None, release: str = RELEASE, namespace: str = NAMESPACE) -> dict[str, str]:
    """Render the chart as an install does; return the text of each template that gave one, by its file name.

    Raises:
        Refused: values.schema.json or a `fail` said no.
    """
    with helm_python.Chart.load(CHART) as chart:
        try:
            chart.validate_schema(dict(values or {}))
            rendered = chart.render(dict(values or {}), name=release, namespace=namespace)
        except helm_python.HelmError as error:
            raise Refused(str(error)) from error
    return {Path(name).name: text for name, text in rendered.items() if text.strip()}


def manifests(values: Values | None = None, release: str = RELEASE, namespace: str = NAMESPACE) -> list[Manifest]:
    """Render the chart and return every object."""
    texts = render_texts(values, release, namespace)
    return [o for name, text in texts.items() if name != "NOTES.txt" for o in yaml.safe_load_all(text) if o]


def of_kind(kind: str, objects: list[Manifest]) -> list[Manifest]:
    """Return the objects of a kind."""
    return [o for o in objects if o["kind"] == kind]


def predictor(values: Values | None = None) -> Manifest:
    """Return the predictor of the only InferenceService."""
    (service,) = of_kind("InferenceService", manifests(values))
    made: Manifest = service["spec"]["predictor"]
    return made


def container(values: Values | None = None) -> Manifest:
    """Return the server's container in the only InferenceService."""
    (made,) = predictor(values)["containers"]
    return dict(made)


def environment(server: Manifest) -> dict[str, str]:
    """Return a container's variables."""
    return {variable["name"]: variable["value"] for variable in server["env"]}
