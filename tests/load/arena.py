"""The server under load with everything that stands around it: who calls, who probes, who watches its memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from predictor.bench.memory import resident_mib
from predictor.client.samples import GRACE_HOPPER, SIX_FACES, fill_folder
from predictor.client.server_process import RunningServer, free_ports, serving
from tests.load.calls import OVERLOADED, Ran
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
    refusal_seconds: Sequence[float] = ()
    """How long each refusal for lack of room took by the server's own log."""
    witnessed: Ran | None = None
    """What a few callers in a process of their own saw."""

    @property
    def all_ran(self) -> Ran:
        """What came of the calls of everybody."""
        return self.ran if self.witnessed is None else replace(self.ran, calls=[*self.ran.calls, *self.witnessed.calls])


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


@dataclass(frozen=True, slots=True)
class Served:
    """A running predictor, and where it writes its log."""

    server: RunningServer
    log: Path

    @property
    def ports(self) -> Ports:
        """Where it listens."""
        http, grpc = self.server.http_url, self.server.grpc_address
        return Ports(int(http.rpartition(":")[2]), int(grpc.rpartition(":")[2]))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.server.process.pid


@contextmanager
def predictor(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run a predictor as its users do: default settings, two preloaded destinations, ports of its own.

    Args:
        folder: For the destinations and its log.
        settings: By their names without the prefix.
    """
    fill_folder(folder / "destinations", (GRACE_HOPPER, SIX_FACES))
    http_port, grpc_port = free_ports(2)
    chosen = {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "MODEL_NAME": "faceswap", "LOG_FORMAT": "json"}
    chosen |= {"DESTINATIONS_DIR": str(folder / "destinations"), **(settings or {})}
    log = folder / "server.log"
    with serving(chosen, log=log) as server:
        yield Served(server, log)


def refusals(log: Iterable[bytes]) -> list[float]:
    """Return how many seconds each refusal for lack of room took, by the access lines of a server's log."""
    lines = (json.loads(line) for line in log if OVERLOADED.encode() in line)
    return [float(line["seconds"]) for line in lines if line.get("code") == OVERLOADED]


class Arena:
    """A server, a process that calls it, one that calls it little, and one that probes it.

    Args:
        served: Who is called.
        attack: The process that calls.
        witness: One that makes few calls, so that it is not itself what they wait for.
        prober: The process that probes.
        echo_port: Where the process listens that only answers.
    """

    def __init__(self, served: Served, attack: Child, witness: Child, prober: Child, echo_port: int) -> None:
        self.server = served.server
        self._log = served.log
        self.ports = served.ports
        self.runs: dict[str, list[Ran]] = {}
        """What has run, by stage."""
        self._attack = attack
        self._witness = witness
        self._prober = prober
        targets = [Target(name, self.ports.http, f"/v2/health/{name}") for name in HEALTH]
        self._probing = Probing([*targets, Target(ECHO, echo_port, "/")])

    def run(
        self, name: str, populations: Sequence[Population], seconds: float, witnesses: Sequence[Population] = ()
    ) -> Watched:
        """Run one stage, with the prober beside it, and with the witnesses if there are any."""
        before, logged = processor_seconds(self.server.process.pid), self._log.stat().st_size
        with self._probed() as probed:
            if witnesses:
                self._witness.send(Stage(name, self.ports.http, self.ports.grpc, witnesses, seconds))
            ran = self._attack.ask(Stage(name, self.ports.http, self.ports.grpc, populations, seconds))
            witnessed = self._witness.receive() if witnesses else None
        self.runs.setdefault(name, []).extend(ran for ran in (ran, witnessed) if ran)
        server_seconds = processor_seconds(self.server.process.pid) - before
        with self._log.open("rb") as log:
            log.seek(logged)
            return Watched(ran, probed[0], server_seconds, refusals(log), witnessed)

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
def arena(served: Served) -> Iterator[Arena]:
    """Put the other processes around a server until the block ends."""
    with ExitStack() as stack:
        attack, prober, echo = (
            stack.enter_context(Child(f"tests.load.{module}")) for module in ("attack", "prober", "echo")
        )
        witness = stack.enter_context(Child("tests.load.attack", ahead=True))
        yield Arena(served, attack, witness, prober, echo.receive())
