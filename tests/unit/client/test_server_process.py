from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from predictor.client.server_process import ServerDidNotStart, free_ports, serving, termination_as_interrupt

if TYPE_CHECKING:
    from pathlib import Path

# What `python -m predictor serve` runs in these tests: a server that is not ready at the first question.
SERVER = """
import http.server, os, sys
print("first words", flush=True)
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(503 if Handler.asked == 1 else 200)
        self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PREDICTOR_HTTP_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def fake_predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package `predictor` that the current folder puts before the real one."""
    package = tmp_path / "predictor"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SERVER.format(before=""))
    monkeypatch.chdir(tmp_path)
    return package


def _settings() -> dict[str, str]:
    http_port, grpc_port = free_ports(2)
    return {"HTTP_PORT": str(http_port), "GRPC_PORT": str(grpc_port), "MODEL_NAME": "other"}


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("fake_predictor")
def test_the_block_runs_when_the_server_is_ready_and_the_server_ends_with_it() -> None:
    settings = _settings()

    with serving(settings) as server:
        answered = httpx.get(f"{server.http_url}/v2/health/ready").status_code

    assert answered == 200
    assert server.http_url.endswith(settings["HTTP_PORT"])
    assert server.grpc_address.endswith(settings["GRPC_PORT"])
    assert server.model == "other"
    assert not _lives(server.process.pid)


@pytest.mark.usefixtures("fake_predictor")
def test_the_server_is_stopped_when_the_block_fails() -> None:
    process_id = 0

    def call() -> None:
        nonlocal process_id
        with serving(_settings()) as server:
            process_id = server.process.pid
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call()

    assert not _lives(process_id)


def test_a_server_that_ends_at_once_is_told_with_its_last_words(fake_predictor: Path, tmp_path: Path) -> None:
    (fake_predictor / "__main__.py").write_text(SERVER.format(before="sys.exit('the port is taken')"))
    log = tmp_path / "server.log"

    with (
        pytest.raises(ServerDidNotStart, match=r"(?s)exit code 1; its last words in .*first words.*the port is taken"),
        serving(_settings(), log=log),
    ):
        pytest.fail("it is not running")


def test_a_server_that_never_gets_ready_is_given_up_and_stopped(fake_predictor: Path, tmp_path: Path) -> None:
    note = tmp_path / "process_id"
    sleep = f"open({str(note)!r}, 'w').write(str(os.getpid())); import time; time.sleep(60)"
    (fake_predictor / "__main__.py").write_text(SERVER.format(before=sleep))

    with pytest.raises(ServerDidNotStart, match=r"not ready within 1 s"), serving(_settings(), timeout_seconds=1.0):
        pytest.fail("it is not ready")

    assert not _lives(int(note.read_text()))


@pytest.mark.parametrize("name", ["HTTP_PORT", "GRPC_PORT"])
def test_a_server_that_runs_already_is_not_taken_for_ours(fake_predictor: Path, name: str) -> None:
    settings = _settings()
    marker = fake_predictor / "started"
    (fake_predictor / "__main__.py").write_text(SERVER.format(before=f"open({str(marker)!r}, 'w').close()"))

    with (
        socket.create_server(("127.0.0.1", int(settings[name]))),
        pytest.raises(ServerDidNotStart, match=f"listens on port {settings[name]} already"),
        serving(settings),
    ):
        pytest.fail("it is somebody else's")

    assert not marker.exists()


def test_a_server_that_does_not_stop_is_killed(fake_predictor: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    (fake_predictor / "__main__.py").write_text(SERVER.format(before=deaf))

    with serving(_settings(), grace_seconds=0.2) as server:
        pass

    assert server.process.returncode == -signal.SIGKILL


def test_free_ports_are_different_and_can_be_taken() -> None:
    ports = free_ports(3)

    assert len(set(ports)) == 3
    for port in ports:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))


def test_termination_ends_a_block_as_an_interrupt_does() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
        signal.raise_signal(signal.SIGTERM)

    assert signal.getsignal(signal.SIGTERM) is before
