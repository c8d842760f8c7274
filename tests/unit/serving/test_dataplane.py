from __future__ import annotations

import pytest
from kserve import Model
from kserve.model_repository import ModelRepository

from predictor.errors import NotReady, NotSupported, RequestRefused, UnknownModel
from predictor.runtime.session import OpenedSession
from predictor.serving.dataplane import ClosedRepository, Lifecycle, PredictorDataPlane


class FakeModel(Model):
    def __init__(self, name: str, *, ready: bool) -> None:
        super().__init__(name)
        self.ready = ready
        self.loaded = 0
        self.sessions: tuple[OpenedSession, ...] = ()

    def load(self) -> bool:
        self.loaded += 1
        return True

    def get_input_types(self) -> list[dict[str, object]]:
        return [{"name": "image", "datatype": "BYTES", "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, object]]:
        return [{"name": "faces", "datatype": "BYTES", "shape": [-1]}]


class Plane:
    """A data plane over two models."""

    def __init__(self) -> None:
        self.first, self.second = FakeModel("faceswap", ready=True), FakeModel("faceswap-detect", ready=False)
        self.repository = ModelRepository()
        for model in (self.first, self.second):
            self.repository.update(model)
        self.lifecycle = Lifecycle()
        self.data = PredictorDataPlane(self.repository, self.lifecycle)


@pytest.fixture
def plane() -> Plane:
    return Plane()


async def test_the_server_is_ready_when_every_model_is(plane: Plane) -> None:
    assert await plane.data.ready() is False

    plane.second.ready = True

    assert await plane.data.ready() is True


async def test_a_model_is_ready_on_its_own(plane: Plane) -> None:
    assert await plane.data.model_ready("faceswap") is True
    assert await plane.data.model_ready("faceswap-detect") is False


async def test_nothing_is_ready_any_more_once_the_server_drains(plane: Plane) -> None:
    plane.second.ready = True

    plane.lifecycle.draining = True

    assert await plane.data.ready() is False
    assert await plane.data.model_ready("faceswap") is False


async def test_a_draining_server_still_serves_what_arrives(plane: Plane) -> None:
    plane.lifecycle.draining = True

    assert await plane.data.get_model("faceswap") is plane.first


async def test_a_model_that_is_not_ready_is_not_loaded_by_a_request(plane: Plane) -> None:
    with pytest.raises(NotReady):
        await plane.data.get_model("faceswap-detect")

    assert plane.second.loaded == 0


async def test_an_unknown_model_is_told_with_those_there_are(plane: Plane) -> None:
    with pytest.raises(UnknownModel) as caught:
        await plane.data.get_model("faceswop")

    assert caught.value.details == {"model": "faceswop", "available": ["faceswap", "faceswap-detect"]}
    with pytest.raises(UnknownModel):
        await plane.data.model_ready("faceswop")
    with pytest.raises(UnknownModel):
        await plane.data.model_metadata("faceswop")


async def test_metadata_name_every_tensor_and_leave_nothing_null(plane: Plane) -> None:
    metadata = await plane.data.model_metadata("faceswap")

    assert metadata["name"] == "faceswap"
    assert metadata["inputs"] == plane.first.get_input_types()
    assert metadata["outputs"] == plane.first.get_output_types()
    assert None not in metadata.values()
    assert (metadata["platform"], metadata["parameters"]) == ("onnxruntime_onnx", {})
    assert "binary_tensor_data" in plane.data.metadata()["extensions"]


async def test_there_is_no_explainer(plane: Plane) -> None:
    with pytest.raises(NotSupported):
        await plane.data.explain("faceswap", b"{}")


async def test_models_are_neither_loaded_nor_unloaded_over_the_network(plane: Plane) -> None:
    repository = ClosedRepository(plane.repository)

    with pytest.raises(RequestRefused):
        await repository.unload("faceswap")
    with pytest.raises(RequestRefused):
        await repository.load("faceswap")

    assert plane.repository.get_model("faceswap") is plane.first


async def test_metadata_tell_how_each_network_runs(plane: Plane) -> None:
    plane.first.sessions = (
        OpenedSession("det_10g", "openvino", "fp32", "not in bf16, an output is constant"),
        OpenedSession("inswapper_128", "openvino", "bf16"),
    )

    metadata = await plane.data.model_metadata("faceswap")

    assert metadata["platform"] == "openvino_onnx"
    assert metadata["parameters"] == {
        "det_10g.provider": "openvino",
        "det_10g.precision": "fp32",
        "det_10g.note": "not in bf16, an output is constant",
        "inswapper_128.provider": "openvino",
        "inswapper_128.precision": "bf16",
    }


@pytest.mark.parametrize("other", ["cpu", "cuda", "tensorrt"])
async def test_the_platform_is_onnx_runtime_where_one_network_runs_on_it(plane: Plane, other: str) -> None:
    plane.first.sessions = (OpenedSession("a", "openvino", "bf16"), OpenedSession("b", other, "fp32"))

    assert (await plane.data.model_metadata("faceswap"))["platform"] == "onnxruntime_onnx"
