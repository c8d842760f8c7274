"""Spans of requests and stages by OpenTelemetry's SDK; the only file that imports it.

The provider is not made the process's own: other packages in it (FastAPI) would begin spans beside ours.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from opentelemetry.propagate import get_global_textmap
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id, set_span_in_context

from predictor import __version__
from predictor.serving.logs import TRACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

    from predictor.job import Countable, StageRun
    from predictor.serving.tracing import Attribute, Incoming

_log = logging.getLogger(__name__)
_NANOSECONDS = 1_000_000_000
_HANG_UP_SECONDS = 0.5


class SpanTracing:
    """Begins spans and delivers them in a thread of its own; a collector that is slow or gone costs requests nothing.

    Args:
        exporters: As OpenTelemetry's packages register them.

    Raises:
        ValueError: None of the exporters is there, or OpenTelemetry cannot read one of its variables.
    """

    def __init__(self, exporters: Sequence[str]) -> None:
        named = Resource({"service.name": "faceswap-predictor", "service.version": __version__})
        resource = Resource.create().merge(named).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporters = [made for name in exporters if (made := _exporter(name)) is not None]
        if not self._exporters:
            raise ValueError("none of the exporters that were asked for is there")
        for exporter in self._exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("predictor", __version__)
        _log.info("traces go to %s", ", ".join(exporters))

    @contextmanager
    def request(self, incoming: Incoming) -> Iterator[RequestSpan]:
        """Trace one request for as long as `with` lasts; its trace's ids stand in every log line of it."""
        parent = get_global_textmap().extract(incoming.headers)
        span = self._tracer.start_span(incoming.name, parent, SpanKind.SERVER, incoming.attributes)
        context = span.get_span_context()
        token = TRACE.set({"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)})
        try:
            yield RequestSpan(self._tracer, span)
        finally:
            TRACE.reset(token)
            span.end()

    def shut_down(self, timeout_seconds: float) -> None:
        """Deliver what is left, but take no longer than that."""
        delivery = threading.Thread(target=self._provider.shutdown, name="last traces", daemon=True)
        delivery.start()
        delivery.join(timeout_seconds)
        if delivery.is_alive():
            _log.warning("the last traces could not be delivered in %g s", timeout_seconds)
            for exporter in self._exporters:
                exporter.shutdown()
            delivery.join(_HANG_UP_SECONDS)


class RequestSpan:
    """One request in a trace; what its job's account is told becomes children and events of it."""

    def __init__(self, tracer: Tracer, span: OtelSpan) -> None:
        self._tracer = tracer
        self._span = span
        self._context: Context = set_span_in_context(span)

    def began(self, stage: str) -> None:
        """Do nothing: a child is made when its end is known."""

    def ran(self, run: StageRun) -> None:
        """Add a child, which may end after its parent where work went on for nobody."""
        if not self._span.get_span_context().trace_flags.sampled:
            return
        began = round(run.began * _NANOSECONDS)
        child = self._tracer.start_span(run.stage, self._context, start_time=began)
        if run.error is not None:
            child.set_attribute("error.type", run.error)
            child.set_status(StatusCode.ERROR)
        child.end(began + round(run.seconds * _NANOSECONDS))

    def counted(self, what: Countable, number: int, label: str) -> None:  # noqa: ARG002  # a watcher's
        """Make a retry an event; what else was counted is told at the end."""
        if what == "retries":
            self._span.add_event("retry", {"predictor.stage": label})

    def tell(self, attributes: Mapping[str, Attribute], name: str | None = None) -> None:
        """Add attributes, and give it another name."""
        self._span.set_attributes(attributes)
        if name is not None:
            self._span.update_name(name)

    def fail(self, error_type: str) -> None:
        """Say that the request failed by the server's fault; a client's is no error of the span."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)


def _exporter(name: str) -> SpanExporter | None:
    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        _log.warning("OTEL_TRACES_EXPORTER: no installed package has an exporter called %r", name)
        return None
    exporter = found[0].load()()
    assert isinstance(exporter, SpanExporter)  # noqa: S101  # what the group is for
    return exporter
