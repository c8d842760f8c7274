"""`make image`, with builders that only write down what they are asked for."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from predictor import __version__

ROOT = Path(__file__).parents[2]
BUILDER = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
[ "$1" != info ] || [ "$(basename "$0")" != "$DEAF" ]
"""


@dataclass(frozen=True, slots=True)
class Made:
    code: int
    errors: str
    calls: list[list[str]]
    """What was called, by the name of the program."""

    @property
    def built(self) -> list[str]:
        """The one build."""
        (built,) = [call for call in self.calls if call[1] == "build"]
        return built


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with some builders on it, none of them real."""

    folder: Path

    def has(self, *builders: str) -> Machine:
        tools = self.folder / "bin"
        tools.mkdir()
        for tool in ("sh", "bash", "sed", "git", "basename", "make"):
            (tools / tool).symlink_to(str(shutil.which(tool)))
        for builder in builders:
            (tools / builder).write_text(BUILDER)
            (tools / builder).chmod(0o755)
        return self

    def make_image(self, *words: str, deaf: str = "") -> Made:
        calls = self.folder / "calls"
        environment = {"PATH": str(self.folder / "bin"), "CALLS": str(calls), "DEAF": deaf, "HOME": str(self.folder)}
        command = [str(shutil.which("make")), "image", *words]
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        lines = calls.read_text().splitlines() if calls.exists() else []
        named = [[Path(line.split()[0]).name, *line.split()[1:]] for line in lines]
        return Made(made.returncode, made.stderr, named)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _option(call: list[str], name: str) -> str:
    return call[call.index(name) + 1]


@pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
def test_make_image_takes_the_builder_that_is_there(machine: Machine, builder: str) -> None:
    made = machine.has(builder).make_image()

    assert made.code == 0, made.errors
    assert made.built[0] == builder
    assert _option(made.built, "--file") == "Dockerfile.kserve"
    assert _option(made.built, "--target") == "cpu"
    assert _option(made.built, "--tag") == "localhost/faceswap-predictor:dev"
    assert f"VERSION={__version__}" in made.built
    assert made.built[-1] == "."


def test_make_image_passes_over_a_docker_without_its_daemon(machine: Machine) -> None:
    made = machine.has("docker", "podman", "buildah").make_image(deaf="docker")

    assert (made.code, made.built[0]) == (0, "podman")


def test_make_image_names_the_builders_where_none_answers(machine: Machine) -> None:
    made = machine.has("docker").make_image(deaf="docker")

    assert made.code != 0
    assert "none of 'docker podman buildah' is installed and answers" in made.errors


@pytest.mark.parametrize("target", ["gpu", "ray"])
def test_make_image_gives_the_others_names_of_their_own(machine: Machine, target: str) -> None:
    made = machine.has("docker").make_image(f"TARGET={target}")

    assert _option(made.built, "--target") == target
    assert _option(made.built, "--tag") == f"localhost/faceswap-predictor:dev-{target}"


def test_make_image_takes_another_name_and_another_base(machine: Machine) -> None:
    made = machine.has("docker").make_image("IMAGE=example.com/swap:7", "BASE=example.com/python:3.12")

    assert _option(made.built, "--tag") == "example.com/swap:7"
    assert "BASE=example.com/python:3.12" in made.built


def test_make_image_leaves_the_build_to_the_cluster_that_is_named(machine: Machine) -> None:
    made = machine.has("docker", "cluster").make_image(f"CLUSTER={machine.folder}/bin/cluster")

    assert [call[0] for call in made.calls] == ["cluster"]
    assert _option(made.built, "--target") == "cpu"
    assert not any(word.startswith("BASE=") for word in made.built)


def test_make_image_tells_nobody_of_a_remote_that_is_not_public(machine: Machine) -> None:
    git = machine.has("docker").folder / "bin" / "git"
    git.unlink()
    git.write_text('#!/bin/sh\n[ "$1" != remote ] || echo "$REMOTE"\n')
    git.chmod(0o755)

    def source(remote: str) -> str:
        git.write_text(f'#!/bin/sh\n[ "$1" != remote ] || echo "{remote}"\n')
        return machine.make_image().calls[-1][-2]

    assert source("https://me:secret@example.com/swap.git") == "SOURCE=https://example.com/swap.git"
    assert source("/home/me/swap.git") == "SOURCE="
