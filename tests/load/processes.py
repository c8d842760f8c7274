"""Processes beside the server: told what to do by pickles, ended whatever happens."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from predictor.errors import PredictorError

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
AHEAD = -10
"""Of the scale from -20 to 19 by which the kernel shares out processors."""


class LoadFailed(PredictorError):
    """A process of the load run ended, or what it was to measure cannot be measured."""


class Child:
    """A module of ours in a process of its own; use it as a context.

    Args:
        module: Reads pickles on stdin and writes pickles on stdout; ends when stdin does.
        ahead: Whether it goes before others where processors are short, if we may decide that: it is a clock, and
            would take its own waiting for the server's.
    """

    def __init__(self, module: str, *, ahead: bool = False) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches it through us
        )
        if ahead:
            with suppress(PermissionError):
                _set_nice(self._process.pid, AHEAD)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Tell it something.

        Raises:
            LoadFailed: It has ended.
        """
        assert self._process.stdin
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def receive(self) -> Any:  # noqa: ANN401  # whatever the module answers
        """Wait for its answer.

        Raises:
            LoadFailed: It has ended.
        """
        assert self._process.stdout
        try:
            return pickle.load(self._process.stdout)  # noqa: S301  # from a process that this one started
        except EOFError:
            raise self._ended() from None

    def ask(self, message: object) -> Any:  # noqa: ANN401  # as `receive`
        """Tell it something and wait for its answer."""
        self.send(message)
        return self.receive()

    def _ended(self) -> LoadFailed:
        return LoadFailed(f"{self._module} ended (exit {self._process.wait()}); its own words are above")


def _set_nice(pid: int, nice: int) -> None:
    """Set the priority of a process that leads a session, as such and as the group that Linux makes of a session.

    Between groups only a group's own priority counts (sched(7), autogroup).
    """
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    with suppress(OSError):  # a kernel without such groups, or where they cannot be written
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has had, all threads together."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123  # a kernel's file
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
