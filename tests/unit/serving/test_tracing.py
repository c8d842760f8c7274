from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from predictor.serving.propagators import hide_unknown_propagators
from predictor.serving.tracing import NO_TRACING, UNTRACED, Incoming, _exporters, start_tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("variables", "exporters"),
    [
        ({}, []),
        (ENDPOINT, ["otlp_proto_grpc"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, ["otlp_proto_grpc"]),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp_proto_grpc"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp,otlp"}, ["console", "otlp_proto_grpc"]),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, []),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": ""}, ["otlp_proto_grpc"]),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, []),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "1"}, ["otlp_proto_grpc"]),  # only `true` is true, says the specification
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, ["otlp_proto_http"]),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            },
            ["otlp_proto_grpc"],
        ),
    ],
    ids=str,
)
def test_variables_say_whether_and_how(variables: dict[str, str], exporters: list[str]) -> None:
    assert _exporters(variables) == exporters


def test_a_protocol_that_there_is_not_is_told_and_the_default_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    assert _exporters({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}) == ["otlp_proto_grpc"]
    assert "http/json" in caplog.text


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_TRACES_EXPORTER": "zipkin"}, {**ENDPOINT, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}],
    ids=["exporter", "timeout"],
)
def test_what_cannot_be_had_is_told_and_the_server_goes_without(
    variables: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert start_tracing(variables) is NO_TRACING

    assert [record.levelno for record in caplog.records][-1] == logging.ERROR


def test_a_request_that_is_not_traced_is_told_everything_and_keeps_nothing() -> None:
    with NO_TRACING.request(Incoming("POST", {}, {})) as span:
        span.began("swap")
        span.counted("retries", 1, "swap")
        span.tell({"predictor.code": "ok"}, "another")
        span.fail("internal")
    NO_TRACING.shut_down(0.0)

    assert span is UNTRACED


def run(source: str, folder: Path, **variables: str) -> str:
    """What a Python of its own prints; imports are what is tested."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}", **variables},
        capture_output=True,
        check=True,
        text=True,
        timeout=90,
    )
    return ended.stdout.strip()


def test_without_the_variables_nothing_of_the_sdk_is_imported(tmp_path: Path) -> None:
    printed = run(
        """
        import os, sys
        import predictor.serving.server as server
        server.start_tracing(os.environ)
        print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
        """,
        tmp_path,
    )

    assert printed == "[]"


# ── propagators ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "left", "hidden"),
    [
        (None, None, []),
        ("", None, []),
        ("tracecontext", "tracecontext", []),
        ("none", "none", []),
        ("tracecontext, nonsense,baggage", "tracecontext,baggage", ["nonsense"]),
        ("nonsense", None, ["nonsense"]),
    ],
)
def test_names_that_no_package_has_are_taken_out(asked: str | None, left: str | None, hidden: list[str]) -> None:
    environment = {} if asked is None else {"OTEL_PROPAGATORS": asked}

    assert hide_unknown_propagators(environment) == hidden

    assert environment.get("OTEL_PROPAGATORS") == left


def test_a_server_starts_with_a_propagator_that_is_not_installed_and_takes_one_that_is(tmp_path: Path) -> None:
    """FastAPI imports what raises at such a name; a package of ours stands in for that of B3."""
    (tmp_path / "letters.py").write_text(
        textwrap.dedent("""
        from opentelemetry.propagators.textmap import TextMapPropagator
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

        class Letters(TextMapPropagator):
            fields = set()
            def inject(self, *args, **kwargs): ...
            def extract(self, carrier, context=None, getter=None):
                trace_id, span_id = carrier["letter"].split("-")
                parent = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(1))
                return set_span_in_context(NonRecordingSpan(parent), context)
        """)
    )
    (tmp_path / "letters-1.0.dist-info").mkdir()
    (tmp_path / "letters-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: letters\nVersion: 1.0\n")
    (tmp_path / "letters-1.0.dist-info" / "entry_points.txt").write_text(
        "[opentelemetry_propagator]\nletters = letters:Letters\n"
    )

    printed = run(
        """
        import os
        import predictor.serving.server as server
        from predictor.serving.tracing import Incoming
        from predictor.serving.logs import TRACE
        tracing = server.start_tracing(os.environ)
        with tracing.request(Incoming("POST", {"letter": "a" * 32 + "-" + "b" * 16}, {})):
            print(TRACE.get()["trace_id"])
        tracing.shut_down(0.0)
        """,
        tmp_path,
        OTEL_PROPAGATORS="nonsense,letters",
        OTEL_TRACES_EXPORTER="console",
    )

    assert printed.splitlines()[0] == "a" * 32
