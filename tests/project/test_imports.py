from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_imports_point_down_only(root: Path) -> None:
    # a process of its own: import-linter silences every logger of the process it runs in
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert linted.returncode == 0, linted.stdout
