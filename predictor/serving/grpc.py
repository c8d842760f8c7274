"""gRPC: KServe's V2 service on a port of ours, behind a relay that lets connections end in order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from grpc import aio
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as pb_grpc
from kserve.protocol.grpc.server import GRPCServer

from predictor.serving.interceptor import Interceptor
from predictor.serving.servicer import Servicer
from predictor.sockets.ports import listen
from predictor.sockets.relay import Relay

if TYPE_CHECKING:
    import socket

    from predictor.serving.dataplane import ClosedRepository, PredictorDataPlane
    from predictor.serving.executor import Executor
    from predictor.serving.metrics import Requests
    from predictor.settings import Settings

# Of the drain delay, after which connections end: routes need a part of it to move, and clients what is left.
_MOVING_SHARE = 0.5
_SETTING = "PREDICTOR_GRPC_PORT"
_LARGEST_OPTION = 2**31 - 1  # an option is an int of C


class PredictorGrpcServer(GRPCServer):
    """Serves V2 on gRPC; the transport takes twice our limit, so that what is over ours is refused in our words."""

    def __init__(
        self,
        dataplane: PredictorDataPlane,
        repository: ClosedRepository,
        executor: Executor,
        requests: Requests,
        settings: Settings,
    ) -> None:
        super().__init__(settings.grpc_port, dataplane, repository, kwargs={})
        self._servicer = Servicer(dataplane, repository, executor, requests, settings)
        self._requests = requests
        self._lifecycle = dataplane.lifecycle
        self._limit_bytes = settings.limit_request_bytes
        self._client_seconds = settings.client_seconds
        self._drain_delay_seconds = settings.drain_delay_seconds
        self._server: aio.Server | None = None
        self._listener: socket.socket | None = None
        # A name of this server's alone, in the abstract namespace: no file is left behind.
        self._name = f"faceswap-predictor-{uuid4()}"
        self._relay = Relay(self._name, settings.client_seconds)

    def bind(self) -> int:
        """Take the port and return its number.

        Raises:
            PortTaken: Somebody else has it.
        """
        self._listener = listen(self._port, _SETTING)
        self._server = aio.server(
            interceptors=[Interceptor(self._requests, self._client_seconds, self._lifecycle)],
            options=[
                ("grpc.max_receive_message_length", min(2 * self._limit_bytes, _LARGEST_OPTION)),
                ("grpc.max_send_message_length", -1),
            ],
        )
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(self._servicer, self._server)
        self._server.add_insecure_port(f"unix-abstract:{self._name}")
        return int(self._listener.getsockname()[1])

    async def serve(self) -> None:
        """Serve until stopped."""
        assert self._server is not None  # noqa: S101  # bind comes first
        assert self._listener is not None  # noqa: S101
        await self._server.start()
        self._relay.start(self._listener)
        await self._server.wait_for_termination()

    def begin_drain(self) -> None:
        """Bring every client to a new connection within the drain delay; by then, routes lead them elsewhere."""
        self._relay.retire(self._drain_delay_seconds * _MOVING_SHARE)

    async def shut_down(self, grace_seconds: float) -> None:
        """Take nothing new (GOAWAY), wait for what runs, cancel what is left after the grace period."""
        await self._relay.stop_listening()
        if self._listener is not None:
            self._listener.close()
        if self._server is not None:
            await self._server.stop(grace_seconds)
        await self._relay.stop()
