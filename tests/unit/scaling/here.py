"""Replicas in this process: what goes in and comes out is pickled as on the way to another machine."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from ray import serve

from predictor.faces import Identity, Image
from predictor.scaling import replicas, workshop
from predictor.scaling.outcomes import Running
from tests.unit.fakes import FakeDetector, FakeEmbedder, FakeParser, FakeRestorer, FakeSwapper, FakeUpsampler


class Response:
    """What a handle returns at once."""

    def __init__(self, future: concurrent.futures.Future[bytes]) -> None:
        self._future = future
        self.cancelled = False

    def result(self, *, timeout_s: float | None = None) -> Any:  # noqa: ANN401
        return pickle.loads(self._future.result(timeout_s))  # noqa: S301  # our own bytes

    def cancel(self) -> None:
        self.cancelled = True
        self._future.cancel()


class Handle:
    """A handle of one replica; its methods run on an event loop in a thread, as Ray's do."""

    def __init__(self, replica: Any, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ANN401
        self.replica = replica
        self._loop = loop
        self.responses: list[Response] = []
        self.orders: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> _Method:
        return _Method(self, name)

    def send(self, name: str, args: tuple[Any, ...]) -> Response:
        given = pickle.loads(pickle.dumps(args, protocol=5))  # noqa: S301  # our own bytes
        self.orders.append((name, given))

        async def call() -> bytes:
            return pickle.dumps(await getattr(self.replica, name)(*given), protocol=5)

        self.responses.append(Response(asyncio.run_coroutine_threadsafe(call(), self._loop)))
        return self.responses[-1]


@dataclass
class _Method:
    handle: Handle
    name: str

    def remote(self, *args: Any) -> Response:  # noqa: ANN401
        return self.handle.send(self.name, args)


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop

    async def end() -> None:
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def noisy(crop: Image, identity: Identity) -> Image:
    """A swap that no two crops or identities share."""
    mixed: Image = crop // 2 + np.resize(identity.crop.image, crop.shape) // 3
    return mixed


@dataclass
class FakeBuilder:
    """Builds fakes."""

    a_detector: FakeDetector = field(default_factory=FakeDetector)
    an_embedder: FakeEmbedder | None = None
    a_swapper: FakeSwapper = field(default_factory=lambda: FakeSwapper(paint=noisy))
    a_restorer: FakeRestorer = field(default_factory=lambda: FakeRestorer(paint=lambda crop: 255 - crop))
    a_parser: FakeParser | None = None
    an_upsampler: FakeUpsampler = field(default_factory=FakeUpsampler)

    def __getattr__(self, name: str) -> Callable[[], Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        article = "an" if name[0] in "eu" else "a"
        return lambda: getattr(self, f"{article}_{name}")


@dataclass
class FakeWorkshop:
    """What replicas are built by."""

    builder: FakeBuilder
    running: Running = field(default_factory=lambda: Running((), ()))


@dataclass
class Deployed:
    """What Ray Serve would say of the deployment a replica belongs to."""

    max_ongoing_requests: int = 100


@dataclass
class ReplicaContext:
    """What `@serve.batch` asks."""

    _deployment_config: Deployed = field(default_factory=Deployed)


def inside_a_replica(monkeypatch: pytest.MonkeyPatch, builder: FakeBuilder | None = None) -> None:
    """Let replicas be made in this process, of fakes if a builder is given."""
    monkeypatch.setattr(serve, "get_replica_context", ReplicaContext)
    monkeypatch.setattr(replicas, "configure_logging", lambda _: None)  # pytest's own handlers stay
    if builder:
        monkeypatch.setattr(workshop, "workshop", lambda _settings, _stage: FakeWorkshop(builder))
