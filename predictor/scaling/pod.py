"""`serve --scale ray`: our usual server, its stages behind Ray Serve, on a Ray of its own or the one of RAY_ADDRESS.

kserve.ray.RayModel is not used. It puts whole models behind Ray, so pictures would cross the border encoded, batches
would be of requests rather than of crops, and a lost replica would lose requests. It also cannot pickle a request of
gRPC's, drops the verb, says ready before any replica is, and hands a remote traceback to the client. Here Ray begins
below the pipeline: protocols, admission, errors and marks are the ones of `serve`, and so are the bytes.
"""

from __future__ import annotations

import os
import socket
import threading
from importlib.util import find_spec
from queue import Queue
from typing import TYPE_CHECKING

from predictor.errors import PackagesMissing
from predictor.scaling.workshop import require_weights, with_more_workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.scaling.workshop import StageName
    from predictor.service import Service
    from predictor.settings import Settings

    Handles = Mapping[StageName, object]

_OBJECT_STORE_BYTES = 512 * 1024 * 1024
"""Shared memory for pictures on their way; what is larger goes through files."""
_STOP_SECONDS = 20.0


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT with the stages behind Ray Serve; return the process's exit code.

    Raises:
        PackagesMissing: The extra `ray` is not installed.
    """
    if find_spec("ray") is None or find_spec("ray.serve") is None:
        raise PackagesMissing("serve --scale ray needs the extra ray")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # Ray starts its processes anew; gRPC would complain of each
    from predictor.serving.server import serve as serve_here  # noqa: PLC0415  # KServe takes seconds to import

    behind_ray = BehindRay()
    try:
        return serve_here(with_more_workers(settings), behind_ray.load)
    finally:
        behind_ray.close()


class BehindRay:
    """The stages of this process behind Ray Serve, from `load` to `close`.

    Ray is started and stopped by a thread that lives as long as it does: the kernel ends Ray's processes with the
    thread that started them, so that none outlives this process, however it ends.
    """

    def __init__(self) -> None:
        self._given: Queue[Handles | Exception] = Queue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self, settings: Settings) -> Service:
        """Start the stages, and return the service over them once a warm-up went through all.

        Raises:
            StartupError: Ray cannot be started or joined, or a stage cannot be loaded.
        """
        require_weights(settings)
        self._thread = threading.Thread(target=self._run, args=(settings,), name="ray", daemon=True)
        self._thread.start()
        given = self._given.get()
        if isinstance(given, Exception):
            raise given
        from predictor.scaling.stages import remote_service  # noqa: PLC0415  # Ray takes seconds to import

        return remote_service(given, settings)

    def close(self) -> None:
        """Stop the stages, and Ray where it was started here."""
        self._closing.set()
        if self._thread:
            self._thread.join(_STOP_SECONDS)

    def _run(self, settings: Settings) -> None:
        try:
            self._serve(settings)
        except Exception as error:  # noqa: BLE001  # whatever it was, `load` waits for it
            self._given.put(error)

    def _serve(self, settings: Settings) -> None:
        from predictor.scaling.cluster import cluster  # noqa: PLC0415  # Ray takes seconds to import
        from predictor.scaling.deployments import Fleet  # noqa: PLC0415

        with cluster(_OBJECT_STORE_BYTES):
            own = not os.environ.get("RAY_ADDRESS")
            # What nobody else uses needs no accounts: all replicas share what this container has.
            chosen = settings.model_copy(update={"ray_cpus": 0.0}) if own else settings
            fleet = Fleet(f"{settings.model_name}-{socket.gethostname()}", chosen)
            try:
                self._given.put(fleet.start())
                self._closing.wait()
            finally:
                fleet.stop(everything=own)
