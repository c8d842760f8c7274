"""Traces, as the OTEL_ variables ask for them; without them nothing of OpenTelemetry's SDK is even imported.

What KServe's `spec.tracing` sets is OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER,
OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG and OTEL_RESOURCE_ATTRIBUTES.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from predictor.serving.propagators import NOT_INSTALLED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from predictor.job import Countable, StageRun

_log = logging.getLogger(__name__)
_TRUE, _NONE = "true", "none"
Attribute = str | int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as its trace begins."""

    name: str
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names; may hold the context of a trace that is to be continued."""
    attributes: Mapping[str, Attribute]
    """By OpenTelemetry's semantic conventions."""


class Span(Protocol):
    """One request in a trace; watches its job, whose stages become its children."""

    def began(self, stage: str) -> None:
        """A stage begins."""

    def ran(self, run: StageRun) -> None:
        """A stage has ended."""

    def counted(self, what: Countable, number: int, label: str) -> None:
        """Something was counted."""

    def tell(self, attributes: Mapping[str, Attribute], name: str | None = None) -> None:
        """Add attributes, and give it another name."""

    def fail(self, error_type: str) -> None:
        """Say that the request failed by the server's fault; a client's is no error of the span."""


class Tracing(Protocol):
    """Begins a span for each request."""

    def request(self, incoming: Incoming) -> AbstractContextManager[Span]:
        """Trace one request for as long as `with` lasts."""

    def shut_down(self, timeout_seconds: float) -> None:
        """Deliver what is left, but take no longer than that."""


class Untraced:
    """The span of a request that nobody traces."""

    def began(self, stage: str) -> None:
        """Do nothing."""

    def ran(self, run: StageRun) -> None:
        """Do nothing."""

    def counted(self, what: Countable, number: int, label: str) -> None:
        """Do nothing."""

    def tell(self, attributes: Mapping[str, Attribute], name: str | None = None) -> None:
        """Do nothing."""

    def fail(self, error_type: str) -> None:
        """Do nothing."""


UNTRACED = Untraced()
"""Keeps nothing, so that one is enough."""


class NoTracing:
    """Traces nothing."""

    @contextmanager
    def request(self, incoming: Incoming) -> Iterator[Span]:  # noqa: ARG002  # the protocol's
        """Trace nothing."""
        yield UNTRACED

    def shut_down(self, timeout_seconds: float) -> None:
        """Deliver nothing."""


NO_TRACING = NoTracing()


def start_tracing(environment: Mapping[str, str]) -> Tracing:
    """Return what the OTEL_ variables ask for; what cannot be had of it is a warning, and never keeps a server down.

    Args:
        environment: The process's; OpenTelemetry's SDK reads most of its variables itself.
    """
    exporters = _exporters(environment)
    if not exporters:
        return NO_TRACING
    if NOT_INSTALLED:
        _log.warning("OTEL_PROPAGATORS: no installed package has %s", ", ".join(NOT_INSTALLED))
    try:
        from predictor.serving.spans import SpanTracing  # noqa: PLC0415  # costs time and memory that few want

        return SpanTracing(exporters)
    except Exception:  # noqa: BLE001  # whatever it was: traces are no reason not to serve
        _log.exception("traces were asked for and cannot be had; serving without")
        return NO_TRACING


def _exporters(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the exporters that are asked for, as OpenTelemetry's packages register them.

    OpenTelemetry's default is to export to this machine; ours is not to export until a variable says where or how.
    """

    def value(name: str) -> str:
        return environment.get(name, "").strip()

    if value("OTEL_SDK_DISABLED").lower() == _TRUE:
        return []
    endpoint = value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or value("OTEL_EXPORTER_OTLP_ENDPOINT")
    names = [name.strip() for name in value("OTEL_TRACES_EXPORTER").split(",") if name.strip()]
    asked = names or (["otlp"] if endpoint else [])
    if _NONE in asked:
        return []
    protocol = value("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or value("OTEL_EXPORTER_OTLP_PROTOCOL")
    return [_otlp(protocol) if name == "otlp" else name for name in dict.fromkeys(asked)]


_Otlp = Literal["otlp_proto_grpc", "otlp_proto_http"]


def _otlp(protocol: str) -> _Otlp:
    match protocol:
        case "http/protobuf":
            return "otlp_proto_http"
        case "grpc" | "":  # the port that KServe names is that of gRPC
            return "otlp_proto_grpc"
        case _:
            _log.warning("OTEL_EXPORTER_OTLP_PROTOCOL: %r is none of grpc and http/protobuf; taking grpc", protocol)
            return "otlp_proto_grpc"
