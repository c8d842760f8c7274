"""What the README has a reader type, section by section, and somebody who types it in a namespace."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from predictor.client.server_process import free_ports
from tests.cluster.kubernetes import ROOT, CommandFailed, Namespace, run

_SECONDS = 300


def blocks(heading: str) -> list[str]:
    """Return the commands below a heading of the README, block by block."""
    text = (ROOT / "README.md").read_text()
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ )", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def settings_of_upgrade(heading: str) -> list[str]:
    """Return what the `helm upgrade` below a heading sets, beside what was set before."""
    (command,) = [
        line
        for block in blocks(heading)
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("helm upgrade")
    ]
    program, upgrade, release, chart, *settings = shlex.split(command)
    assert [program, upgrade, release, chart] == ["helm", "upgrade", "faceswap", "charts/faceswap-predictor"]
    return [word for word in settings if word != "--reuse-values"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of the README in a folder of their own, whose kubectl and helm go to a namespace."""

    folder: Path
    namespace: Namespace

    def sit_down(self, pictures: dict[str, bytes]) -> None:
        """Lay out what a reader has: the chart, the pictures of `make demo`, and kubectl's configuration."""
        (self.folder / "charts").symlink_to(ROOT / "charts")
        destinations = self.folder / "out/demo/destinations"
        destinations.mkdir(parents=True)
        for name, content in pictures.items():
            (destinations / name).write_bytes(content)
        self._config.write_text(run("kubectl", "config", "view", "--raw", "--minify", "--flatten"))
        run(
            "kubectl",
            "--kubeconfig",
            str(self._config),
            "config",
            "set-context",
            "--current",
            "--namespace",
            self.namespace.name,
        )

    @property
    def _config(self) -> Path:
        return self.folder / "kubeconfig"

    def types(self, block: str) -> str:
        """Run a block, with a free port of this machine in place of 8080, and return what it wrote.

        Raises:
            CommandFailed: A command of it failed.
        """
        (port,) = free_ports(1)
        here = block.replace("8080:", f"{port}:").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here.replace(".venv/bin/python", sys.executable)],  # noqa: S607
            cwd=self.folder,
            env={**os.environ, "KUBECONFIG": str(self._config), "PYTHONPATH": str(ROOT)},
            text=True,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            raise CommandFailed(f"{block}\n{done.stdout}\n{done.stderr}")
        return done.stdout
