"""deploy/: what `kubectl apply -f` takes, rendered from the chart. `python -m tests.manifests.deployed` writes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.manifests.chart import ROOT, render_texts

DEPLOY = ROOT / "deploy"
_WEIGHTS: dict[str, Any] = {
    "model": {"recipe": "onnx"},
    "weights": {"claim": {"create": True, "size": "10Gi"}, "pull": {"enabled": True}},
}
_NO_LICENCE = """\
# PREDICTOR_ACCEPTED_LICENCES is empty: nothing whose licence has to be accepted is {done} before you have read it
# (`python -m predictor weights list`) and written its name there.
"""


class Deployed(NamedTuple):
    """One file of deploy/: a sentence on top, the values it is rendered with, and the templates it is made of."""

    about: str
    values: dict[str, Any]
    templates: tuple[str, ...]


FILES = {
    "inferenceservice-cpu.yaml": Deployed(
        "# The predictor on the CPU, with the embedded recipe: it answers with no weights at all.\n",
        {},
        ("inferenceservice.yaml",),
    ),
    "inferenceservice-gpu.yaml": Deployed(
        "# The predictor on one NVIDIA GPU, with the weights of the claim in weights-pvc.yaml.\n"
        + _NO_LICENCE.format(done="run"),
        {**_WEIGHTS, "cpu": {"enabled": False}, "gpu": {"enabled": True}},
        ("inferenceservice.yaml",),
    ),
    "servingruntime.yaml": Deployed(
        "# The predictor as a format that InferenceServices of this namespace name: `face-swap`. README.md has one.\n"
        + _NO_LICENCE.format(done="run"),
        {**_WEIGHTS, "mode": "runtime", "resources": {"limits": {"memory": "8Gi"}}},
        ("servingruntime.yaml",),
    ),
    "rayservice.yaml": Deployed(
        "# The predictor over many nodes: a RayService of KubeRay, its head, which takes the calls, and two workers.\n",
        {"cpu": {"enabled": False}, "ray": {"enabled": True}},
        ("rayservice.yaml",),
    ),
    "weights-pvc.yaml": Deployed(
        "# A claim for the files of weights, and a Job that pulls them onto it.\n" + _NO_LICENCE.format(done="pulled"),
        _WEIGHTS,
        ("weights-claim.yaml", "weights-pull.yaml"),
    ),
}
_MADE = "# Rendered from charts/faceswap-predictor (`make render`); change the chart, not this file.\n"


def deployed(name: str) -> str:
    """Return the text that a file of deploy/ should have."""
    file = FILES[name]
    texts = render_texts(file.values)
    documents = [_without_namespace(texts[template].strip().removeprefix("---\n")) for template in file.templates]
    return file.about + _MADE + "---\n" + "\n---\n".join(documents) + "\n"


def _without_namespace(text: str) -> str:
    """Leave the namespace to `kubectl -n`."""
    return "\n".join(line for line in text.splitlines() if line != "  namespace: default")


if __name__ == "__main__":
    for file in FILES:
        (DEPLOY / file).write_text(deployed(file))
