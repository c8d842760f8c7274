"""A server as it comes, with default limits, and what must be true of it after everything that was thrown at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor.client.server_process import free_ports, serving
from tests.hostile.health import Target


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """`python -m predictor serve` with no setting but its ports."""
    log = Path(tmp_path_factory.mktemp("hostile"), "log")
    http_port, grpc_port = free_ports(2)
    settings = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "DRAIN_DELAY_SECONDS": "0"}
    with serving(settings, log=log) as running:
        yield Target.of(running, log)
