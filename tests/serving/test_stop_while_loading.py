"""SIGTERM before the server is ready: a rollout that is taken back, a node that goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.serving.puppet import PATIENCE_SECONDS


@pytest.mark.parametrize("last_words", ["loading", "Application startup complete"])
def test_a_server_that_still_loads_networks_exits_0(last_words: str) -> None:
    settings = {"PREDICTOR_HTTP_PORT": "0", "PREDICTOR_GRPC_PORT": "0", "PREDICTOR_DRAIN_DELAY_SECONDS": "0"}
    command = [sys.executable, "-m", "predictor", "serve"]

    with subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = next(line for line in server.stderr if last_words in line)
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=PATIENCE_SECONDS)

    assert said
    assert '"message":"ready"' not in rest
    assert (server.returncode, "terminate called" in rest) == (0, False)
