"""`make test-cluster`, with a cluster, a kubectl and a pytest that only write down what they are asked for."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/faceswap-predictor:dev"
RAY_IMAGE = f"{IMAGE}-ray"
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
[ "$1 $2" != "config current-context" ] || echo "$CONTEXT"
case "$*" in "$FAILING"*) exit 1 ;; esac
"""


@dataclass(frozen=True, slots=True)
class Made:
    code: int
    errors: str
    calls: list[str]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs, none of them real, and an environment that is set up."""
    for tool in ("sh", "bash", "sed", "git", "basename", "cut", "make"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/.set-up").touch()
    for program in ("docker", "kubectl", "kind", "minikube", "cluster", "push", "venv/bin/python"):
        (tmp_path / program).write_text(PROGRAM)
        (tmp_path / program).chmod(0o755)
    return tmp_path


def make(machine: Path, *words: str, failing: str = "nothing", context: str = "") -> Made:
    calls = machine / "calls"
    environment = {"PATH": str(machine), "CALLS": str(calls), "FAILING": failing, "CONTEXT": context}
    command = [str(machine / "make"), "test-cluster", f"VENV={machine}/venv", *words]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return Made(made.returncode, made.stderr, calls.read_text().splitlines())


def test_a_cluster_of_its_own_is_built_for_started_loaded_used_and_taken_down(machine: Path) -> None:
    made = make(machine, "CLUSTER=cluster")

    assert made.code == 0, made.errors
    build, build_ray, *others = made.calls
    assert build.startswith(f"cluster build --file Dockerfile.kserve --target cpu --tag {IMAGE} ")
    assert build_ray.startswith(f"cluster build --file Dockerfile.kserve --target ray --tag {RAY_IMAGE} ")
    assert others == [
        "cluster up",
        f"cluster load {IMAGE}",
        f"cluster load {RAY_IMAGE}",
        f"cluster exec {machine}/venv/bin/python -m pytest -m cluster tests/cluster",
        "cluster down",
    ]


def test_without_ray_neither_its_image_nor_its_tests_are_had(machine: Path) -> None:
    made = make(machine, "CLUSTER=cluster", "RAY=no")

    assert made.code == 0, made.errors
    assert not any(RAY_IMAGE in call for call in made.calls)
    assert made.calls[-2].endswith("-m cluster tests/cluster --ignore=tests/cluster/test_ray.py")


@pytest.mark.parametrize("failing", ["up", "load", "exec"])
def test_it_is_taken_down_whatever_happens(machine: Path, failing: str) -> None:
    made = make(machine, "CLUSTER=cluster", failing=failing)

    assert made.code != 0
    assert [call.split()[1] for call in made.calls][-2:] == [failing, "down"]


def test_nothing_is_started_for_an_image_that_cannot_be_built(machine: Path) -> None:
    made = make(machine, "CLUSTER=cluster", failing="build")

    assert made.code != 0
    assert len(made.calls) == 1


@pytest.mark.parametrize(
    ("context", "load"),
    [("kind-mine", "kind load docker-image --name mine"), ("minikube", "minikube image load")],
)
def test_the_cluster_of_the_kubeconfig_is_given_the_image(machine: Path, context: str, load: str) -> None:
    made = make(machine, context=context)

    assert made.code == 0, made.errors
    assert {f"{load} {IMAGE}", f"{load} {RAY_IMAGE}"} <= set(made.calls)
    assert made.calls[-1] == "python -m pytest -m cluster tests/cluster"


def test_a_cluster_that_nobody_knows_is_given_it_as_the_user_says(machine: Path) -> None:
    unknown = make(machine, context="production")
    told = make(machine, "LOAD=push", context="production")

    assert unknown.code != 0
    assert "make test-cluster LOAD=" in unknown.errors
    pytest_call = "python -m pytest -m cluster tests/cluster"
    assert told.calls[-3:] == [f"push {IMAGE}", f"push {RAY_IMAGE}", pytest_call]
