"""The lock files say completely what runs, and nothing about the machine they were made on."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from predictor.client.calls import Swap, swap_over_grpc, swap_over_v1
from predictor.client.samples import ASTRONAUT, GRACE_HOPPER
from predictor.client.server_process import free_ports, serving

if TYPE_CHECKING:
    from pathlib import Path

SERVING = ("cpu", "openvino", "cuda")
FLAVOURS = (*SERVING, "ray", "dev")
# What an extra is locked beside, as the Makefile says.
BESIDE = {"dev": ["cpu"], "ray": ["ray", "openvino"]}


def _locked(root: Path, flavour: str, python: str) -> dict[str, list[Requirement]]:
    """What a lock installs on Linux for one version of Python, by name."""
    text = (root / "requirements" / f"{flavour}.txt").read_text()
    environment: dict[str, str] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
    }
    locked: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[\w.-]+==.*?(?= \\$)", text, re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            locked.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return locked


def _version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    return specifier.version


def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def _group(project: dict[str, Any], name: str) -> list[str]:
    found: list[str] = []
    for entry in project["dependency-groups"][name]:
        found += _group(project, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def _direct(root: Path, flavour: str) -> list[Requirement]:
    project = _project(root)
    asked = list(project["project"]["dependencies"])
    for extra in BESIDE.get(flavour, [flavour]):
        asked += project["project"]["optional-dependencies"][extra]
    return [Requirement(each) for each in asked + (_group(project, "dev") if flavour == "dev" else [])]


@pytest.mark.parametrize("python", ["3.11", "3.12"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_direct_dependency_is_locked_once_within_its_bounds(root: Path, flavour: str, python: str) -> None:
    locked = _locked(root, flavour, python)

    drifted = []
    for asked in _direct(root, flavour):
        found = [_version(each) for each in locked.get(canonicalize_name(asked.name), [])]
        if len(found) != 1 or not asked.specifier.contains(found[0], prereleases=True):
            drifted.append(f"{asked}: locked {found}; run make lock")

    assert drifted == []
    assert all(len(versions) == 1 for versions in locked.values())


@pytest.mark.parametrize("flavour", [*FLAVOURS, "torch"])
def test_every_locked_package_has_hashes_and_no_address_of_an_index(root: Path, flavour: str) -> None:
    text = (root / "requirements" / f"{flavour}.txt").read_text()

    entries = re.split(r"\n(?=[\w])", text)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|^-|^#.*(?:uv|pip)|@ ", text, re.MULTILINE)


@pytest.mark.parametrize("flavour", [*FLAVOURS, "torch"])
def test_what_the_overrides_leave_out_is_out(root: Path, flavour: str) -> None:
    folder = root / "requirements"
    shared = [] if flavour in {"dev", "ray"} else ["serving"]  # they leave out other things than serving does
    files = [folder / f"overrides-{name}.txt" for name in (flavour, *shared)]
    overrides = "\n".join(file.read_text() for file in files if file.exists())

    left_out = {Requirement(line).name for line in overrides.splitlines() if line and not line.startswith("#")}

    assert "opencv-python" in left_out
    assert left_out.isdisjoint(_locked(root, flavour, "3.11"))
    assert "torch" not in _locked(root, flavour, "3.11")


@pytest.mark.parametrize("flavour", [*SERVING, "ray"])
def test_one_build_of_onnx_runtime_serves(root: Path, flavour: str) -> None:
    builds = {name for name in _locked(root, flavour, "3.11") if name.startswith("onnxruntime")}

    assert builds == {"onnxruntime-gpu" if flavour == "cuda" else "onnxruntime"}


@pytest.mark.parametrize("flavour", ["cpu", "openvino"])
def test_tests_run_with_the_versions_that_serve(root: Path, flavour: str) -> None:
    serving, dev = _locked(root, flavour, "3.11"), _locked(root, "dev", "3.11")

    assert {name: _version(each[0]) for name, each in serving.items()}.items() <= {
        name: _version(each[0]) for name, each in dev.items()
    }.items()


def test_tests_run_with_the_versions_that_serve_behind_ray(root: Path) -> None:
    behind_ray, dev = _locked(root, "ray", "3.11"), _locked(root, "dev", "3.11")

    # Some that nothing of ours imports are left out of one or the other.
    assert {name for name in behind_ray if name in dev and behind_ray[name] != dev[name]} == set()
    assert {"ray", "kserve", "numpy"} <= behind_ray.keys() & dev.keys()


BLOCK = '''
"""Hide every package that a lock file does not hold."""
import importlib.metadata, re, sys

LOCKED = set({locked!r}) | {{"faceswap-predictor", "pip", "coverage"}}


class Hidden:
    def __init__(self):
        names = importlib.metadata.packages_distributions()
        normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
        self.packages = {{
            package for package, owners in names.items() if LOCKED.isdisjoint(map(normal, owners))
        }}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"{{name}} is not in the lock", name=name)
        return None


sys.meta_path.insert(0, Hidden())
'''


@pytest.mark.parametrize("flavour", ["cpu", "openvino"])
def test_the_server_swaps_with_nothing_but_what_the_lock_of_serving_holds(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavour: str
) -> None:
    grpc = pytest.importorskip("grpc")
    locked = sorted(_locked(root, flavour, "3.11"))
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(locked=locked))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    http_port, grpc_port = free_ports(2)
    settings = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    # what is hidden can be seen to be installed, so `auto` would go for it
    settings |= {"PROVIDER": flavour, "STRICT_PROVIDER": "true"}
    swap = Swap(ASTRONAUT.read(), [GRACE_HOPPER.read()])

    with (
        serving(settings, log=tmp_path / "server.log") as server,
        httpx.Client(base_url=server.http_url, timeout=60.0) as http,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        over_v1, over_grpc = swap_over_v1(http, swap), swap_over_grpc(channel, swap)

    assert over_v1[0].picture == over_grpc[0].picture
    assert base64.b64encode(over_v1[0].picture).startswith(b"/9j/")


def test_the_lock_of_ray_holds_all_that_serving_behind_ray_and_bulk_import(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = sorted(_locked(root, "ray", "3.11"))
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(locked=locked))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    modules = sorted(f"predictor.scaling.{path.stem}" for path in (root / "predictor" / "scaling").glob("[a-z]*.py"))

    imported = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "predictor.scaling.app" in modules
    assert imported.returncode == 0, imported.stderr
