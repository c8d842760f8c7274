"""Our KServe DataPlane: readiness that tells the truth, unknown models by name, no loading while serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from predictor import __version__
from predictor.errors import NotReady, NotSupported, RequestRefused, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kserve.model import BaseKServeModel
    from kserve.model_repository import ModelRepository

    from predictor.runtime.session import OpenedSession


class Lifecycle:
    """Where the server is between start and stop; read by probes, written by the server."""

    def __init__(self) -> None:
        self.draining = False
        self.sending = 0
        """Answers to requests that were let in, on their way to their clients."""


class PredictorDataPlane(DataPlane):
    """What the three models can do, asked the same way by REST and gRPC."""

    def __init__(self, model_registry: ModelRepository, lifecycle: Lifecycle) -> None:
        super().__init__(model_registry)
        self.lifecycle = lifecycle

    def metadata(self) -> dict[str, Any]:
        """Return name, version and extensions of this server."""
        return {
            "name": "faceswap-predictor",
            "version": __version__,
            "extensions": ["binary_tensor_data"],
        }

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Return what a model takes and gives, and how its networks run: `parameters`, V2's place for what is ours."""
        model = self.get_model_from_registry(model_name)
        return {
            "name": model_name,
            "versions": ["1"],
            "platform": _platform(model.sessions),
            "inputs": model.get_input_types(),
            "outputs": model.get_output_types(),
            "parameters": _parameters(model.sessions),
        }

    async def ready(self) -> bool:
        """Return whether every model is ready and the server is not on its way out (KServe always says yes: T4)."""
        models = self._model_registry.get_models().values()
        return not self.lifecycle.draining and all(model.ready for model in models)

    async def model_ready(self, model_name: str, disable_predictor_health_check: bool = False) -> bool:  # noqa: ARG002, FBT001, FBT002  # KServe's signature
        """Return whether one model is ready and the server is not on its way out."""
        return not self.lifecycle.draining and self.get_model_from_registry(model_name).ready

    async def get_model(self, name: str) -> BaseKServeModel:
        """Return a model that is ready; KServe would load one that is not, on the event loop (T7)."""
        model = self.get_model_from_registry(name)
        if not model.ready:
            raise NotReady
        return model

    def get_model_from_registry(self, name: str) -> Any:  # noqa: ANN401  # one of ours, KServe says BaseKServeModel
        """Return a model, ready or not.

        Raises:
            UnknownModel: There is none of that name.
        """
        model = self._model_registry.get_model(name)
        if model is None:
            raise UnknownModel(name, sorted(self._model_registry.get_models()))
        return model

    async def explain(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse: there is no explainer."""
        raise NotSupported("explain is not offered")


class ClosedRepository(ModelRepositoryExtension):
    """Models are loaded by the operator, not over the network; KServe unloads for anybody who asks (T5)."""

    async def load(self, model_name: str) -> NoReturn:
        """Refuse."""
        raise RequestRefused(f"{model_name} cannot be loaded over the network")

    async def unload(self, model_name: str) -> NoReturn:
        """Refuse."""
        raise RequestRefused(f"{model_name} cannot be unloaded over the network")


def _platform(sessions: Sequence[OpenedSession]) -> str:
    """Return V2's word for what runs a model, `<runtime>_<format>`."""
    return "openvino_onnx" if {one.provider for one in sessions} == {"openvino"} else "onnxruntime_onnx"


def _parameters(sessions: Sequence[OpenedSession]) -> dict[str, str]:
    """Return how each network runs; V2's parameters are flat."""
    parameters = {}
    for one in sessions:
        parameters[f"{one.name}.provider"] = one.provider
        parameters[f"{one.name}.precision"] = one.precision
        if one.note:
            parameters[f"{one.name}.note"] = one.note
    return parameters
