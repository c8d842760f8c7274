from __future__ import annotations

from kserve.model_repository import ModelRepository

from predictor.serving.dataplane import ClosedRepository, Lifecycle, PredictorDataPlane
from predictor.serving.executor import Executor
from predictor.serving.grpc import PredictorGrpcServer
from predictor.serving.metrics import Requests
from predictor.settings import read_settings


async def test_settings_as_large_as_they_may_be_fit_into_grpcs_options() -> None:
    settings = read_settings(
        grpc_port=0, limit_request_bytes=2**31 - 1, drain_delay_seconds=10_000_000.0, grace_seconds=20_000_000.0
    )
    models = ModelRepository()
    server = PredictorGrpcServer(
        PredictorDataPlane(models, Lifecycle()), ClosedRepository(models), Executor(1, 0, 1.0), Requests([]), settings
    )

    port = server.bind()
    await server.shut_down(0)

    assert port > 0
