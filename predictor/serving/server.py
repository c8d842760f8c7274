"""Builds and starts KServe's ModelServer with our REST and gRPC servers, loads in the background, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from kserve.model_server import ModelServer
from kserve.protocol.rest.server import RESTServer, _RefreshingServer
from prometheus_client import disable_created_metrics

from predictor import loader
from predictor.errors import StartupError
from predictor.runtime.threads import step_behind, workers_for
from predictor.serving.dataplane import ClosedRepository, Lifecycle, PredictorDataPlane
from predictor.serving.executor import Executor
from predictor.serving.grpc import PredictorGrpcServer
from predictor.serving.info_metrics import Info
from predictor.serving.loading import Loading
from predictor.serving.logs import configure_logging
from predictor.serving.metrics import Requests, published
from predictor.serving.models import all_models
from predictor.serving.rest import build_app
from predictor.serving.tracing import start_tracing
from predictor.serving.wire import Http
from predictor.settings import unknown_variables
from predictor.sockets.ports import listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from fastapi import FastAPI

    from predictor.service import Service
    from predictor.serving.models import AnyModel
    from predictor.settings import Settings

_log = logging.getLogger(__name__)
EXIT_OK = 0
EXIT_DROPPED = 1
EXIT_CANNOT_START = 3
# Both servers get this much longer than the grace period, so that what is left at its end is counted, then dropped.
_UNWIND_SECONDS = 1.0
# How long a collector of traces may take to be given the last ones, when all calls are answered.
_LAST_TRACES_SECONDS = 2.0
# For the first request of a connection that was made just before the listener closed.
_FIRST_REQUEST_SECONDS = 1.0
_POLL_SECONDS = 0.02


def serve(settings: Settings, build: Callable[[Settings], Service] = loader.load) -> int:
    """Serve until SIGTERM or SIGINT; return the process's exit code.

    Args:
        settings: What the operator decided.
        build: Makes the service; called once, in a thread, while probes are answered already.
    """
    configure_logging(settings)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, read by nothing
    for name in unknown_variables(os.environ):
        _log.warning("no setting is called %s", name)
    server, exit_code = PredictorServer(settings, build), EXIT_OK
    try:
        server.start(server.models)
    except StartupError as error:
        print(f"faceswap-predictor cannot start: {error.sentence}", file=sys.stderr, flush=True)  # noqa: T201
        exit_code = EXIT_CANNOT_START
    if server.loading:  # stopped early; a thread inside ONNX Runtime aborts an interpreter that ends
        logging.shutdown()
        os._exit(exit_code)
    return exit_code


class PredictorServer(ModelServer):
    """One process, three models, REST and gRPC.

    KServe's own `start` closes the REST listener at once on SIGTERM and unloads models under running gRPC calls;
    here the order is: not ready, drain delay, listeners closed, work finished, models unloaded.
    """

    def __init__(self, settings: Settings, build: Callable[[Settings], Service]) -> None:
        super().__init__(http_port=settings.http_port, grpc_port=settings.grpc_port, workers=1, enable_grpc=False)
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.executor = Executor(settings.workers or 1, settings.queue_length, settings.queue_seconds)
        self.dataplane = PredictorDataPlane(self.registered_models, self.lifecycle)
        self.model_repository_extension = ClosedRepository(self.registered_models)
        loading = Loading(lambda: self._staffed(build(settings)))
        self.models = all_models(settings.model_name, loading, self.executor, settings)
        self._info = Info(loading)
        self._requests = Requests([model.name for model in self.models], start_tracing(os.environ))
        self._failure: StartupError | None = None
        self._loader: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._killed: asyncio.Event | None = None

    def start(self, models: Sequence[AnyModel]) -> None:
        """Serve until stopped; the models are loaded meanwhile.

        Raises:
            StartupError: A port is taken, a model cannot be loaded, or a server ended by itself.
        """
        for model in models:
            self.register_model(model)
        with published(self._info), published(self._requests):
            asyncio.run(self._serve())
        if self._failure is not None:
            raise self._failure

    @property
    def loading(self) -> bool:
        """Whether a thread is still busy loading the models."""
        return self._loader is not None and self._loader.is_alive()

    async def _serve(self) -> None:
        self._stopping, self._killed = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        shared = self.dataplane, self.model_repository_extension, self.executor, self._requests, self.settings
        app = build_app(*shared)
        rest = PredictorRestServer(app, self.settings, self.ssl_certfile, self.ssl_keyfile)
        grpc = PredictorGrpcServer(*shared)
        _log.info("REST on port %d, gRPC on port %d, loading", rest.bind(), grpc.bind())
        serving = [
            asyncio.create_task(rest.serve(), name="the REST server"),
            asyncio.create_task(grpc.serve(), name="the gRPC server"),
        ]
        self._loader = threading.Thread(target=self._load, args=(loop,), name="loader", daemon=True)
        self._loader.start()
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
        ended = [] if self._stopping.is_set() else [task for task in serving if task.done()]
        await self._drain(rest, grpc, serving)
        for task in ended:
            _log.error("%s ended by itself", task.get_name(), exc_info=task.exception())
            self._failure = StartupError(f"{task.get_name()} ended by itself; see the log")

    def _staffed(self, service: Service) -> Service:
        """Have as many workers as the service's device takes, unless the operator gave a number; then none is busy.

        What is there by now stays to the end: the garbage collector, which stops everything, need not look at it again.
        """
        if self.settings.workers is None:
            workers = workers_for(session.provider for session in service.sessions)
            self.executor.grow(workers)
            _log.info("requests worked on at once: %d", workers)
        gc.collect()
        gc.freeze()
        return service

    def _load(self, loop: asyncio.AbstractEventLoop) -> None:
        """Load every model; runs in a thread of its own, and starts those that will compute."""
        step_behind()
        try:
            for model in self.models:
                model.load()
        except StartupError as error:
            loop.call_soon_threadsafe(self._fail, error)
        except Exception as error:  # noqa: BLE001  # whatever it was, the process must not sit there and never be ready
            _log.exception("loading failed")
            loop.call_soon_threadsafe(self._fail, StartupError(f"loading failed: {type(error).__name__}; see the log"))
        else:
            _log.info("ready")

    def _fail(self, error: StartupError) -> None:
        self._failure = error
        self._on_signal()

    def _on_signal(self) -> None:
        assert self._stopping is not None  # noqa: S101  # set before handlers are
        assert self._killed is not None  # noqa: S101
        if self._stopping.is_set():
            self._killed.set()
        self._stopping.set()

    async def _drain(
        self, rest: PredictorRestServer, grpc: PredictorGrpcServer, serving: list[asyncio.Task[None]]
    ) -> None:
        """Stop in the order that loses no call."""
        assert self._killed is not None  # noqa: S101
        self.lifecycle.draining = True
        killed = asyncio.create_task(_all_of(self._killed.wait()))
        if self._failure is None:
            _log.info("draining, requests in flight: %d", self.executor.admitted)
            grpc.begin_drain()
            await asyncio.wait([killed], timeout=self.settings.drain_delay_seconds)
            _log.info("taking nothing new, requests in flight: %d", self.executor.admitted)
        grace = _UNWIND_SECONDS if self._failure else self.settings.grace_seconds - self.settings.drain_delay_seconds
        rest.stop_listening()
        finishing = asyncio.create_task(_all_of(grpc.shut_down(grace + _UNWIND_SECONDS), *serving))
        await asyncio.wait({killed, finishing}, return_when=asyncio.FIRST_COMPLETED, timeout=grace)
        self._finish()

    def _finish(self) -> None:
        """Unload the models now that nobody can call them, and go."""
        dropped = self.executor.admitted + self.lifecycle.sending
        for name in list(self.registered_models.get_models()):
            self.registered_models.unload(name)
        self.executor.close()
        self._requests.tracing.shut_down(_LAST_TRACES_SECONDS)
        if dropped:
            _log.warning("stopped, requests dropped: %d", dropped)
        else:
            _log.info("stopped, nothing dropped")
        if dropped or self.executor.working:  # a thread is still in a stage and would keep the process alive
            logging.shutdown()
            os._exit(EXIT_DROPPED if dropped else EXIT_OK)


async def _all_of(*awaitables: Awaitable[object]) -> None:
    await asyncio.gather(*awaitables, return_exceptions=True)


class PredictorRestServer(RESTServer):
    """KServe's REST server around our own application, on a socket of ours."""

    def __init__(self, app: FastAPI, settings: Settings, certfile: str | None, keyfile: str | None) -> None:
        after_delay = settings.grace_seconds - settings.drain_delay_seconds
        super().__init__(
            app,
            data_plane=None,
            model_repository_extension=None,
            http_port=settings.http_port,
            grace_period=math.ceil(after_delay + _UNWIND_SECONDS),
            ssl_certfile=certfile,
            ssl_keyfile=keyfile,
        )
        self.config.access_log = False
        self.config.http, self.config.ws = Http.patient_for(settings.client_seconds), "none"
        self._server = _Uvicorn(self.config)
        self._socket: socket.socket | None = None

    def bind(self) -> int:
        """Take the port, on IPv4 and IPv6, and return its number.

        Raises:
            PortTaken: Somebody else has it.
        """
        self._socket = listen(self.config.port, "PREDICTOR_HTTP_PORT")
        return int(self._socket.getsockname()[1])

    async def serve(self) -> None:
        """Serve until told to stop, and until what was accepted is answered."""
        assert self._socket is not None  # noqa: S101  # bind comes first
        await self._server.serve(sockets=[self._socket])

    def stop_listening(self) -> None:
        """Close the listener and idle connections; those with a request in flight after its answer."""
        self._server.should_exit = True


class _Uvicorn(_RefreshingServer):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the drain decides when the listener closes."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, give connections that have asked nothing yet a moment to, then close what is idle."""
        await asyncio.sleep(0)  # accepts what has connected meanwhile
        for server in self.servers:
            server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_REQUEST_SECONDS):
                while any(connection.cycle is None for connection in self.server_state.connections):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)  # uvicorn has no event for it
        await super().shutdown(sockets)
