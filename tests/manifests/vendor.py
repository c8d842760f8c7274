"""Write schemas/ anew from folders of KServe's and KubeRay's CRDs: `python -m tests.manifests.vendor FOLDER…`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from tests.manifests.crds import of_crd, small
from tests.manifests.validation import SCHEMAS

SOURCES = {
    "inferenceservice.json": "serving.kserve.io_inferenceservices.yaml",
    "servingruntime.json": "serving.kserve.io_servingruntimes.yaml",
    "rayservice.json": "ray.io_rayservices.yaml",
}
# Predictors of other frameworks and other components: none of them can stand in a manifest of ours.
UNUSED = (
    *("transformer", "explainer", "workerSpec", "ephemeralContainers"),
    *("sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle"),
    *("gcsFaultToleranceOptions", "headService", "enableIngress", "numOfHosts", "managedBy"),
)


def vendored(crds: Path, name: str) -> str:
    """Return the text of one file of schemas/."""
    crd = yaml.load((crds / SOURCES[name]).read_text(), Loader=yaml.CSafeLoader)  # safe, and not slow
    return json.dumps(small(of_crd(crd), UNUSED), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    folders = [Path(word) for word in sys.argv[1:]]
    for name, source in SOURCES.items():
        (folder,) = [each for each in folders if (each / source).is_file()]
        (SCHEMAS / name).write_text(vendored(folder, name))
