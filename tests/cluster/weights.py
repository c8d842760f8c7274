"""Weights of the exact architectures on a volume of the node, made by a pod, and claims of it for namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.callers import finish, pod
from tests.cluster.kubernetes import Manifest, Namespace, run

CLAIM = "weights"
FILES = ("w600k_r50.onnx", "inswapper_128.onnx", "gfpgan_1.4.onnx", "real_esrgan_x4v3.onnx")
NOT_PULLED = "w600k_r50.onnx"
"""Comes in an archive, which would be looked for in the network first."""
MISSING = "inswapper_128.onnx"
LICENCE = "to-be-accepted"
MANIFEST = "/mnt/models/manifest.toml"
MIRROR = "http://mirror:8000"
RECIPE = {"recipe": "onnx", "detector": "centerface", "weightsManifest": MANIFEST}
"""A random SCRFD finds no face."""

_INSIDE = Path(__file__).parent / "inside"
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder of the node with folders in it, each with its manifest.

    `complete` is of full size; `small`, `incomplete` and `licensed` are tiny; `pulled` holds NOT_PULLED and
    a manifest, by which the other files are to be had from MIRROR.
    """

    folder: str

    def claim(self, namespace: Namespace, below: str = "", name: str = CLAIM) -> None:
        """Make a claim in a namespace, of the folder or of one below it."""
        volume_name = f"{namespace.name}-{name}"
        storage = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        volume: Manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume_name, "labels": {"of-test": self.label}},
            "spec": storage
            | {
                "capacity": {"storage": "5Gi"},
                "claimRef": {"namespace": namespace.name, "name": name},
                "hostPath": {"path": f"{self.folder}/{below}".rstrip("/"), "type": "DirectoryOrCreate"},
            },
        }
        claim: Manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": storage | {"volumeName": volume_name, "resources": {"requests": {"storage": "5Gi"}}},
        }
        namespace.apply(volume, claim)

    @property
    def label(self) -> str:
        """By which the volumes are found when they are to go."""
        return self.folder.rpartition("/")[2]


def _root_pod(namespace: Namespace, name: str, command: list[str]) -> None:
    """Run a command as root, with the claim at /weights."""
    made: dict[str, Any] = pod(name, command)
    container = made["spec"]["containers"][0]
    container["volumeMounts"].append({"name": CLAIM, "mountPath": "/weights"})
    container |= {"securityContext": {}, "resources": {"limits": {"memory": "6Gi"}}}  # a graph stands there three times
    made["spec"]["securityContext"] = {"runAsUser": 0}
    made["spec"]["volumes"].append({"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}})
    finish(namespace, made, _SECONDS)


@contextmanager
def weights_on_node(namespace: Namespace) -> Iterator[Weights]:
    """Make the weights, and remove them and every volume of them afterwards."""
    weights = Weights(f"/var/tmp/{namespace.name}")
    weights.claim(namespace)
    script = (_INSIDE / "write_weights.py").read_text()
    given = (
        "--missing",
        MISSING,
        "--licence",
        LICENCE,
        "--mirror",
        MIRROR,
        "--not-pulled",
        NOT_PULLED,
        "--names",
        *FILES,
    )
    try:
        _root_pod(namespace, "writer", ["python", "-c", script, "/weights", *given])
        yield weights
    finally:
        _root_pod(namespace, "remover", ["sh", "-c", "rm -rf /weights/*"])
        run("kubectl", "delete", "persistentvolume", "-l", f"of-test={weights.label}", "--wait=false")
