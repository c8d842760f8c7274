"""Takes out of an environment what the predictor never reads; run while the image is built.

    python slim.py ENVIRONMENT

Only files that nothing imports go, and each kind with its reason: the packages' records still name them, so what a
scanner finds in the image is what the lock file says.
"""

# ruff: noqa: INP001, T201  a script for a build stage

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Below site-packages; a pattern that matches nothing in this flavour is none of ours to complain about.
NEVER_READ = (
    "**/tests",  # of numpy, scipy, pandas and others
    "onnx/backend/test",  # networks and data of ONNX's own conformance tests
    "kubernetes/aio",  # the asynchronous client; aiohttp, which it imports, stands in no lock
    "ray/jars",  # of Ray's Java; and there is no Java
    "openvino/include",  # for compilers, and there is none
    "openvino/libs/*_intel_gpu_plugin.so",  # we ask for the device CPU only
    "openvino/libs/cache.json",  # kernels of that plugin
    "openvino/libs/*_intel_npu_plugin.so",
    "insightface/data/images/*",  # photographs of people, and masks to draw on them
    "skimage/data/*",  # sample pictures, faces of people among them
)
# Of these, code and what says where it comes from; and a portrait in the public domain, which `helm test` swaps.
KEPT = ("*.py", "*.pyi", "*.txt", "skimage/data/astronaut.png")


def slim(site_packages: Path) -> int:
    """Remove what is never read below a folder and return how many bytes that were."""
    found = {path for pattern in NEVER_READ for path in site_packages.glob(pattern)}
    return sum(_remove(path) for path in sorted(found) if path.exists() and not any(map(path.match, KEPT)))


def _remove(path: Path) -> int:
    if path.is_dir():
        size = sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir())
        shutil.rmtree(path)
    else:
        size = path.lstat().st_size
        path.unlink()
    return size


if __name__ == "__main__":
    (folder,) = Path(sys.argv[1]).glob("lib/python3*/site-packages")
    print(f"removed {slim(folder) / 1e6:,.0f} MB that the predictor never reads from {folder}")
