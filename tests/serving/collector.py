"""A collector of traces on loopback: takes and decodes what OpenTelemetry's exporters send, over gRPC and over HTTP."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Encoded
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.serving.puppet import PATIENCE_SECONDS


@dataclass(frozen=True)
class Span:
    """One span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    began: int
    """Nanoseconds since the epoch, as is the end."""
    ended: int
    attributes: dict[str, object]
    failed: bool
    events: list[tuple[str, dict[str, object]]]
    resource: dict[str, object] = field(repr=False)


@dataclass
class Collector:
    """What has come so far."""

    spans: list[Span] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, nobody is answered."""
    grpc_url: str = ""
    http_url: str = ""

    def trace(self, trace_id: str, names: Sequence[str]) -> list[Span]:
        """Wait until spans of these names have come of a trace, and return all of it by their begins."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not set(names) <= (came := {span.name for span in self.of(trace_id)}):
            assert time.monotonic() < until, f"of {names} there came {came}"
            time.sleep(0.01)
        return sorted(self.of(trace_id), key=lambda span: span.began)

    def of(self, trace_id: str) -> list[Span]:
        """Return what has come of a trace."""
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep what an exporter sent."""
        while self.silent.is_set():
            time.sleep(0.05)
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                self.spans.extend(_decoded(span, resource) for span in of_scope.spans)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""
    collector = Collector()

    class Service(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:  # noqa: ARG002, N802
            collector.take(request)
            return ExportTraceServiceResponse()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    over_http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    over_http.daemon_threads = True
    threading.Thread(target=over_http.serve_forever, daemon=True).start()
    over_grpc = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Service(), over_grpc)  # type: ignore[no-untyped-call]  # generated
    collector.grpc_url = f"http://127.0.0.1:{over_grpc.add_insecure_port('127.0.0.1:0')}"
    collector.http_url = f"http://127.0.0.1:{over_http.server_port}"
    over_grpc.start()
    try:
        yield collector
    finally:
        collector.silent.clear()
        over_grpc.stop(0).wait()
        over_http.shutdown()
        over_http.server_close()


def tree(spans: Sequence[Span]) -> str:
    """Return a trace as a person reads it: a line a span with its begin and length in milliseconds, children below."""
    (root,) = [span for span in spans if span.parent_id not in {one.span_id for one in spans}]
    lines = []

    def write(span: Span, depth: int) -> None:
        began, length = (span.began - root.began) / 1e6, (span.ended - span.began) / 1e6
        lines.append(f"{began:9.1f} {length:9.1f}  {'  ' * depth}{span.name}")
        for child in sorted((one for one in spans if one.parent_id == span.span_id), key=lambda one: one.began):
            write(child, depth + 1)

    write(root, 0)
    return "\n".join(["    begin    length  ms", *lines])


def _decoded(span: Encoded, resource: dict[str, object]) -> Span:
    return Span(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=Encoded.SpanKind.Name(span.kind),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes=_values(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        events=[(event.name, _values(event.attributes)) for event in span.events],
        resource=resource,
    )


def _values(pairs: Sequence[KeyValue]) -> dict[str, object]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
