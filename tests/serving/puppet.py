"""The test's end of the strings: starts a puppet server, holds its stages, lets them go."""

from __future__ import annotations

import multiprocessing
import os
import queue
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from tests.serving import puppet_server

PATIENCE_SECONDS = 30.0
"""How long a test waits for what must happen; it passes as soon as it does."""
_PORTS = re.compile(r"REST on port (\d+), gRPC on port (\d+)")

_READY = re.compile(r'predictor\.serving\.server(: |".*"message":")ready')

# The server's imports take seconds; they are made once, and each server is a fork of the process that made them.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.serving.puppet_server"])


@dataclass(frozen=True, eq=False)
class Arrival:
    """A stage that waits for its word."""

    stage: str
    colour: tuple[int, int, int] | None
    """Of the first pixel of the picture it works on: tells requests apart."""
    _connection: Connection

    def go(self, trouble: str | None = None) -> None:
        """Let it do its work, or break with these words."""
        with self._connection:
            self._connection.send(trouble)


class Stages:
    """Every stage of one server asks here. Those that are held wait for the test, the others go on at once."""

    def __init__(self, address: str) -> None:
        self._listener = Listener(address)
        self._held: dict[str, int] = {}
        self._arrivals: queue.Queue[Arrival] = queue.Queue()
        self.ran: list[tuple[str, tuple[int, int, int] | None]] = []
        """Every stage that began, with the colour of its picture, in order."""
        threading.Thread(target=self._answer, daemon=True).start()

    def hold(self, stage: str, times: int = 1) -> None:
        """Hold the next runs of a stage, so many of them."""
        self._held[stage] = times

    def arrival(self) -> Arrival:
        """Wait until a held stage begins."""
        return self._arrivals.get(timeout=PATIENCE_SECONDS)

    def wait_for_colours(self, colours: set[tuple[int, int, int]]) -> None:
        """Wait until a stage has begun on pictures of each of these colours."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not colours <= {colour for _, colour in self.ran}:
            assert time.monotonic() < until, f"not all of {colours} came"
            time.sleep(0.01)

    def close(self) -> None:
        """Take no more questions, and break what still waits."""
        self._held.clear()
        self._listener.close()
        while not self._arrivals.empty():
            self._arrivals.get_nowait().go("the test is over")

    def _answer(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
                stage, colour = connection.recv()
            except (OSError, EOFError):
                return
            self.ran.append((stage, colour))
            arrival = Arrival(stage, colour, connection)
            if self._held.get(stage, 0) > 0:
                self._held[stage] -= 1
                self._arrivals.put(arrival)
            else:
                arrival.go()


@dataclass(frozen=True, eq=False)
class Puppet:
    """A running server on strings."""

    process: multiprocessing.process.BaseProcess
    stages: Stages
    log: Path
    http_port: int
    grpc_port: int

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self.process.pid is not None
        return self.process.pid

    def wait_until_ready(self) -> None:
        """Wait until every model is loaded."""
        while not _READY.search(self.log.read_text()):
            _require_running(self.process, self.log)

    def wait_for_line(self, words: str) -> None:
        """Wait until the server has logged these words."""
        while words not in self.log.read_text():
            _require_running(self.process, self.log)

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait until the process has ended."""
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode is not None, "the server is still running"
        return self.process.exitcode


@contextmanager
def puppet(folder: Path, settings: Mapping[str, str] | None = None, *, held: str = "") -> Iterator[Puppet]:
    """Run a puppet server until the block ends.

    Args:
        folder: For its log.
        settings: By their names without the prefix; OpenTelemetry's have their own.
        held: A stage that is held from the first moment on.
    """
    chosen = {"HTTP_PORT": "0", "GRPC_PORT": "0", "LOG_FORMAT": "text", "DRAIN_DELAY_SECONDS": "0", **(settings or {})}
    environment = {name if name.startswith("OTEL_") else f"PREDICTOR_{name}": value for name, value in chosen.items()}
    log, address = folder / "log", str(folder / "strings")
    log.touch()
    stages = Stages(address)
    if held:
        stages.hold(held)
    process = _processes.Process(target=puppet_server.run, args=(environment, log, address))
    process.start()
    try:
        ports = _wait_for_ports(process, log)
        server = Puppet(process, stages, log, int(ports[1]), int(ports[2]))
        if held != "load":
            server.wait_until_ready()
        yield server
    finally:
        stages.close()
        process.kill()
        process.join()


def _wait_for_ports(process: multiprocessing.process.BaseProcess, log: Path) -> re.Match[str]:
    while not (ports := _PORTS.search(log.read_text())):
        _require_running(process, log)
    return ports


def _require_running(process: multiprocessing.process.BaseProcess, log: Path) -> None:
    assert process.is_alive(), f"the server ended: {log.read_text()}"
    time.sleep(0.01)
