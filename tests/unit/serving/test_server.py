"""How many workers a server has; what else it does is tested from outside, in tests/serving."""

from __future__ import annotations

import gc

import pytest

from predictor.destinations import Destinations
from predictor.pipeline import Pipeline, Stages
from predictor.runtime.session import OpenedSession
from predictor.service import Service
from predictor.serving.server import PredictorServer
from predictor.settings import read_settings
from tests.unit.fakes import FakeDetector, FakeSwapper


def loaded(provider: str, **given: int) -> PredictorServer:
    """A server whose networks run there, loaded, and not started."""
    settings = read_settings(http_port=0, grpc_port=0, **given)
    pipeline = Pipeline(Stages(FakeDetector(), None, FakeSwapper(), None, None, None))
    sessions = [OpenedSession("a", "cpu", "fp32", ""), OpenedSession("b", provider, "fp32", "")]
    server = PredictorServer(settings, lambda _: Service(pipeline, Destinations({}, {}), settings, sessions))
    for model in server.models:
        model.load()
    return server


@pytest.mark.parametrize(("provider", "workers"), [("cpu", 1), ("openvino", 1), ("cuda", 2)])
def test_workers_follow_from_the_device(provider: str, workers: int) -> None:
    assert loaded(provider).executor.workers == workers


@pytest.mark.parametrize("provider", ["cpu", "cuda"])
def test_the_operators_number_of_workers_counts(provider: str) -> None:
    assert loaded(provider, workers=3).executor.workers == 3


def test_what_is_loaded_is_left_alone_by_the_garbage_collector() -> None:
    gc.unfreeze()
    try:
        loaded("cpu")

        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
