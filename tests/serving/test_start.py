"""What keeps the server from starting: one sentence for the operator on stderr, exit code 3, within seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.serving.puppet import PATIENCE_SECONDS
from tests.serving.sick_sessions import KINDS


def started(settings: dict[str, str], module: str = "predictor", *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is going to fail, and return how it ended."""
    environment = {**os.environ, "PREDICTOR_HTTP_PORT": "0", "PREDICTOR_GRPC_PORT": "0", **settings}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
    )


def sentences(stderr: str) -> list[str]:
    """The lines that are no log."""
    return [line for line in stderr.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize("setting", ["PREDICTOR_HTTP_PORT", "PREDICTOR_GRPC_PORT"])
def test_a_port_that_is_taken(setting: str) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]

        ended = started({setting: str(port)}, "predictor", "serve")

    assert ended.returncode == 3
    (sentence,) = sentences(ended.stderr)
    assert setting in sentence
    assert str(port) in sentence


def test_a_setting_out_of_bounds() -> None:
    ended = started({"PREDICTOR_WORKERS": "0"}, "predictor", "serve")

    assert ended.returncode == 3
    (sentence,) = sentences(ended.stderr)
    assert "PREDICTOR_WORKERS" in sentence


def test_a_server_that_breaks_down_is_no_orderly_end() -> None:
    ended = started({"PREDICTOR_DRAIN_DELAY_SECONDS": "0"}, "tests.serving.deaf_server")

    assert ended.returncode == 3
    (sentence,) = sentences(ended.stderr)
    assert "the gRPC server ended by itself" in sentence
    assert "no ears" in ended.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_t4_a_network_that_gives_nonsense_is_never_ready(kind: str) -> None:
    ended = started({}, "tests.serving.sick_sessions", kind)

    assert ended.returncode == 3
    (sentence,) = sentences(ended.stderr)
    assert "warm-up failed" in sentence
    assert '"message":"ready"' not in ended.stderr


@pytest.mark.parametrize(
    ("settings", "begins"),
    [
        ({"PREDICTOR_PROVIDER": "cuda"}, "PREDICTOR_PROVIDER: cuda cannot be had, "),
        ({"PREDICTOR_PROVIDER": "tensorrt"}, "PREDICTOR_PROVIDER: tensorrt cannot be had, "),
        ({"PREDICTOR_PROVIDER": "cpu", "PREDICTOR_PRECISION": "fp16"}, "PREDICTOR_PRECISION: fp16 cannot be had "),
    ],
    ids=["cuda", "tensorrt", "precision"],
)
def test_a_provider_or_precision_that_cannot_be_had(settings: dict[str, str], begins: str) -> None:
    ended = started(settings, "predictor", "serve")

    assert ended.returncode == 3
    (sentence,) = sentences(ended.stderr)
    assert sentence.startswith(f"faceswap-predictor cannot start: {begins}")
