"""How many threads this process may use, which is what its cgroup pays for; and how many requests share them."""

from __future__ import annotations

import logging
import math
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_log = logging.getLogger(__name__)
_GPUS = frozenset({"cuda", "tensorrt"})
_BESIDE_A_GPU = 2
_LOWEST = 19
_BEHIND = 10
"""As `nice` has it; 5 to 19 were alike, each cutting the slowest refusals to a half or less. It counts within a
container or session only: what is outside shares processors with all of it as before."""


def available_threads(tree: Path = Path("/")) -> int:
    """Return how many threads can run at once: the processors of this process, or less where its cgroup pays for less.

    A part of a processor counts as a whole one, so that all that is paid for is used.

    Args:
        tree: Where `proc` and `sys` are looked for.
    """
    processors = len(os.sched_getaffinity(0))
    return max(1, min(processors, math.ceil(cpu_quota(tree) or processors)))


def workers_for(providers: Iterable[str]) -> int:
    """Return how many requests are best worked on at once, where the operator says nothing.

    On the processor one: its networks take every processor already, and a second request would only have their memory
    twice. Beside a GPU two: while one request is on the device, the other is decoded, aligned and encoded.

    Args:
        providers: What runs each network.
    """
    return _BESIDE_A_GPU if _GPUS.intersection(providers) else 1


def step_behind() -> None:
    """Have this thread, and every one it starts from now on, let the others of the process go first.

    What computes for tens of milliseconds at a time would otherwise keep waiting who has to answer within milliseconds:
    the event loop, gRPC's threads. Linux keeps a priority for each thread, and anyone may lower his own, but for
    sandboxes that refuse it; there all stay side by side.
    """
    thread = threading.get_native_id()
    behind = min(_LOWEST, os.getpriority(os.PRIO_PROCESS, os.getpid()) + _BEHIND)
    if os.getpriority(os.PRIO_PROCESS, thread) < behind:
        try:
            os.setpriority(os.PRIO_PROCESS, thread, behind)
        except OSError as error:
            _log.warning("work does not let answers go first: %s", error.strerror)


def cpu_quota(tree: Path = Path("/")) -> float | None:
    """Return how many processors the cgroup pays for, version 2 or 1, or None where there is no limit.

    The strictest limit between the cgroup of this process and the root counts.
    """
    limits = [limit for folder in _cgroups(tree) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _cgroups(tree: Path) -> Iterator[Path]:
    """Yield the folder of this process's cgroup and of every one above it, in both hierarchies.

    In a container the path can be the host's: what is not there is passed over, up to the container's own root.
    """
    try:
        lines = (tree / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    mounts = tree / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = Path(path.lstrip("/"))
        for mount in [mounts / controllers, mounts / "cpu"] if controllers else [mounts]:
            yield from (mount / step for step in (below, *below.parents))


def _limit(folder: Path) -> float | None:
    """Return the quota that a cgroup's own folder states, in processors; None where it states none, or nonsense."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return None if quota in {"max", "-1"} else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
