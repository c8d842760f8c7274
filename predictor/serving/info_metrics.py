"""What /metrics says that does not change while a server runs: its build, its networks, its weights; always 1."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from predictor import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

    from predictor.serving.loading import Loading

_SHA256_DIGITS = 12


class Info(Collector):
    """`predictor_build_info`, `predictor_session_info` and `predictor_weights_info`.

    Args:
        loading: Knows networks and weights once the models are loaded; before, there are no series of them.
    """

    def __init__(self, loading: Loading) -> None:
        self._loading = loading

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        yield _info(
            "build",
            "Which predictor runs, on what; always 1.",
            ("version", "kserve", "python"),
            [(__version__, version("kserve"), platform.python_version())],
        )
        yield _info(
            "session",
            "How each network runs; always 1.",
            ("network", "provider", "precision"),
            ((one.name, one.provider, one.precision) for one in self._loading.sessions),
        )
        yield _info(
            "weights",
            "Which files of weights run, by the first digits of their sha256 and their licence; always 1.",
            ("file", "sha256", "licence"),
            ((one.name, one.sha256[:_SHA256_DIGITS], one.licence) for one in self._loading.weights),
        )

    def describe(self) -> list[Metric]:
        """Return nothing: its names are its own, and there is little to collect when it is registered."""
        return []


def _info(name: str, told: str, labels: Sequence[str], series: Iterable[Sequence[str]]) -> Metric:
    family = GaugeMetricFamily(f"predictor_{name}_info", told, labels=labels)
    # Prometheus refuses a page on which a series stands twice, and a network may be opened twice.
    for values in dict.fromkeys(tuple(one) for one in series):
        family.add_metric(values, 1)
    return family
