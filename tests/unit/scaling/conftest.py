"""One event loop for all replicas of this process: Ray's batches are a class's, and of the first loop they see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.unit.scaling.here import event_loop


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread."""
    with event_loop() as running:
        yield running
