"""What /metrics shows of build, networks and weights."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from types import SimpleNamespace
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest

from predictor import __version__
from predictor.runtime.session import OpenedSession
from predictor.serving.info_metrics import Info
from predictor.serving.loading import Loading
from predictor.serving.metrics import published
from predictor.weights.store import LoadedWeights

BF16 = OpenedSession("inswapper_128", "openvino", "bf16")
FELL_BACK = OpenedSession("det_10g", "cpu", "fp32", "not on openvino: it cannot be run")
WEIGHTS = LoadedWeights(
    "inswapper_128.onnx", "e4a3f08c753cb72d04e10aa0f7dbe3deebbf39567d4ead6dce08e98aa49e16af", "mine"
)


def info(sessions: Sequence[OpenedSession] = (), weights: Sequence[LoadedWeights] = ()) -> Info:
    return Info(cast("Loading", SimpleNamespace(sessions=sessions, weights=weights)))


def page(one: Info) -> list[str]:
    registry = CollectorRegistry(auto_describe=True)
    with published(one, registry):
        lines = generate_latest(registry).decode().splitlines()
    assert generate_latest(registry) == b""
    return [line for line in lines if not line.startswith("#")]


BUILD = (
    f'predictor_build_info{{kserve="{version("kserve")}",python="{platform.python_version()}",'
    f'version="{__version__}"}} 1.0'
)


def test_every_network_tells_how_it_runs() -> None:
    assert page(info([BF16, FELL_BACK]))[1:] == [
        'predictor_session_info{network="inswapper_128",precision="bf16",provider="openvino"} 1.0',
        'predictor_session_info{network="det_10g",precision="fp32",provider="cpu"} 1.0',
    ]


def test_every_file_of_weights_tells_its_hash_and_its_licence() -> None:
    assert page(info(weights=[WEIGHTS]))[1:] == [
        'predictor_weights_info{file="inswapper_128.onnx",licence="mine",sha256="e4a3f08c753c"} 1.0'
    ]


def test_before_the_models_are_loaded_there_is_the_build_alone() -> None:
    assert page(info()) == [BUILD]


def test_a_network_that_is_opened_twice_stands_there_once() -> None:
    assert len(page(info([BF16, BF16]))) == 2


def test_two_servers_of_one_process_do_not_collide() -> None:
    registry = CollectorRegistry(auto_describe=True)

    with published(info(), registry), published(info(), registry):
        pass
