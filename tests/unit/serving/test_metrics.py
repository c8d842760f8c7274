"""What /metrics shows beside KServe's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from prometheus_client import CollectorRegistry, generate_latest

from predictor.runtime.session import OpenedSession
from predictor.serving.metrics import SessionInfo, published

if TYPE_CHECKING:
    from predictor.serving.loading import Loading

BF16 = OpenedSession("inswapper_128", "openvino", "bf16")
FELL_BACK = OpenedSession("det_10g", "cpu", "fp32", "not on openvino: it cannot be run")


def page(*sessions: OpenedSession) -> list[str]:
    registry = CollectorRegistry(auto_describe=True)
    with published(SessionInfo(cast("Loading", SimpleNamespace(sessions=sessions))), registry):
        lines = generate_latest(registry).decode().splitlines()
    assert generate_latest(registry) == b""
    return [line for line in lines if not line.startswith("#")]


def test_every_network_tells_how_it_runs() -> None:
    assert page(BF16, FELL_BACK) == [
        'predictor_session_info{network="inswapper_128",precision="bf16",provider="openvino"} 1.0',
        'predictor_session_info{network="det_10g",precision="fp32",provider="cpu"} 1.0',
    ]


def test_before_the_models_are_loaded_there_is_none() -> None:
    assert page() == []


def test_a_network_that_is_opened_twice_stands_there_once() -> None:
    assert len(page(BF16, BF16)) == 1


def test_two_servers_of_one_process_do_not_collide() -> None:
    registry = CollectorRegistry(auto_describe=True)
    one, other = (SessionInfo(cast("Loading", SimpleNamespace(sessions=()))) for _ in range(2))

    with published(one, registry), published(other, registry):
        pass
