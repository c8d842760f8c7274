"""What /metrics shows beside KServe's own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from predictor.errors import ClientGone, NoFaceFound, Overloaded, StageFailed, UnknownModel
from predictor.job import Job
from predictor.serving.metrics import Requests


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
