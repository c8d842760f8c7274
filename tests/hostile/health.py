"""Whether a server is as healthy as before: ready, small, giving the same bytes, nothing of its own gone wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import httpx

from predictor.client.server_process import RunningServer
from tests.serving.pictures import portrait
from tests.serving.wire import Ask, GrpcConnection, RestAnswer, RestConnection, RestRequest

MOST_RESIDENT_BYTES = 3 * 2**30


@dataclass(frozen=True)
class Target:
    """A running server, and what it answered before anything happened."""

    running: RunningServer
    log: Path
    reference: str

    @staticmethod
    def of(running: RunningServer, log: Path) -> Target:
        """Return a server that has answered once."""
        return Target(running, log, _reference(running))

    @property
    def http_port(self) -> int:
        """Where it listens."""
        return int(self.running.http_url.rsplit(":", 1)[1])

    def ask(self, request: RestRequest) -> RestAnswer:
        """Send a request on a connection of its own."""
        connection = RestConnection(self.http_port)
        try:
            return connection.ask(request)
        finally:
            connection.close()

    def grpc(self) -> GrpcConnection:
        """Return a channel."""
        return GrpcConnection(int(self.running.grpc_address.rsplit(":", 1)[1]))

    def check(self) -> None:
        """Raise AssertionError unless it is as healthy as before."""
        assert self.running.process.poll() is None, self.log.read_text()[-2000:]
        assert httpx.get(f"{self.running.http_url}/v2/health/ready").status_code == 200
        assert _reference(self.running) == self.reference
        assert self.peak_bytes() < MOST_RESIDENT_BYTES
        assert "Traceback" not in self.log.read_text(errors="replace")

    def peak_bytes(self) -> int:
        """Return the most memory it has ever had resident."""
        return peak_bytes(self.running.process.pid)


def peak_bytes(pid: int | str = "self") -> int:
    """Return the most memory a process has ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("this kernel does not tell")


def _reference(running: RunningServer) -> str:
    ask = Ask(image=portrait(), destinations=[portrait()], options={"output": {"format": "png"}})
    request = ask.rest()
    answer = httpx.post(f"{running.http_url}{request.path}", content=request.body, timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    return hashlib.sha256(answer.content).hexdigest()
