from __future__ import annotations

import base64
import io
import logging
from collections.abc import AsyncIterator

import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput
from PIL import Image as PillowImage

from predictor.destinations import Destinations
from predictor.errors import InvalidField, NotReady, PredictorError, StageFailed
from predictor.service import Service
from predictor.serving.executor import Executor
from predictor.serving.loading import Loading
from predictor.serving.models import SwapModel
from predictor.settings import Settings
from tests.unit.fakes import FakeDetector, Fakes, FakeSwapper, face_at, plain


def picture() -> str:
    buffer = io.BytesIO()
    PillowImage.fromarray(plain((200, 0, 0))).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


IMAGE = picture()
DESTINATIONS = [{"name": "a", "image": IMAGE}]


@pytest.fixture
def fakes() -> Fakes:
    return Fakes(FakeDetector([face_at(10, 20)]))


@pytest.fixture
async def model(fakes: Fakes) -> AsyncIterator[SwapModel]:
    settings = Settings()
    executor = Executor(1, 4, 60.0)
    loading = Loading(lambda: Service(fakes.pipeline(), Destinations({}, {}), settings))
    yield SwapModel("faceswap", loading, executor, settings)
    executor.close()


async def test_a_call_from_python_answers_like_v1(model: SwapModel) -> None:
    model.load()

    answer, _ = await model({"image": IMAGE, "destinations": DESTINATIONS})

    assert (answer["success"], [one["destination_name"] for one in answer["swapped_images"]]) == (True, ["a"])


async def test_a_model_that_is_not_loaded_serves_nothing(model: SwapModel) -> None:
    with pytest.raises(NotReady):
        await model({"image": IMAGE, "destinations": DESTINATIONS})


@pytest.mark.parametrize("fails", ["fine", "in the request", "in a stage"])
async def test_no_log_line_holds_a_picture(
    fakes: Fakes, model: SwapModel, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    model.load()
    body: dict[str, object] = {"image": IMAGE, "destinations": DESTINATIONS}
    if fails == "in the request":
        body["upscale"] = 3
    if fails == "in a stage":
        fakes.swapper = FakeSwapper(paint=lambda crop, _: crop.astype(np.float32))
        model._loading._service = None
        model.load()
    kind = {"in the request": InvalidField, "in a stage": StageFailed}.get(fails)

    with caplog.at_level(logging.DEBUG):
        try:
            await model({"instances": [body]})
        except PredictorError as error:
            assert isinstance(error, kind or ())  # noqa: PT017  # each case has its own
            logging.getLogger("predictor").exception("failed")
        else:
            assert kind is None

    assert IMAGE[:24] not in caplog.text
    assert "\\x89PNG" not in caplog.text


async def test_an_output_that_the_options_do_not_ask_for_is_refused_before_work(model: SwapModel, fakes: Fakes) -> None:
    model.load()
    tensors = [InferInput(name, [1], "BYTES", [IMAGE]) for name in ("image", "destination")]
    request = InferRequest("faceswap", tensors, request_outputs=[RequestedOutput("report")])

    with pytest.raises(InvalidField, match="report"):
        await model(request)

    assert not fakes.detector.seen


async def test_the_output_report_is_there_when_the_options_ask_for_it(model: SwapModel) -> None:
    model.load()
    tensors = [InferInput(name, [1], "BYTES", [IMAGE]) for name in ("image", "destination")]
    wanted = [RequestedOutput("report")]
    request = InferRequest("faceswap", tensors, parameters={"report": True}, request_outputs=wanted)

    answer, _ = await model(request)

    assert [output.name for output in answer.outputs] == ["report"]
