"""What we publish at /metrics beside KServe's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from predictor.serving.loading import Loading


class SessionInfo(Collector):
    """`predictor_session_info`: one series a network, always 1, whose labels say how it really runs.

    Args:
        loading: Has the sessions once the models are loaded.
    """

    def __init__(self, loading: Loading) -> None:
        self._loading = loading

    def collect(self) -> Iterator[Metric]:
        """Yield the series; none before the models are loaded."""
        labels = ("network", "provider", "precision")
        family = GaugeMetricFamily("predictor_session_info", "How each network runs; always 1.", labels=labels)
        # Prometheus refuses a page on which a series stands twice, and a network may be opened twice.
        for values in dict.fromkeys((one.name, one.provider, one.precision) for one in self._loading.sessions):
            family.add_metric(values, 1)
        yield family

    def describe(self) -> list[Metric]:
        """Return nothing: its name is its own, and there is nothing to collect when it is registered."""
        return []


@contextmanager
def published(collector: Collector, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Publish for as long as `with` lasts; KServe's /metrics shows the registry that is the default."""
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)
