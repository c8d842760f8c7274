from __future__ import annotations

import pytest

from predictor.client.latency import Latencies


def test_percentiles_are_times_that_occurred_whatever_the_order() -> None:
    latencies = Latencies.of([number / 1000 for number in range(100, 0, -1)])

    assert latencies is not None
    assert latencies.as_dict() == {"min": 1.0, "p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([0.007], [7.0] * 6), ([0.001, 0.009], [1.0, 1.0, 9.0, 9.0, 9.0, 9.0])],
    ids=["one call", "two calls"],
)
def test_few_calls_have_percentiles_too(seconds: list[float], expected: list[float]) -> None:
    latencies = Latencies.of(seconds)

    assert latencies is not None
    assert list(latencies.as_dict().values()) == expected


def test_no_calls_have_none() -> None:
    assert Latencies.of([]) is None
