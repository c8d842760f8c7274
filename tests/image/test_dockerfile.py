"""The image as its Dockerfile tells it, without building it; tests/cluster runs it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from predictor.settings import cache_folder

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile.kserve").read_text()
TARGETS = ("cpu", "gpu", "ray")
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


@pytest.mark.parametrize(("target", "lock"), [("cpu", "openvino"), ("gpu", "cuda"), ("ray", "ray")])
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


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_serves_as_a_user_of_group_0_that_no_file_knows(target: str) -> None:
    assert [json.loads(text) for text in _words(target, "ENTRYPOINT")] == [["python", "-m", "predictor"]]
    assert [json.loads(text) for text in _words(target, "CMD")] == [["serve"]]
    assert _words(target, "STOPSIGNAL") == ["SIGTERM"]
    assert re.fullmatch(r"[1-9]\d*:0", _words(target, "USER")[-1])
    assert "--chown" not in DOCKERFILE


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_writes_to_tmp_only(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(target)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert Path.home() == Path("/tmp")  # noqa: S108  the one place that a pod can write to
    assert str(cache_folder()).startswith("/tmp/")  # noqa: S108


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_finds_no_module_where_it_can_be_written(target: str) -> None:
    environment = _environment(target)

    assert environment["PYTHONSAFEPATH"] == "1"
    assert "PYTHONPATH" not in environment  # KServe refuses pods that set it; an image should not need it either


def test_an_image_takes_no_device_that_the_cluster_did_not_give() -> None:
    assert "NVIDIA_VISIBLE_DEVICES" not in _environment("gpu")
    assert _environment("gpu")["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_the_licences_of_its_packages(target: str) -> None:
    packages = _copied_from(target)[0]

    assert any("image/licences.py /venv /licenses" in run for run in _words(packages, "RUN"))
    assert f"--from={packages} /licenses /licenses" in _words(target, "COPY")


def test_the_image_of_ray_has_what_kuberay_calls_and_is_no_root_afterwards() -> None:
    (installs,) = [run for run in _words("ray", "RUN") if "apt-get install" in run]

    assert installs.split(" && ")[1].split()[-1] == "wget"
    assert "rm -rf /var/lib/apt/lists/*" in installs
    assert _words("ray", "USER")[-1] != "0:0"
    assert _environment("ray")["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("target", TARGETS)
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
