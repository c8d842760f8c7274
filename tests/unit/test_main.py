"""`python -m predictor` as the first process of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In place of kserve, which takes seconds to import.
SLOW = "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)\n"


def test_sigterm_while_the_server_is_still_imported_is_handled(tmp_path: Path) -> None:
    """Unhandled, it would not reach the first process of a container at all."""
    (tmp_path / "kserve.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-m", "predictor", "serve"]
    server = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)

    assert server.returncode == 128 + signal.SIGTERM
