from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from predictor.detectors.centerface import centerface_network
from predictor.runtime.providers import session_opener
session_opener("cpu")(centerface_network())
"""


def test_opening_a_network_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}

    subprocess.run([sys.executable, "-c", SCRIPT], env=environment | {"HOME": str(tmp_path)}, check=True)

    assert list(tmp_path.rglob("*")) == []
