"""The three KServe models: swap, enhance, detect."""

from __future__ import annotations

from collections.abc import Sequence  # a class names it when it is made
from typing import TYPE_CHECKING

from predictor.imaging.codec import Picture
from predictor.requests import AlteredPicture, DetectRequest, EnhanceRequest, FacesAnswer, SwapAnswer, SwapRequest
from predictor.service import SwapWork
from predictor.serving.answers import Json, detect_answer, enhance_answer, swap_answer
from predictor.serving.model import PredictorModel
from predictor.serving.outputs import (
    DETECT_OUTPUTS,
    ENHANCE_OUTPUTS,
    SWAP_OUTPUTS,
    detect_outputs,
    enhance_outputs,
    swap_outputs,
)
from predictor.serving.payloads import detect_v1, detect_v2, enhance_v1, enhance_v2, read_v1, swap_v1, swap_v2

if TYPE_CHECKING:
    from predictor.job import Job
    from predictor.serving.executor import Executor
    from predictor.serving.loading import Loading
    from predictor.serving.payloads import Asked
    from predictor.serving.tensors import OutputTensor, Parameters, TensorRequest
    from predictor.settings import Settings


class SwapModel(PredictorModel[SwapRequest, SwapWork, SwapAnswer, Sequence[bytes]]):
    """Gives faces of destination pictures the identity of a source, then restores and upsamples if asked."""

    inputs = ("image", "destination", "options")
    outputs = SWAP_OUTPUTS

    def _from_v1(self, body: object) -> Asked[SwapRequest]:
        return read_v1(body, self._settings, swap_v1)

    def _from_tensors(self, request: TensorRequest) -> Asked[SwapRequest]:
        return swap_v2(request, self._settings)

    def _decode(self, requests: Sequence[SwapRequest], job: Job) -> Sequence[SwapWork]:
        return self._service.read_swaps(requests, job)

    def _run(self, _asked: Asked[SwapRequest], work: Sequence[SwapWork], job: Job) -> Sequence[SwapAnswer]:
        return self._service.swap_all(work, job)

    def _encoded(
        self, requests: Sequence[SwapRequest], answers: Sequence[SwapAnswer], job: Job
    ) -> Sequence[Sequence[bytes]]:
        return [
            [self._service.encode(altered, request.output, job) for altered in answer.pictures]
            for request, answer in zip(requests, answers, strict=True)
        ]

    def _v1_answers(
        self, requests: Sequence[SwapRequest], answers: Sequence[SwapAnswer], encoded: Sequence[Sequence[bytes]]
    ) -> list[Json]:
        return [
            swap_answer(answer, pictures, report=request.report)
            for request, answer, pictures in zip(requests, answers, encoded, strict=True)
        ]

    def _v2_outputs(
        self, asked: Asked[SwapRequest], answers: Sequence[SwapAnswer], encoded: Sequence[Sequence[bytes]]
    ) -> tuple[list[OutputTensor], Parameters]:
        return swap_outputs(answers, encoded, raw=asked.raw, report=asked.requests[0].report)


class EnhanceModel(PredictorModel[EnhanceRequest, Picture, AlteredPicture, bytes]):
    """Restores the faces of a picture and upsamples it."""

    inputs = ("image", "options")
    outputs = ENHANCE_OUTPUTS

    def _from_v1(self, body: object) -> Asked[EnhanceRequest]:
        return read_v1(body, self._settings, enhance_v1)

    def _from_tensors(self, request: TensorRequest) -> Asked[EnhanceRequest]:
        return enhance_v2(request, self._settings)

    def _decode(self, requests: Sequence[EnhanceRequest], job: Job) -> Sequence[Picture]:
        return self._service.read_enhances(requests, job)

    def _run(self, asked: Asked[EnhanceRequest], work: Sequence[Picture], job: Job) -> Sequence[AlteredPicture]:
        return [
            self._service.enhance(request, picture, job) for request, picture in zip(asked.requests, work, strict=True)
        ]

    def _encoded(
        self, requests: Sequence[EnhanceRequest], answers: Sequence[AlteredPicture], job: Job
    ) -> Sequence[bytes]:
        return [
            self._service.encode(altered, request.output, job)
            for request, altered in zip(requests, answers, strict=True)
        ]

    def _v1_answers(
        self, requests: Sequence[EnhanceRequest], answers: Sequence[AlteredPicture], encoded: Sequence[bytes]
    ) -> list[Json]:
        return [
            enhance_answer(altered, data, report=request.report)
            for request, altered, data in zip(requests, answers, encoded, strict=True)
        ]

    def _v2_outputs(
        self, asked: Asked[EnhanceRequest], answers: Sequence[AlteredPicture], encoded: Sequence[bytes]
    ) -> tuple[list[OutputTensor], Parameters]:
        return enhance_outputs(answers, encoded, raw=asked.raw, report=asked.requests[0].report), {}


class DetectModel(PredictorModel[DetectRequest, Picture, FacesAnswer, None]):
    """Lists the faces of a picture, numbered left to right."""

    inputs = ("image", "options")
    outputs = DETECT_OUTPUTS

    def _from_v1(self, body: object) -> Asked[DetectRequest]:
        return read_v1(body, self._settings, detect_v1)

    def _from_tensors(self, request: TensorRequest) -> Asked[DetectRequest]:
        return detect_v2(request, self._settings)

    def _decode(self, requests: Sequence[DetectRequest], job: Job) -> Sequence[Picture]:
        return self._service.read_pictures([request.picture for request in requests], job)

    def _run(self, asked: Asked[DetectRequest], work: Sequence[Picture], job: Job) -> Sequence[FacesAnswer]:
        return [
            self._service.detect(request, picture, job) for request, picture in zip(asked.requests, work, strict=True)
        ]

    def _encoded(self, _requests: Sequence[DetectRequest], answers: Sequence[FacesAnswer], _job: Job) -> Sequence[None]:
        return [None for _ in answers]

    def _v1_answers(
        self, _requests: Sequence[DetectRequest], answers: Sequence[FacesAnswer], _encoded: Sequence[None]
    ) -> list[Json]:
        return [detect_answer(answer) for answer in answers]

    def _v2_outputs(
        self, _asked: Asked[DetectRequest], answers: Sequence[FacesAnswer], _encoded: Sequence[None]
    ) -> tuple[list[OutputTensor], Parameters]:
        return detect_outputs(answers), {}


AnyModel = SwapModel | EnhanceModel | DetectModel
_BY_ENDING: dict[str, type[AnyModel]] = {"": SwapModel, "-enhance": EnhanceModel, "-detect": DetectModel}


def model_names(name: str) -> list[str]:
    """Return the names of the three models, of which the first is the name itself."""
    return [name + ending for ending in _BY_ENDING]


def all_models(name: str, loading: Loading, executor: Executor, settings: Settings) -> list[AnyModel]:
    """Return the three models under their names."""
    return [kind(name + ending, loading, executor, settings) for ending, kind in _BY_ENDING.items()]
