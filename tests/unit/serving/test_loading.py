from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from predictor.destinations import Destinations
from predictor.errors import NotReady, StartupError
from predictor.runtime.session import OpenedSession
from predictor.service import Service
from predictor.serving.loading import Loading
from predictor.settings import Settings
from predictor.weights.store import LoadedWeights
from tests.unit.fakes import Fakes

SERVICE = cast("Service", object())


def test_before_it_is_built_the_service_is_not_ready() -> None:
    with pytest.raises(NotReady):
        _ = Loading(lambda: SERVICE).service


def test_three_models_that_load_at_once_share_one_service() -> None:
    built: list[int] = []
    may_go_on = threading.Event()

    def build() -> Service:
        built.append(1)
        assert may_go_on.wait(60)
        return SERVICE

    loading = Loading(build)
    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(loading.load) for _ in range(3)]
        may_go_on.set()
        for load in loads:
            load.result()

    assert built == [1]
    assert loading.service is SERVICE


def test_while_it_is_being_built_the_service_is_not_ready() -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def build() -> Service:
        begun.set()
        assert may_go_on.wait(60)
        return SERVICE

    loading = Loading(build)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(loading.load)
        assert begun.wait(60)
        with pytest.raises(NotReady):
            _ = loading.service
        may_go_on.set()
        load.result()

    assert loading.service is SERVICE


def test_what_keeps_it_from_being_built_is_passed_on() -> None:
    def build() -> Service:
        raise StartupError("no weights")

    loading = Loading(build)

    with pytest.raises(StartupError, match="no weights"):
        loading.load()
    with pytest.raises(NotReady):
        _ = loading.service


def test_sessions_and_weights_are_told_once_the_service_is_built() -> None:
    opened = (OpenedSession("network", "cpu", "fp32"),)
    weights = (LoadedWeights("network.onnx", "0" * 64, "mit"),)
    loading = Loading(lambda: Service(Fakes().pipeline(), Destinations({}, {}), Settings(), opened, weights))
    assert not loading.sessions
    assert not loading.weights

    loading.load()

    assert (loading.sessions, loading.weights) == (opened, weights)
