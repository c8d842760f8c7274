"""What /metrics says of the work inside requests: waiting, stages, faces, pixels, bytes. Fed by the jobs' accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.metrics import MetricWrapperBase
    from prometheus_client.metrics_core import Metric

    from predictor.job import Countable, StageRun
    from predictor.serving.call import Protocol

WAIT: Final = "wait"
"""The stage in which a request waits for a worker."""
# From a decoded thumbnail to a large picture restored on a processor.
BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
_MODEL: Final = ("model",)
# What is counted under which name, and what its label is called, if it has one.
_COUNTERS: Final[Mapping[Countable, tuple[str, str, str | None]]] = {
    "received_bytes": ("request_bytes", "Bytes of the bodies and messages that came whole.", None),
    "sent_bytes": ("response_bytes", "Bytes of the bodies and messages of answers that are no errors.", None),
    "pixels_decoded": ("decoded_pixels", "Pixels of the pictures that were decoded.", None),
    "pixels_encoded": ("encoded_pixels", "Pixels of the pictures that were encoded.", None),
    "faces_found": ("faces_found", "Faces that were found in pictures of requests.", None),
    "faces_swapped": ("faces_swapped", "Faces that were swapped.", None),
    "faces_restored": ("faces_restored", "Faces that were restored.", None),
    "faces_skipped": ("faces_skipped", "Faces that were to be restored and were not, by why.", "reason"),
    "pictures_skipped": ("pictures_skipped", "Preloaded destinations that were left out, by why.", "reason"),
    "retries": ("stage_retries", "Stages that were run again because where they ran was lost.", "stage"),
}


class WorkMetrics(Collector):
    """Everything below the requests themselves. Safe to be told from any thread.

    Args:
        models: The names of the models; what has no other label has a series for each from the start.
    """

    def __init__(self, models: Sequence[str]) -> None:
        self.queued = Gauge(
            "predictor_requests_queued", "Requests that wait for a worker.", labelnames=_MODEL, registry=None
        )
        self.waiting = _histogram("request_wait_seconds", "How long requests waited for a worker.", *_MODEL)
        self.stages = _histogram("stage_duration_seconds", "How long each run of a stage took.", *_MODEL, "stage")
        self.requests = _histogram(
            "request_duration_seconds", "How long requests took that ended well.", *_MODEL, "protocol"
        )
        self.counters = {what: _counter(*words) for what, words in _COUNTERS.items()}
        for metric in (self.queued, self.waiting, *self.counters.values()):
            if metric._labelnames == _MODEL:  # noqa: SLF001  # prometheus_client has no public word for it
                for model in models:
                    metric.labels(model)

    def watcher(self, model: str) -> WorkWatcher:
        """Return what watches the jobs of one model."""
        return WorkWatcher(self, model)

    def answered(self, model: str, protocol: Protocol, seconds: float) -> None:
        """Count the time of a request that ended well."""
        self.requests.labels(model, protocol).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        for metric in self._metrics:
            yield from metric.collect()

    def describe(self) -> list[Metric]:
        """Return every family, empty, so that no other collector takes one of the names."""
        return [family for metric in self._metrics for family in metric.describe()]

    @property
    def _metrics(self) -> list[MetricWrapperBase]:
        return [self.queued, self.waiting, self.stages, self.requests, *self.counters.values()]


class WorkWatcher:
    """Turns the account of one model's jobs into series."""

    def __init__(self, metrics: WorkMetrics, model: str) -> None:
        self._metrics = metrics
        self._model = model

    def began(self, stage: str) -> None:
        """A stage begins."""
        if stage == WAIT:
            self._metrics.queued.labels(self._model).inc()

    def ran(self, run: StageRun) -> None:
        """A stage has ended, well or not."""
        if run.stage == WAIT:
            self._metrics.queued.labels(self._model).dec()
            self._metrics.waiting.labels(self._model).observe(run.seconds)
        else:
            self._metrics.stages.labels(self._model, run.stage).observe(run.seconds)

    def counted(self, what: Countable, number: int, label: str) -> None:
        """Something was counted."""
        counter = self._metrics.counters[what]
        labels = (self._model, label) if label else (self._model,)
        counter.labels(*labels).inc(number)


def _histogram(name: str, told: str, *labels: str) -> Histogram:
    return Histogram(f"predictor_{name}", told, labelnames=labels, buckets=BUCKETS, registry=None)


def _counter(name: str, told: str, label: str | None) -> Counter:
    labels = _MODEL if label is None else (*_MODEL, label)
    return Counter(f"predictor_{name}", told, labelnames=labels, registry=None)
