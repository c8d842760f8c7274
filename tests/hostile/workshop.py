"""The three models in this process, behind the same executor as in a server, and what they make of an attack."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from google.protobuf.message import DecodeError
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor.destinations import Destinations
from predictor.errors import PredictorError
from predictor.job import Job
from predictor.service import Service
from predictor.serving.call import Call
from predictor.serving.executor import Executor
from predictor.serving.loading import Loading
from predictor.serving.models import all_models
from predictor.settings import Settings
from tests.hostile.attacks import Attack
from tests.unit.fakes import FakeDetector, FakeRestorer, Fakes, FakeUpsampler, face_at

OK = "ok"


class Workshop:
    """Everything but the stages is real, with default settings; use it as a context."""

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._settings = Settings()
        self._runner.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._executor.close()
        self._runner.close()

    def outcome(self, attack: Attack) -> str:
        """Return `ok`, the code of a typed error, or `crash` with what it was."""
        try:
            self._runner.run(self._answer(attack))
        except PredictorError as error:
            return error.code
        except Exception as error:  # noqa: BLE001  # finding them is what this is for
            return f"crash {type(error).__name__}: {error}"
        finally:
            self._forget()
        return OK

    def _forget(self) -> None:
        """Let go of the pictures that the fakes remember."""
        self._fakes.detector.seen.clear()
        self._fakes.swapper.calls.clear()
        self._restorer.seen.clear()
        self._upsampler.seen.clear()

    async def _start(self) -> None:
        settings = self._settings
        self._executor = Executor(settings.workers or 1, settings.queue_length, settings.queue_seconds)
        self._restorer, self._upsampler = FakeRestorer(), FakeUpsampler()
        detector = FakeDetector([face_at(1.0, 1.0, 4.0)])
        self._fakes = fakes = Fakes(detector, restorer=self._restorer, upsampler=self._upsampler)
        loading = Loading(lambda: Service(fakes.pipeline(), Destinations({}, {}), settings))
        models = all_models(settings.model_name, loading, self._executor, settings)
        for model in models:
            model.load()
        self._models = {model.name: model for model in models}

    async def _answer(self, attack: Attack) -> None:
        name, body = attack.model, attack.data
        if attack.protocol == "grpc":
            message = pb.ModelInferRequest()
            try:
                message.ParseFromString(attack.data)
            except DecodeError:
                return await self._call("faceswap", attack, None)
            if message.model_version:
                raise _Elsewhere("not_supported")
            name = message.model_name
        else:
            message = body
        return await self._call(name, attack, message)

    async def _call(self, name: str, attack: Attack, body: object) -> None:
        if name not in self._models:
            raise _Elsewhere("unknown_model")
        if body is None:
            raise _Elsewhere("invalid_request")
        job = Job(self._settings.request_timeout_seconds)
        with self._executor.admission():
            await self._models[name](Call(attack.protocol, body, job, attack.json_length))


class _Elsewhere(PredictorError):
    """What a server refuses before a model is asked."""

    def __init__(self, code: str) -> None:
        super().__init__("refused before a model is asked")
        self.code = code  # type: ignore[misc]  # as another class's
