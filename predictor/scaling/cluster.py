"""The Ray cluster to work on: the one that RAY_ADDRESS names, else one of this machine alone while it is used."""

from __future__ import annotations

import logging
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import ray

from predictor.errors import StartupError
from predictor.runtime.threads import available_threads
from predictor.scaling.signals import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

_KNOCK_SECONDS = 10.0
_log = logging.getLogger(__name__)


@contextmanager
def cluster(object_store_bytes: int) -> Iterator[None]:
    """Join the cluster that RAY_ADDRESS names, or start one of this machine alone; leave or stop it in the end.

    A cluster of this machine has the processors that the cgroup pays for, and no dashboard.

    Args:
        object_store_bytes: Shared memory of a cluster that is started; what joins one takes what is there. At least
            75 MiB, which Ray insists on.

    Raises:
        StartupError: There is no cluster at RAY_ADDRESS, or Ray cannot be started here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells nobody anything; its own processes read it too
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # 30 are too few on a busy machine
    with kept(signal.SIGTERM):  # Ray takes it: whoever started us shall end us as if there were no Ray
        _init(os.environ.get("RAY_ADDRESS", ""), object_store_bytes)
    try:
        yield
    finally:
        ray.shutdown()


def _init(address: str, object_store_bytes: int) -> None:
    try:
        if address:
            _knock(address)
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        else:
            _start(object_store_bytes)
    except Exception as error:  # Ray raises whatever it likes, a bare one where its processes do not come up
        ray.shutdown()
        where = f"RAY_ADDRESS: the cluster at {address} cannot be joined" if address else "Ray cannot be started here"
        words = str(error).strip() or type(error).__name__
        raise StartupError(f"{where}: {words.splitlines()[0]}") from error


def _start(object_store_bytes: int) -> None:
    """Start Ray here, twice if need be: it gives its processes 30 seconds, which they exceed on a busy machine."""
    try:
        _start_once(object_store_bytes)
    except Exception as error:  # noqa: BLE001  # as above; the second one is told
        _log.warning("Ray did not start, and is started again: %s", error)
        ray.shutdown()
        _start_once(object_store_bytes)


def _start_once(object_store_bytes: int) -> None:
    ray.init(
        "local",  # not one that happens to run on this machine
        num_cpus=available_threads(),
        object_store_memory=object_store_bytes,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )


def _knock(address: str) -> None:
    """Raise OSError where nothing listens: Ray asks for minutes, and ends the process then."""
    host, _, port = address.rpartition(":")
    if "://" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
