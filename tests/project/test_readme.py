"""The README keeps its promises: its commands run, its tables name what there is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from predictor.client.server_process import free_ports
from predictor.serving.statuses import STATUSES
from predictor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
SHELL_BLOCKS = [text for language, text in BLOCKS if language == "sh"]
PYTHON_BLOCKS = [text for language, text in BLOCKS if language == "python"]
# Commands that go on until they are stopped.
SERVING = ("make serve", "-m predictor serve")
# Not typed here: what runs these tests, and what needs a cluster.
LEFT_OUT = ("make test", "kubectl ", "helm ")


def _rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#)", f"{README}\n#", re.DOTALL | re.MULTILINE)
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_setting_is_listed_with_its_default() -> None:
    units = {"GiB": 1024**3, "MiB": 1024**2, "M": 10**6}
    listed: dict[str, object] = {}
    for names, default, _ in _rows("Operate it"):
        number = re.fullmatch(r"([\d.]+)(?: (\w+))?", default)
        value = float(number[1]) * units.get(number[2], 1) if number else default.strip("`")
        for name in re.findall(r"`(\w+)`", names):
            listed[name.lower()] = None if value == "none" else value

    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert listed == {name: _as_written(default) for name, default in defaults.items()}


def _as_written(default: object) -> object:
    """What an operator would write for a default; nothing where there is none."""
    return str(default).lower() if isinstance(default, bool) else None if default == () else default


def test_every_error_is_listed_with_its_statuses() -> None:
    listed = {
        code: (int(rest), grpc_code)
        for codes, rest, grpc_code in _rows("Errors")
        for code in re.findall(r"`(\w+)`", codes)
    }

    assert listed == {code: (int(status.http), status.grpc.name) for code, status in STATUSES.items()}


def test_every_file_it_points_to_exists(root: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    sections = {f"#{title.lower().replace(' ', '-')}" for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)}

    assert targets
    assert [target for target in targets if target not in sections and not (root / target).exists()] == []


def test_its_map_names_what_is_there(root: Path) -> None:
    (package_map,) = [text for language, text in BLOCKS if not language and text.startswith("predictor/")]

    named = re.findall(r"\b[a-z_]+(?:/|\.py)", package_map.partition("\n")[2])

    assert len(named) > 10
    assert [name for name in named if not (root / "predictor" / name).exists()] == []


@pytest.mark.parametrize("block", SHELL_BLOCKS)
def test_its_shell_is_well_formed(block: str) -> None:
    parsed = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)  # noqa: S607

    assert parsed.stderr == ""


class Reader:
    """Somebody who types what the README says, in a copy of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http_port, self.grpc_port = free_ports(2)
        self._servers: list[subprocess.Popen[bytes]] = []
        stamp = folder / ".set-up"
        stamp.touch()
        self._environment = {
            **os.environ,
            "PREDICTOR_HTTP_PORT": str(self.http_port),
            "PREDICTOR_GRPC_PORT": str(self.grpc_port),
            "PREDICTOR_DRAIN_DELAY_SECONDS": "0",
            # set-up is done: the tools of this run are used
            "MAKEFLAGS": f" -- BIN={Path(sys.executable).parent} STAMP={stamp}",
        }

    def types(self, block: str) -> None:
        if block.strip().endswith(SERVING):
            self._serves(block)
            if "make" in block:
                self.types(self._printed_call())
            return
        typed = self._run(["bash", "-euo", "pipefail", "-c", self._here(block)])
        assert typed.returncode == 0, f"{block}\n{typed.stdout}\n{typed.stderr}"

    def runs_python(self, block: str) -> None:
        ran = self._run([sys.executable, "-c", self._here(block)])
        assert ran.returncode == 0, f"{block}\n{ran.stderr}"

    def stops_serving(self) -> None:
        while self._servers:
            server = self._servers.pop()
            server.terminate()
            server.wait(30)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, text=True, capture_output=True, check=False, timeout=100
        )

    def _here(self, block: str) -> str:
        return (
            block.replace("127.0.0.1:8080", f"127.0.0.1:{self.http_port}")
            .replace("127.0.0.1:8081", f"127.0.0.1:{self.grpc_port}")
            .replace(".venv/bin/python", sys.executable)
        )

    def _serves(self, block: str) -> None:
        self.stops_serving()
        log = (self.folder / "server.log").open("wb")
        with log:
            self._servers.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec env {self._here(block).strip()}"],  # noqa: S607
                    cwd=self.folder,
                    env=self._environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        for _ in range(60):
            try:
                if httpx.get(f"http://127.0.0.1:{self.http_port}/v2/health/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            assert self._servers[-1].poll() is None, (self.folder / "server.log").read_text()
            self._pause()
        pytest.fail((self.folder / "server.log").read_text())

    def _printed_call(self) -> str:
        """The line that `make serve` shows once it is ready; the server may be ready a little before."""
        for _ in range(20):
            found = re.search(r"^ *(curl .*)$", (self.folder / "server.log").read_text(), re.MULTILINE)
            if found:
                return found[1]
            self._pause()
        pytest.fail("make serve prints no call")

    def _pause(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._servers[-1].wait(0.5)


@pytest.fixture
def reader(tracked_files: list[Path], root: Path, tmp_path: Path) -> Iterator[Reader]:
    for path in tracked_files:
        copy = tmp_path / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    reader = Reader(tmp_path)
    yield reader
    reader.stops_serving()


@pytest.mark.timeout(300)
def test_its_commands_run_one_after_the_other_and_leave_the_pictures_it_says(reader: Reader) -> None:
    for block in SHELL_BLOCKS:
        if not any(word in block for word in LEFT_OUT):
            reader.types(block)
    for block in PYTHON_BLOCKS:
        reader.runs_python(block)

    made = sorted(path.relative_to(reader.folder / "out") for path in (reader.folder / "out").rglob("*.jpg"))
    assert {Path("serve/swapped.jpg"), Path("swapped.jpg"), Path("swapped_over_grpc.jpg")} <= set(made)
    for path in (reader.folder / "out").rglob("*.[jp][pn]g"):
        with Image.open(path) as picture:
            picture.load()
