"""What the three KServe models have in common: read and decode, run the pipeline, mark and encode."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import orjson
from kserve import InferRequest, Model
from kserve.model import InferenceVerb
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse

from predictor.errors import NotReady, NotSupported
from predictor.job import Job
from predictor.serving.call import Call, RestAnswer
from predictor.serving.fairness import Work
from predictor.serving.grpc_tensors import read_grpc, read_object, write_grpc, write_object
from predictor.serving.limits import timeout_seconds
from predictor.serving.tensors import (
    OutputTensor,
    Parameters,
    TensorAnswer,
    TensorRequest,
    read_rest,
    select,
    write_rest,
)
from predictor.serving.work_metrics import WAIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.runtime.session import OpenedSession
    from predictor.service import Service
    from predictor.serving.executor import Executor, Worker
    from predictor.serving.loading import Loading
    from predictor.serving.payloads import Asked
    from predictor.settings import Settings

_R = TypeVar("_R")
_W = TypeVar("_W")
_A = TypeVar("_A")
_E = TypeVar("_E")


class Flow(NamedTuple):
    """What travels from hook to hook; the hooks of one model know the types of its parts."""

    call: Call
    worker: Worker
    asked: Any = None
    """An `Asked`, once it is read."""
    work: Any = ()
    """Decoded requests, then answers."""


class PredictorModel(Model, Generic[_R, _W, _A, _E]):
    """A worker and a deadline around KServe's three hooks.

    Args:
        name: Under which it is served.
        loading: Builds the service once for all three.
        executor: Where the work runs; nothing heavy runs on the event loop.
        settings: The limits.
    """

    outputs: Sequence[tuple[str, str]]
    inputs: Sequence[str]

    def __init__(self, name: str, loading: Loading, executor: Executor, settings: Settings) -> None:
        super().__init__(name)
        self._loading = loading
        self._executor = executor
        self._settings = settings

    def load(self) -> bool:
        """Build the service, or wait for the model that is building it; safe to call again.

        Raises:
            StartupError: It cannot be built.
        """
        self._loading.load()
        self.ready = True
        return self.ready

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return name, datatype and shape of every input, -1 for a free number of rows."""
        return [{"name": name, "datatype": "BYTES", "shape": [1 if name == "options" else -1]} for name in self.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return name, datatype and shape of every output, -1 for a free number of rows."""
        return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in self.outputs]

    @property
    def sessions(self) -> Sequence[OpenedSession]:
        """How the networks behind the model run; none before it is loaded."""
        return self._loading.sessions

    async def __call__(
        self, body: object, headers: dict[str, str] | None = None, verb: InferenceVerb = InferenceVerb.PREDICT
    ) -> Any:  # noqa: ANN401  # KServe's own: a dict, an InferResponse, or what our edges send on
        """Run the three hooks on one worker of the executor.

        Raises:
            PredictorError: Whatever went wrong; the worker is free again.
        """
        if verb is not InferenceVerb.PREDICT:
            raise NotSupported("explain is not offered")
        if not self.ready:
            raise NotReady
        if isinstance(body, Call):
            return await self._on_a_worker(body, headers)
        seconds = timeout_seconds((headers or {}).get("x-request-timeout"), self._settings.request_timeout_seconds)
        with self._executor.admission():
            return await self._on_a_worker(Call("object", body, Job(seconds)), headers)

    async def preprocess(self, payload: Any, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401, ARG002  # KServe's hooks
        """Read the request and decode its pictures."""
        flow: Flow = payload
        asked, work = await flow.worker.run(self._read, flow.call)
        return flow._replace(asked=asked, work=work)

    async def predict(
        self,
        payload: Any,  # noqa: ANN401  # what `preprocess` returned
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        response_headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401
        """Run the pipeline."""
        flow: Flow = payload
        answers = await flow.worker.run(self._run, flow.asked, flow.work, flow.call.job)
        return flow._replace(work=answers)

    async def postprocess(
        self,
        result: Any,  # noqa: ANN401  # what `predict` returned
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        response_headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401
        """Mark and encode the pictures, and write the answer in the form of its protocol."""
        flow: Flow = result
        return await flow.worker.run(self._write, flow.call, flow.asked, flow.work)

    async def _on_a_worker(self, call: Call, headers: dict[str, str] | None) -> Any:  # noqa: ANN401
        work = Work(self.name, _size(call.body))
        call.job.count("received_bytes", work.size_bytes)
        async with AsyncExitStack() as held:
            with call.job.stage(WAIT):
                worker = await held.enter_async_context(self._executor.worker(call.job, work))
            return await super().__call__(Flow(call, worker), headers)

    def _read(self, call: Call) -> tuple[Asked[_R], Sequence[_W]]:
        with call.job.stage("read"):
            asked = self._asked(call)
            if asked.tensors is not None:
                select(asked.tensors, self._promised(asked))  # refuses before work what it would refuse after
        return asked, self._decode(asked.requests, call.job)

    def _asked(self, call: Call) -> Asked[_R]:
        match call.protocol, call.body:
            case "v2", bytes(body):
                return self._from_tensors(read_rest(body, call.json_length))
            case "grpc", message:
                return self._from_tensors(read_grpc(message))
            case "object", InferRequest() as request:
                return self._from_tensors(read_object(request))
            case _, body:
                return self._from_v1(body)

    def _write(self, call: Call, asked: Asked[_R], answers: Sequence[_A]) -> Any:  # noqa: ANN401
        encoded = self._encoded(asked.requests, answers, call.job)
        with call.job.stage("write"):
            answer = self._answer(call, asked, answers, encoded)
        call.job.count("sent_bytes", _size(answer))
        return answer

    def _answer(self, call: Call, asked: Asked[_R], answers: Sequence[_A], encoded: Sequence[_E]) -> Any:  # noqa: ANN401
        if asked.tensors is None:
            predictions = self._v1_answers(asked.requests, answers, encoded)
            answer = {"predictions": predictions} if asked.instances else predictions[0]
            return RestAnswer(orjson.dumps(answer)) if call.protocol == "v1" else answer
        outputs, parameters = self._v2_outputs(asked, answers, encoded)
        answer_id = asked.tensors.id or str(uuid.uuid4())
        tensors = TensorAnswer(self.name, answer_id, outputs, parameters)
        chosen = select(asked.tensors, outputs)
        if call.protocol == "v2":
            return RestAnswer(*write_rest(tensors, chosen))
        plain = [output for output, _ in chosen]
        if call.protocol == "grpc":
            return write_grpc(tensors, plain, raw=bool(call.body.raw_input_contents))  # type: ignore[attr-defined]  # a ModelInferRequest
        return write_object(tensors, plain)

    def _promised(self, asked: Asked[_R]) -> list[OutputTensor]:
        return [
            OutputTensor(name, datatype, [], text=not (asked.raw and name == "image"))
            for name, datatype in self.outputs
            if name != "report" or asked.report
        ]

    @property
    def _service(self) -> Service:
        return self._loading.service

    @abstractmethod
    def _from_v1(self, body: object) -> Asked[_R]:
        """Read a V1 body."""

    @abstractmethod
    def _from_tensors(self, request: TensorRequest) -> Asked[_R]:
        """Read V2 tensors."""

    @abstractmethod
    def _decode(self, requests: Sequence[_R], job: Job) -> Sequence[_W]:
        """Decode the pictures of all requests."""

    @abstractmethod
    def _run(self, asked: Asked[_R], work: Sequence[_W], job: Job) -> Sequence[_A]:
        """Run the pipeline; one answer a request."""

    @abstractmethod
    def _encoded(self, requests: Sequence[_R], answers: Sequence[_A], job: Job) -> Sequence[_E]:
        """Mark and encode the pictures of each answer."""

    @abstractmethod
    def _v1_answers(
        self, requests: Sequence[_R], answers: Sequence[_A], encoded: Sequence[_E]
    ) -> list[dict[str, object]]:
        """Return a V1 answer a request."""

    @abstractmethod
    def _v2_outputs(
        self, asked: Asked[_R], answers: Sequence[_A], encoded: Sequence[_E]
    ) -> tuple[list[OutputTensor], Parameters]:
        """Return the tensors of the V2 answer, and its parameters."""


def _size(message: object) -> int:
    """Return the bytes of a body or message; 0 of what never was on a wire."""
    match message:
        case bytes():
            return len(message)
        case RestAnswer(body=body):
            return len(body)
        case ModelInferRequest() | ModelInferResponse():
            return int(message.ByteSize())
        case _:
            return 0
