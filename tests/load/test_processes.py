"""The processes of a load run, real ones: they measure what is there, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.load import asks
from tests.load.arena import ECHO, arena, memory_of, predictor
from tests.load.calls import outcomes
from tests.load.probes import Probing, Target
from tests.load.processes import AHEAD, Child, LoadFailed, processor_seconds
from tests.load.scenario import STOP, Kind, Population
from tests.load.trouble import settled_in_flight

KINDS: tuple[Kind, ...] = ("rest kept", "rest new", "grpc kept", "grpc new", "rest leaver", "grpc leaver")
MARK = "LOAD_RUN_OF_A_TEST"


def test_every_kind_of_client_calls_a_real_server(tmp_path: Path) -> None:
    populations = [Population(kind, kind, 1, [asks.detect()]) for kind in KINDS]
    populations.append(Population("drawn", "rest kept", 2, [asks.detect()], every_seconds=0.2))

    with (
        predictor(tmp_path, {"DRAIN_DELAY_SECONDS": "0"}) as server,
        memory_of(server.pid) as memory,
        arena(server) as around,
    ):
        watched = around.run("all kinds", populations, 4.0)
        held = settled_in_flight(around)

    ok = {call.population for call in watched.ran.calls if call.outcome == "ok"}
    assert ok >= {"rest kept", "rest new", "grpc kept", "grpc new", "drawn"}, outcomes(watched.ran.calls)
    assert not any(call.lost for call in watched.ran.calls), outcomes(watched.ran.calls)
    assert {call.outcome for call in watched.ran.calls if "leaver" in call.population} <= {"left", "ok"}
    assert held == 0
    assert all(watched.probed.seconds[name] for name in ("live", "ready", ECHO))
    assert watched.probed.failed == []
    assert watched.server_seconds > 0
    assert watched.ran.late_seconds
    assert memory.mib[-1] > 100


def test_the_prober_counts_from_when_a_probe_was_due() -> None:
    with ExitStack() as stack:
        echo, prober = (stack.enter_context(Child(f"tests.load.{name}")) for name in ("echo", "prober"))
        target = Target(ECHO, echo.receive(), "/")
        prober.send(Probing([target]))
        prober.send(STOP)
        assert len(prober.receive().seconds[ECHO]) == 1  # it has started, and asks at least once
        os.kill(echo.pid, signal.SIGSTOP)
        prober.send(Probing([target], every_seconds=0.05))
        time.sleep(1.0)
        os.kill(echo.pid, signal.SIGCONT)
        time.sleep(0.3)
        prober.send(STOP)
        probed = prober.receive()

    # One answer was late by a second; the probes that were due meanwhile were late too, each by less.
    assert sum(seconds > 0.2 for seconds in probed.seconds[ECHO]) > 5
    assert probed.failed == []


def test_what_does_not_answer_200_is_told() -> None:
    with ExitStack() as stack:
        prober = stack.enter_context(Child("tests.load.prober"))
        prober.send(Probing([Target("nobody", 1, "/")]))
        prober.send(STOP)

        assert set(prober.receive().failed) == {"nobody: ConnectionRefusedError"}


def test_a_process_that_has_ended_is_told_in_a_sentence() -> None:
    with Child("tests.load.echo") as child:
        child.receive()
        assert processor_seconds(child.pid) > 0
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(LoadFailed, match=r"tests\.load\.echo ended \(exit -9\)"):
            child.receive()
        with pytest.raises(LoadFailed, match="ended"):
            child.send("anything")


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    mark = f"{MARK}={tmp_path}"
    environment = {**os.environ, MARK: str(tmp_path), "PREDICTOR_DRAIN_DELAY_SECONDS": "0"}
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.load.run", "--quick", "--only", "soak", "--output", str(tmp_path / "out")],
        env=environment,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while len(marked(mark)) < 5 and time.monotonic() < until:  # itself, the server, and three around it
        time.sleep(0.1)

    assert len(marked(mark)) >= 5
    run.send_signal(signal.SIGINT)
    _, words = run.communicate(timeout=60)

    assert run.returncode == 130
    assert b"stopped" in words
    assert b"Traceback" not in words
    assert marked(mark) == []


def marked(mark: str) -> list[str]:
    """Return the processes that were started with a variable."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_a_clock_goes_before_others_of_its_session_and_of_all_sessions() -> None:
    with Child("tests.load.echo") as plain, Child("tests.load.echo", ahead=True) as clock:
        children, own = (plain, clock), os.getpriority(os.PRIO_PROCESS, 0)
        first, second = (os.getpriority(os.PRIO_PROCESS, child.pid) for child in children)
        groups = [Path(f"/proc/{child.pid}/autogroup") for child in children]
        assert first == own
        assert second in {own, AHEAD}  # where we may not, and where we may
        told = [group.read_text().split() for group in groups if group.exists()]
        if all(told):  # the file says nothing where the kernel makes no groups
            assert [int(words[-1]) for words in told] == [0, AHEAD if second != own else 0][: len(told)]


def test_a_clock_runs_where_it_may_not_go_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(which: int, pid: int, priority: int) -> None:
        asked.append((which, pid, priority))
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    with Child("tests.load.echo"):
        assert asked == []
    with Child("tests.load.echo", ahead=True) as clock:
        assert asked == [(os.PRIO_PROCESS, clock.pid, AHEAD)]
        assert clock.receive() > 0
