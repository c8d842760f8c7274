"""Spans as an exporter gets them. Over the wire, from a running server: `tests/serving/test_tracing.py`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from predictor.job import Job, StageRun
from predictor.serving import spans
from predictor.serving.logs import TRACE
from predictor.serving.spans import SpanTracing
from predictor.serving.tracing import Incoming

POST = Incoming("POST", {}, {"http.request.method": "POST"})
SECOND = 1_000_000_000


class Shelf(SpanExporter):
    """Keeps what it is given; if it is stuck, only once it is shut down."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.spans: list[ReadableSpan] = []
        self.let_go = threading.Event()
        if not stuck:
            self.let_go.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.let_go.wait(30)
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.let_go.set()

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def tracing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanTracing]:
    monkeypatch.setattr(spans, "_exporter", lambda _name: shelf)
    made = SpanTracing(["shelf"])
    yield made
    made.shut_down(10.0)


def test_runs_of_stages_are_children_where_and_as_long_as_they_were(tracing: SpanTracing, shelf: Shelf) -> None:
    job = Job()
    with tracing.request(POST) as span:
        job.watch(span)
        job.add(StageRun("swap", 100.0, 0.5))
        job.add(StageRun("restore", 101.0, 0.25, "internal"))
    job.add(StageRun("encode", 102.0, 0.125))  # went on for nobody
    tracing.shut_down(10.0)

    request = shelf.named("POST")
    assert request.context is not None
    for name, began, seconds in (("swap", 100, 0.5), ("restore", 101, 0.25), ("encode", 102, 0.125)):
        child = shelf.named(name)
        assert child.parent is not None
        assert (child.parent.span_id, child.start_time) == (request.context.span_id, began * SECOND)
        assert child.end_time == began * SECOND + int(seconds * SECOND)
    assert [span.name for span in shelf.spans if not span.status.is_ok] == ["restore"]
    assert dict(shelf.named("restore").attributes or {}) == {"error.type": "internal"}


def test_what_is_told_of_a_request_is_its_own(tracing: SpanTracing, shelf: Shelf) -> None:
    with tracing.request(POST) as span:
        span.began("swap")
        span.counted("faces_found", 3, "")
        span.counted("retries", 1, "swap")
        span.tell({"predictor.code": "internal"})
        span.tell({"http.route": "/r"}, "POST /r")
        span.fail("internal")
    tracing.shut_down(10.0)

    request = shelf.named("POST /r")
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/r",
        "predictor.code": "internal",
        "error.type": "internal",
    }
    assert [(event.name, dict(event.attributes or {})) for event in request.events] == [
        ("retry", {"predictor.stage": "swap"})
    ]
    assert not request.status.is_ok


def test_log_lines_get_its_ids_and_only_its_own(tracing: SpanTracing, shelf: Shelf) -> None:
    with tracing.request(POST):
        told = dict(TRACE.get())
    tracing.shut_down(10.0)

    context = shelf.named("POST").context
    assert context is not None
    assert told == {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    assert TRACE.get() == {}


def test_of_what_is_not_sampled_nothing_is_made(tracing: SpanTracing, shelf: Shelf) -> None:
    unsampled = Incoming("POST", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}, {})

    with tracing.request(unsampled) as span:
        span.ran(StageRun("swap", 1.0, 1.0))
        assert TRACE.get()["trace_id"] == "a" * 32  # its lines are still found under it
    tracing.shut_down(10.0)

    assert shelf.spans == []


def test_an_exporter_that_is_stuck_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = Shelf(stuck=True)
    monkeypatch.setattr(spans, "_exporter", lambda _name: stuck)
    tracing = SpanTracing(["stuck"])
    with tracing.request(POST):
        pass

    with caplog.at_level(logging.WARNING):
        tracing.shut_down(0.05)

    assert "could not be delivered in 0.05 s" in caplog.text
    assert stuck.let_go.is_set()
