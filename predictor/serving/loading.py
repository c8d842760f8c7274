"""The service, built once for all three models, in the background."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from predictor.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.runtime.session import OpenedSession
    from predictor.service import Service
    from predictor.weights.store import LoadedWeights


class Loading:
    """Builds the service when the first model asks for it; the others wait for the same one.

    Args:
        build: Returns the service, or raises StartupError.
    """

    def __init__(self, build: Callable[[], Service]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._service: Service | None = None

    def load(self) -> None:
        """Build the service unless it is built already."""
        with self._lock:
            if self._service is None:
                self._service = self._build()

    @property
    def service(self) -> Service:
        """The service.

        Raises:
            NotReady: It is not built yet.
        """
        if self._service is None:
            raise NotReady
        return self._service

    @property
    def sessions(self) -> Sequence[OpenedSession]:
        """How the networks run; none before the service is built."""
        return () if self._service is None else self._service.sessions

    @property
    def weights(self) -> Sequence[LoadedWeights]:
        """The files of weights that they run; none before the service is built."""
        return () if self._service is None else self._service.weights
