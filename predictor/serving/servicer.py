"""KServe's servicer with our limits, deadlines and errors; what is asked of it is read once there is room for it."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.servicer import InferenceServicer

from predictor.errors import BodyTooSlow, InvalidField, NotSupported
from predictor.job import Job
from predictor.serving.call import Call
from predictor.serving.interceptor import metadata_of, request_id_trailer
from predictor.serving.limits import check_request_bytes, timeout_seconds
from predictor.serving.messages import model_of, parse_message
from predictor.serving.metrics import UNKNOWN_MODEL

if TYPE_CHECKING:
    from grpc import aio

    from predictor.serving.dataplane import ClosedRepository, PredictorDataPlane
    from predictor.serving.executor import Executor
    from predictor.serving.interceptor import Receive
    from predictor.serving.metrics import Requests
    from predictor.settings import Settings


class Servicer(InferenceServicer):
    """KServe's servicer, but for inference and the parts of metadata it leaves out."""

    def __init__(
        self,
        dataplane: PredictorDataPlane,
        repository: ClosedRepository,
        executor: Executor,
        requests: Requests,
        settings: Settings,
    ) -> None:
        super().__init__(dataplane, repository)
        self._dataplane = dataplane
        self._executor = executor
        self._requests = requests
        self._settings = settings

    async def ModelInfer(  # noqa: N802  # the protocol's name
        self, receive: Receive, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelInferResponse:
        """Serve one inference; its message is read once there is a place for it, and parsed once it may be."""
        headers = metadata_of(context)
        with ExitStack() as place:
            try:
                job = Job(self._timeout(context, headers))
                place.enter_context(self._executor.admission())
                with job.stage("receive"):
                    message = await self._executor.arrival(self._arriving(receive, job))
                model = model_of(message)
            except BaseException:
                with self._requests.counted(UNKNOWN_MODEL, "grpc"):
                    raise
            with self._requests.counted(model, "grpc"):
                return await self._infer(model, message, job, headers)

    async def _infer(self, model: str, message: bytes, job: Job, headers: dict[str, str]) -> pb.ModelInferResponse:
        check_request_bytes(len(message), self._settings.limit_request_bytes)
        await self._dataplane.get_model(model)
        with self._requests.in_flight(model, job):
            request = await asyncio.to_thread(parse_message, message)
            _require_no_version(request.model_version)
            answer, _ = await self._dataplane.infer(model, Call("grpc", request, job), headers)
        return answer

    async def _arriving(self, receive: Receive, job: Job) -> bytes:
        """Wait for a message: for so long in all as a body may pause, for nobody sees how much of it has come."""
        patience = self._settings.client_seconds
        remaining = job.remaining_seconds
        try:
            async with asyncio.timeout(patience if remaining is None else min(patience, remaining)):
                message = await receive()
        except TimeoutError:
            job.check()
            raise BodyTooSlow(patience) from None
        if not isinstance(message, bytes):  # the client has ended the call before it sent any
            raise InvalidField("", "there is no message")
        return message

    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, _context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelReadyResponse:
        """Return whether a model is ready."""
        _require_no_version(request.version)
        return pb.ModelReadyResponse(ready=await self._dataplane.model_ready(request.name))

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ModelMetadataResponse:
        """Return what a model takes and gives; its parameters, for which the message has no field, as a trailer."""
        _require_no_version(request.version)
        metadata = await self._dataplane.model_metadata(request.name)
        parameters = json.dumps(metadata.pop("parameters"))  # ASCII, as trailers must be
        context.set_trailing_metadata((request_id_trailer(), ("model-parameters", parameters)))
        return pb.ModelMetadataResponse(**metadata)

    def _timeout(self, context: aio.ServicerContext[Any, Any], headers: dict[str, str]) -> float:
        header = headers.get("x-request-timeout")
        remaining = cast("float | None", context.time_remaining())  # None without a deadline; the types deny it
        if remaining is None:
            return timeout_seconds(header, self._settings.request_timeout_seconds)
        return max(0.0, min(remaining, timeout_seconds(header, remaining)))


def _require_no_version(version: str) -> None:
    if version:
        raise NotSupported(f"version {version} is not offered; models are served without versions")
