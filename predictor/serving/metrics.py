"""What we publish at /metrics beside KServe's own."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from predictor.job import code_of
from predictor.serving.access import ACCESS, Access
from predictor.serving.tracing import NO_TRACING
from predictor.serving.work_metrics import WorkMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from predictor.job import Job
    from predictor.serving.call import Protocol
    from predictor.serving.tracing import Tracing

UNKNOWN_MODEL = "(unknown)"
"""The label of calls for models that there are not: a client's own words would be a series each."""
_OK = "ok"
_PROTOCOLS: Sequence[Protocol] = ("v1", "v2", "grpc")


class Requests(Collector):
    """The requests of the models, as an operator sees them: series, and what access lines and traces tell.

    Here are `predictor_requests_total` and `predictor_requests_in_flight`; what happens inside a request is
    `WorkMetrics`'s.

    The counter has a series for each model, protocol and code: `ok`, an error's code, or `cancelled` where the client
    went before its answer. The gauge has one for each model: requests that were let in and are sending their body,
    waiting or worked on; their sum is what the queue counts. Both are changed on the event loop only.

    Args:
        models: The names of the models.
        tracing: What traces them.
    """

    def __init__(self, models: Sequence[str], tracing: Tracing = NO_TRACING) -> None:
        self.tracing = tracing
        self._work = WorkMetrics(models)
        self._in_flight = dict.fromkeys(models, 0)
        # A series that begins at its first request would hide that one from rate().
        self._answered = Counter({(model, protocol, _OK): 0 for model in models for protocol in _PROTOCOLS})

    @contextmanager
    def counted(self, model: str, protocol: Protocol) -> Iterator[None]:
        """Count one request when it ends, by how it ended, and how long it took if it ended well."""
        access, began, code = ACCESS.get(Access()), time.perf_counter(), _OK
        access.model, access.protocol = model if model in self._in_flight else UNKNOWN_MODEL, protocol
        try:
            yield
        except BaseException as error:
            code = code_of(error)
            raise
        else:
            self._work.answered(model, protocol, time.perf_counter() - began)
        finally:
            access.code = code
            self.count(model, protocol, code)

    @contextmanager
    def in_flight(self, model: str, job: Job) -> Iterator[None]:
        """Show one request that was let in, until it ends; its job is watched even longer, until its work ends."""
        access = ACCESS.get(Access())
        access.job = job
        job.watch(self._work.watcher(model))
        job.watch(access.span)
        self._in_flight[model] += 1
        try:
            yield
        finally:
            self._in_flight[model] -= 1

    def count(self, model: str, protocol: Protocol, code: str) -> None:
        """Count one request that has ended."""
        self._answered[model if model in self._in_flight else UNKNOWN_MODEL, protocol, code] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        gauge = GaugeMetricFamily(
            "predictor_requests_in_flight", "Requests that wait or are worked on.", labels=("model",)
        )
        for model, count in self._in_flight.items():
            gauge.add_metric((model,), count)
        yield gauge
        counter = CounterMetricFamily(
            "predictor_requests", "Requests that have ended, by how.", labels=("model", "protocol", "code")
        )
        for labels, count in self._answered.items():
            counter.add_metric(labels, count)
        yield counter
        yield from self._work.collect()

    def describe(self) -> list[Metric]:
        """Return nothing: its names are its own."""
        return []


@contextmanager
def published(collector: Collector, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Publish for as long as `with` lasts; KServe's /metrics shows the registry that is the default."""
    registry.register(collector)
    try:
        yield
    finally:
        registry.unregister(collector)
