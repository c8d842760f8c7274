"""A predictor in a process of its own: start it, wait until it is ready, stop it whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpx
from tqdm import tqdm

from predictor.errors import PredictorError
from predictor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_POLL_SECONDS = 0.25
_TAIL_LINES = 20


class ServerDidNotStart(PredictorError):
    """The server ended, or was not ready in time; the sentence ends with what it wrote last."""

    def __init__(self, reason: str, log: Path | None) -> None:
        tail = "" if log is None else "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
        super().__init__(
            f"the predictor did not start: {reason}" + (f"; its last words in {log}:\n{tail}" if log else "")
        )


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a predictor listens."""

    http_url: str
    grpc_address: str
    model: str
    process: subprocess.Popen[bytes]


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nothing listens on at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def serving(
    settings: Mapping[str, str],
    *arguments: str,
    log: Path | None = None,
    timeout_seconds: float = 120.0,
    grace_seconds: float = 90.0,
) -> Iterator[RunningServer]:
    """Run `python -m predictor serve` until the block ends.

    Args:
        settings: Settings by their names without the prefix, such as `HTTP_PORT`; the environment's are kept otherwise.
        arguments: What else the command line says, such as `--scale`, `ray`.
        log: File for what the server writes; None leaves it on this process's own output.
        timeout_seconds: How long it may take until it is ready.
        grace_seconds: How long it may take to stop before it is killed.

    Raises:
        ServerDidNotStart: A port is taken, or it ended or was not ready in time.
    """
    environment = {**os.environ, **{f"PREDICTOR_{name}": value for name, value in settings.items()}}
    chosen = partial(_chosen, environment)
    for port in (chosen("HTTP_PORT"), chosen("GRPC_PORT")):
        _require_free(int(port))
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else None
        process = subprocess.Popen(  # noqa: S603  # our own program, by the interpreter that runs this
            [sys.executable, "-m", "predictor", "serve", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,  # Ctrl-C reaches it through us, once
        )
        stack.callback(_stop, process, grace_seconds)
        http_url = f"http://127.0.0.1:{chosen('HTTP_PORT')}"
        _wait_until_ready(process, http_url, log, timeout_seconds)
        yield RunningServer(http_url, f"127.0.0.1:{chosen('GRPC_PORT')}", chosen("MODEL_NAME"), process)


def _chosen(environment: Mapping[str, str], name: str) -> str:
    return environment.get(f"PREDICTOR_{name}") or str(Settings.model_fields[name.lower()].default)


def _require_free(port: int) -> None:
    """Refuse a port that somebody listens on: their readiness would be taken for ours."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ServerDidNotStart(f"something listens on port {port} already", None)


def _wait_until_ready(
    process: subprocess.Popen[bytes], http_url: str, log: Path | None, timeout_seconds: float
) -> None:
    began = time.monotonic()
    with (
        httpx.Client(base_url=http_url, timeout=5.0) as http,
        tqdm(desc="starting the predictor", bar_format="{desc}: {elapsed}", leave=False, disable=None) as progress,
    ):
        while not _is_ready(http):
            if process.poll() is not None:
                raise ServerDidNotStart(f"it ended with exit code {process.returncode}", log)
            if time.monotonic() - began > timeout_seconds:
                raise ServerDidNotStart(f"it was not ready within {timeout_seconds:g} s", log)
            time.sleep(_POLL_SECONDS)
            progress.update()


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/v2/health/ready").is_success
    except httpx.TransportError:  # not listening yet
        return False


def _stop(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that what it started is stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
