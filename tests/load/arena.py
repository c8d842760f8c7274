"""The server under load with everything that stands around it: who calls, who probes, who watches its memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from predictor.bench.memory import resident_mib
from predictor.client.samples import GRACE_HOPPER, SIX_FACES, fill_folder
from predictor.client.server_process import RunningServer, free_ports, serving
from tests.load.calls import Ran
from tests.load.clients import Ports
from tests.load.probes import Probed, Probing, Target
from tests.load.processes import Child, processor_seconds
from tests.load.scenario import STOP, Population, Stage

HEALTH = ("live", "ready")
ECHO = "echo"
_IN_FLIGHT = "predictor_requests_in_flight{"
_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Watched:
    """A stage, and what stood around it."""

    ran: Ran
    probed: Probed
    server_seconds: float
    """Processor time of the server while it ran."""


def health_seconds(probed: Probed) -> list[float]:
    """Return how long every probe of the server took."""
    return [seconds for name in HEALTH for seconds in probed.seconds[name]]


@dataclass(slots=True)
class Memory:
    """Resident memory of a server from its start on."""

    seconds: list[float] = field(default_factory=list)
    """Since the first sample."""
    mib: list[float] = field(default_factory=list)


@contextmanager
def memory_of(pid: int) -> Iterator[Memory]:
    """Sample a process's resident memory until the block ends."""
    memory, stopping, began = Memory(), threading.Event(), time.monotonic()

    def sample() -> None:
        while not stopping.wait(_SAMPLE_SECONDS):
            memory.seconds.append(time.monotonic() - began)
            memory.mib.append(resident_mib(pid))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stopping.set()
        thread.join()


@contextmanager
def predictor(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    """Run a predictor as its users do: default settings, two preloaded destinations, ports of its own.

    Args:
        folder: For the destinations and its log.
        settings: By their names without the prefix.
    """
    fill_folder(folder / "destinations", (GRACE_HOPPER, SIX_FACES))
    http_port, grpc_port = free_ports(2)
    chosen = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "MODEL_NAME": "faceswap"}
    chosen |= {"DESTINATIONS_DIR": str(folder / "destinations"), **(settings or {})}
    with serving(chosen, log=folder / "server.log") as server:
        yield server


def ports_of(server: RunningServer) -> Ports:
    """Return where it listens."""
    return Ports(int(server.http_url.rpartition(":")[2]), int(server.grpc_address.rpartition(":")[2]))


class Arena:
    """A server, a process that calls it, and one that probes it.

    Args:
        server: Who is called.
        attack: The process that calls.
        prober: The process that probes.
        echo_port: Where the process listens that only answers.
    """

    def __init__(self, server: RunningServer, attack: Child, prober: Child, echo_port: int) -> None:
        self.server = server
        self.ports = ports_of(server)
        self._attack = attack
        self._prober = prober
        targets = [Target(name, self.ports.http, f"/v2/health/{name}") for name in HEALTH]
        self._probing = Probing([*targets, Target(ECHO, echo_port, "/")])

    def run(self, name: str, populations: Sequence[Population], seconds: float) -> Watched:
        """Run one stage, with the prober beside it."""
        before = processor_seconds(self.server.process.pid)
        with self._probed() as probed:
            ran = self._attack.ask(Stage(name, self.ports.http, self.ports.grpc, populations, seconds))
        return Watched(ran, probed[0], processor_seconds(self.server.process.pid) - before)

    def idle(self, seconds: float) -> Probed:
        """Probe while nobody calls."""
        with self._probed() as probed:
            time.sleep(seconds)
        return probed[0]

    def in_flight(self) -> float:
        """Return how many requests the server says it holds."""
        lines = httpx.get(f"{self.server.http_url}/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_IN_FLIGHT))

    @contextmanager
    def _probed(self) -> Iterator[list[Probed]]:
        found: list[Probed] = []
        self._prober.send(self._probing)
        yield found
        self._prober.send(STOP)
        found.append(self._prober.receive())


@contextmanager
def arena(server: RunningServer) -> Iterator[Arena]:
    """Put the other processes around a server until the block ends."""
    with ExitStack() as stack:
        attack, prober, echo = (
            stack.enter_context(Child(f"tests.load.{module}")) for module in ("attack", "prober", "echo")
        )
        yield Arena(server, attack, prober, echo.receive())
