"""What one run of a job costs this process: time, processor time, and the most memory it held."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUS = Path("/proc/self/status")
_LEAST_SECONDS = 0.2
_FORGET_PEAK = "5"
"""What the kernel wants written to `clear_refs` to count the peak of resident memory from now on: proc(5)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run."""

    milliseconds: float
    cpu_milliseconds: float
    """Of all threads together."""
    peak_mib: float
    """The most resident memory while it ran, all that the process had loaded before included."""
    own_mib: float
    """How much of it was not resident before."""


def cost_of(run: Callable[[], object]) -> Cost:
    """Run for a fifth of a second, once at least, and return what one run cost.

    One run of a few milliseconds would tell more of what ran before it than of itself.
    """
    before = _kib("VmRSS") / 1024
    Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
    began, cpu_began, runs = time.perf_counter(), time.process_time(), 0
    while not runs or time.perf_counter() - began < _LEAST_SECONDS:
        run()
        runs += 1
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    return Cost(seconds / runs * 1e3, cpu_seconds / runs * 1e3, peak := peak_mib(), max(0.0, peak - before))


def peak_mib() -> float:
    """Return the most resident memory this process has had since `clear_refs` was last written, in MiB."""
    return _kib("VmHWM") / 1024


def _kib(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])
