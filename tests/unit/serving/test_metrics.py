"""What /metrics shows beside KServe's own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from predictor.errors import ClientGone, NoFaceFound, Overloaded, StageFailed, UnknownModel
from predictor.job import Job
from predictor.runtime.session import OpenedSession
from predictor.serving.metrics import Requests, SessionInfo, published

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


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(requests: Requests) -> list[str]:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(requests)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def ended(model: str, protocol: str, code: str, count: int) -> str:
    return f'predictor_requests_total{{code="{code}",model="{model}",protocol="{protocol}"}} {count}.0'


def test_what_went_well_and_what_is_in_flight_begin_at_0() -> None:
    assert lines(Requests(["faceswap"]))[:5] == [
        'predictor_requests_in_flight{model="faceswap"} 0.0',
        ended("faceswap", "v1", "ok", 0),
        ended("faceswap", "v2", "ok", 0),
        ended("faceswap", "grpc", "ok", 0),
        'predictor_requests_queued{model="faceswap"} 0.0',
    ]


def test_a_request_is_in_flight_until_it_ends_however_it_ends() -> None:
    requests = Requests(["faceswap"])

    with suppress(NoFaceFound), requests.in_flight("faceswap", Job()), requests.in_flight("faceswap", Job()):
        assert 'predictor_requests_in_flight{model="faceswap"} 2.0' in lines(requests)
        raise NoFaceFound("me.jpg")

    assert 'predictor_requests_in_flight{model="faceswap"} 0.0' in lines(requests)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoFaceFound("me.jpg"), "no_face_found"),
        (Overloaded(1), "overloaded"),
        (StageFailed("swap", "not finite"), "internal"),
        (ValueError("ours"), "internal"),
        (ClientGone("the answer"), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
    ],
    ids=repr,
)
def test_a_request_counts_under_how_it_ended_and_the_error_goes_on(error: BaseException, code: str) -> None:
    requests = Requests(["faceswap"])

    with pytest.raises(type(error)), requests.counted("faceswap", "v2"):
        raise error

    counted = [line for line in lines(requests) if "requests_total" in line and line.endswith("1.0")]
    assert counted == [ended("faceswap", "v2", code, 1)]


def test_a_request_that_went_well_counts_once() -> None:
    requests = Requests(["faceswap"])

    with requests.counted("faceswap", "grpc"):
        assert ended("faceswap", "grpc", "ok", 0) in lines(requests)

    assert ended("faceswap", "grpc", "ok", 1) in lines(requests)


def test_models_that_there_are_not_share_one_series() -> None:
    requests = Requests(["faceswap"])

    for name in ("nobody", "somebody", ""):
        with suppress(UnknownModel), requests.counted(name, "v1"):
            raise UnknownModel(name, ["faceswap"])

    assert ended("(unknown)", "v1", "unknown_model", 3) in lines(requests)
