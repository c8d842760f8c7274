"""`python -m predictor call` against running servers: each model over each protocol, and what is said of failures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from predictor import cli
from predictor.client.samples import ASTRONAUT
from predictor.client.server_process import RunningServer
from predictor.policy.provenance import read_mark
from tests.serving.pictures import flat, portrait
from tests.serving.provocations import connected, full
from tests.serving.puppet import Puppet

PROTOCOLS = ("v1", "v2", "v2-raw", "grpc")


@dataclass
class Called:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told


class Caller:
    """Types `call` with the address of a server."""

    def __init__(self, http_url: str, grpc_address: str, capture: pytest.CaptureFixture[str]) -> None:
        self.http_url = http_url
        self.grpc_url = f"grpc://{grpc_address}"
        self._capture = capture

    def __call__(self, protocol: str, *words: object) -> Called:
        url = self.grpc_url if protocol == "grpc" else self.http_url
        code = cli.main(["call", url, "--protocol", protocol, *(str(word) for word in words)])
        return Called(code, *self._capture.readouterr())


@pytest.fixture
def call(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> Caller:
    """Calls the real server."""
    return Caller(server.http_url, server.grpc_address, capsys)


@pytest.fixture
def call_puppet(shared_puppet: Puppet, capsys: pytest.CaptureFixture[str]) -> Caller:
    """Calls the server on strings."""
    ports = shared_puppet.http_port, shared_puppet.grpc_port
    return Caller(f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}", capsys)


@pytest.fixture
def face(tmp_path: Path) -> Path:
    """A small picture with one face."""
    path = tmp_path / "face.jpg"
    path.write_bytes(portrait())
    return path


def test_a_swap_is_the_same_over_every_protocol_and_saved_under_the_destinations_name(
    call: Caller, face: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("--source", ASTRONAUT.path(), "--destination", face, "--report", "--json", "-o", out)

    called = [call(protocol, *words) for protocol in PROTOCOLS]

    assert [one.code for one in called] == [0] * 4
    assert sorted(path.name for path in out.iterdir()) == ["face-2.jpg", "face-3.jpg", "face-4.jpg", "face.jpg"]
    (picture,) = {path.read_bytes() for path in out.iterdir()}
    assert read_mark(picture) is not None
    for one in called:
        assert (one.json["answered"], one.json["failed"], one.json["errors"]) == (1, 0, [])
        (told,) = one.json["pictures"]
        assert told["bytes"] == len(picture)
        assert [each["swapped"] for each in told["faces"]] == [True]


def test_preloaded_destinations_are_saved_under_the_servers_names(call: Caller, face: Path, tmp_path: Path) -> None:
    called = call("v2-raw", "--source", face, "-o", tmp_path / "out")

    assert called.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["astronaut.png", "grace_hopper.jpg"]
    assert "skipped: " in called.out  # the picture of nobody


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_enhance_and_detect_are_asked_over_every_protocol(
    call: Caller, face: Path, tmp_path: Path, protocol: str
) -> None:
    found = call(protocol, "--model", "detect", "--image", face, "--json")
    enhanced = call(protocol, "--model", "enhance", "--image", face, "--option", "upscale=2", "--json", "-o", tmp_path)

    assert (found.code, enhanced.code) == (0, 0)
    assert (found.json["facts"]["width"], [one["id"] for one in found.json["facts"]["faces"]]) == (200, [1])
    assert enhanced.json["facts"] == {"width": 400, "height": 400, "faces_restored": 1}
    (picture,) = enhanced.json["pictures"]
    assert picture["file"] == str(tmp_path / "face-2.jpg")


def test_without_a_picture_the_astronaut_is_swapped_onto_herself(call_puppet: Caller) -> None:
    called = call_puppet("v1")  # where no destinations are preloaded

    assert called.code == 0
    assert called.out.splitlines()[0].startswith("astronaut.png: ")


def test_a_refusal_is_told_in_the_servers_sentence_with_its_code(call: Caller, tmp_path: Path) -> None:
    (tmp_path / "nobody.png").write_bytes(flat())

    for protocol, status in (("v1", "422"), ("v2", "422"), ("v2-raw", "422"), ("grpc", "FAILED_PRECONDITION")):
        called = call(protocol, "--source", tmp_path / "nobody.png")

        assert called.code == 1
        assert f"  1 × no_face_found ({status}): no face was found in " in called.out
        assert "[request " in called.out


def test_calls_go_on_through_failures_and_the_end_tells_of_each(
    call_puppet: Caller, shared_puppet: Puppet, tmp_path: Path
) -> None:
    (tmp_path / "flat.png").write_bytes(flat())
    words = ("--model", "detect", "--source", tmp_path / "flat.png", "--repeat", 6)

    with full(shared_puppet):
        refused = call_puppet("v1", *words, "--json")
    answered = call_puppet("grpc", *words, "--new-connections", "--concurrency", 2, "--json")

    assert (refused.code, refused.json["answered"], refused.json["failed"]) == (1, 0, 6)
    (error,) = refused.json["errors"]
    assert (error["code"], error["count"], error["status"]) == ("overloaded", 6, 429)
    assert (answered.code, answered.json["answered"], answered.json["different_answers"]) == (0, 6, 1)
    assert (
        answered.json["latency_ms"]["min"] <= answered.json["latency_ms"]["p99"] <= answered.json["latency_ms"]["max"]
    )


def test_an_answer_that_does_not_come_in_time_is_a_failure(
    call_puppet: Caller, shared_puppet: Puppet, tmp_path: Path
) -> None:
    (tmp_path / "flat.png").write_bytes(flat())
    # a deadline of gRPC's goes to the server too, which may be the first to tell of it
    for protocol, told in (("v1", r"timeout: no answer within 0\.5 s"), ("grpc", "timeout|deadline_exceeded")):
        shared_puppet.stages.hold("detect")

        called = call_puppet(protocol, "--model", "detect", "--source", tmp_path / "flat.png", "--timeout", 0.5)

        shared_puppet.stages.arrival().go()
        assert called.code == 1
        assert re.search(f"  1 × ({told})", called.out)
    with connected(shared_puppet):  # and nothing is kept of it
        assert call_puppet("v1", "--model", "detect", "--source", tmp_path / "flat.png").code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--source", "gone.jpg"), "error: gone.jpg: No such file or directory"),
        (("--token-file", "gone"), "error: gone: cannot be read"),
        (("-o", __file__), f"error: {__file__}: the folder cannot be made"),
    ],
)
def test_what_keeps_it_from_calling_is_one_line_and_exit_3(call: Caller, words: Sequence[str], sentence: str) -> None:
    called = call("v1", *words)

    assert (called.code, called.out, called.err.strip()) == (3, "", sentence)


def test_a_token_is_never_echoed(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    for words in (("--token-file", tmp_path / "token"), ("--token-env", "MY_TOKEN")):
        for protocol in ("v1", "grpc"):
            called = call(protocol, *words, "--model-name", "nobody", "--host-header", "faces.example.com")

            assert called.code == 1
            assert "unknown_model" in called.out
            assert "s3cret" not in called.out + called.err


def test_sigterm_ends_it_with_what_there_is_to_tell(shared_puppet: Puppet, tmp_path: Path) -> None:
    (tmp_path / "flat.png").write_bytes(flat())
    url = f"127.0.0.1:{shared_puppet.grpc_port}"
    words = ("--protocol", "grpc", "--model", "detect", "--source", str(tmp_path / "flat.png"), "--json")
    shared_puppet.stages.hold("detect")
    process = subprocess.Popen(
        [sys.executable, "-m", "predictor", "call", url, *words, "--duration", "600", "--pause", "0.1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    stage = shared_puppet.stages.arrival()
    stage.go()

    shared_puppet.stages.hold("detect")
    under_way = shared_puppet.stages.arrival()
    os.kill(process.pid, signal.SIGTERM)
    under_way.go()
    out, _ = process.communicate(timeout=30)

    told = json.loads(out)
    assert process.returncode == 0
    assert told["stopped"]
    assert told["answered"] == told["calls"] >= 2
