"""Traces as a collector gets them: a span a request, a child a stage, and never a request the worse for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.serving.collector import Collector, Span, collecting
from tests.serving.pictures import flat
from tests.serving.provocations import connected
from tests.serving.puppet import Puppet, puppet
from tests.serving.wire import Ask, GrpcConnection, RestRequest, grpc_answer

PARENT = "00f067aa0ba902b7"
SWAP = Ask(image=flat(), destinations=[flat()], options={"restore": True, "upscale": 2})
DETECT = Ask("faceswap-detect", flat())
STAGES = [
    "wait",
    "read",
    "decode",
    "detect",
    "identify",
    "swap",
    "restore",
    "paste_back",
    "upsample",
    "encode",
    "write",
]


def kserves(endpoint: str, exporter: str = "otlp") -> dict[str, str]:
    """What KServe 0.21 sets in the container of a predictor with `spec.tracing`, and nothing else."""
    return {
        "OTEL_SERVICE_NAME": "party-predictor",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": exporter,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.05",
        "OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=faces,k8s.pod.name=party-0,isvc.name=party",
    }


def traceparent(flags: str = "01") -> tuple[str, dict[str, str]]:
    """A new trace's id, and the header by which a client continues it."""
    trace_id = secrets.token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{PARENT}-{flags}"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Puppet]:
    settings = {
        **kserves(collector.grpc_url),
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "LOG_LEVEL": "debug",
    }
    with puppet(tmp_path_factory.mktemp("traced"), settings) as running:
        yield running


@pytest.fixture
def channel(traced: Puppet) -> Iterator[GrpcConnection]:
    connection = GrpcConnection(traced.grpc_port)
    yield connection
    connection.close()


def rest(server: Puppet, ask: Ask, headers: Mapping[str, str]) -> int:
    with connected(server) as connection:
        request = ask.rest()
        return connection.ask(RestRequest(request.method, request.path, request.body, headers)).status


def request_of(spans: list[Span]) -> Span:
    (one,) = [span for span in spans if span.kind == "SPAN_KIND_SERVER"]
    return one


# ── what a trace tells ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rest_request_is_a_span_in_the_clients_trace_with_its_stages_below(
    traced: Puppet, collector: Collector
) -> None:
    trace_id, headers = traceparent()

    assert rest(traced, SWAP, {**headers, "x-request-id": "mine", "user-agent": "a-client/1"}) == 200

    spans = collector.trace(trace_id, ["POST /v1/models/{model_name}:predict", "send"])
    request = request_of(spans)
    stages = [span for span in spans if span is not request]
    assert (request.parent_id, request.failed) == (PARENT, False)
    assert list(dict.fromkeys(span.name for span in stages)) == ["receive", *STAGES, "send"]
    for stage in stages:
        assert (stage.parent_id, stage.kind, stage.failed) == (request.span_id, "SPAN_KIND_INTERNAL", False)
        assert request.began <= stage.began <= stage.ended <= request.ended
    assert {name: value for name, value in request.attributes.items() if "bytes" not in name} == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model_name}:predict",
        "http.response.status_code": 200,
        "url.path": "/v1/models/faceswap:predict",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "::ffff:127.0.0.1",
        "user_agent.original": "a-client/1",
        "predictor.model": "faceswap",
        "predictor.code": "ok",
        "predictor.request_id": "mine",
        "predictor.faces_found": 2,
        "predictor.faces_swapped": 1,
        "predictor.faces_restored": 1,
        "predictor.pixels_decoded": request.attributes["predictor.pixels_decoded"],
        "predictor.pixels_encoded": request.attributes["predictor.pixels_encoded"],
    }


def test_a_grpc_call_is_a_span_in_the_clients_trace_with_its_stages_below(
    traced: Puppet, collector: Collector, channel: GrpcConnection
) -> None:
    assert traced.process.is_alive()
    trace_id, headers = traceparent()

    assert channel.ask(SWAP.grpc(), metadata=headers).code is grpc.StatusCode.OK

    spans = collector.trace(trace_id, ["inference.GRPCInferenceService/ModelInfer"])
    request = request_of(spans)
    assert (request.parent_id, request.failed) == (PARENT, False)
    names = dict.fromkeys(span.name for span in spans if span is not request)
    assert [name for name in names if name != "receive"] == STAGES
    assert {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "OK",
        "predictor.model": "faceswap",
    }.items() <= request.attributes.items()


def test_the_resource_says_what_kserve_says_and_our_version(traced: Puppet, collector: Collector) -> None:
    trace_id, headers = traceparent()

    rest(traced, DETECT, headers)

    resource = request_of(collector.trace(trace_id, ["POST /v1/models/{model_name}:predict"])).resource
    assert resource["service.name"] == "party-predictor"
    assert resource["k8s.pod.name"] == "party-0"
    assert resource["isvc.name"] == "party"
    assert resource["service.version"]


def test_a_clients_mistake_is_told_and_no_error_of_the_server(
    traced: Puppet, collector: Collector, channel: GrpcConnection
) -> None:
    wrong = Ask("faceswap-detect", flat(), options={"upscale": 3})
    (by_rest, headers), (by_grpc, metadata) = traceparent(), traceparent()

    assert rest(traced, wrong, headers) == 400
    assert channel.ask(wrong.grpc(), metadata=metadata).code is grpc.StatusCode.INVALID_ARGUMENT

    for trace_id, name, told in (
        (by_rest, "POST /v1/models/{model_name}:predict", {"http.response.status_code": 400}),
        (by_grpc, "inference.GRPCInferenceService/ModelInfer", {"rpc.response.status_code": "INVALID_ARGUMENT"}),
    ):
        request = request_of(collector.trace(trace_id, [name]))
        assert not request.failed
        assert {"predictor.code": "invalid_request", **told}.items() <= request.attributes.items()


def test_a_fault_of_ours_is_an_error_of_the_request_and_of_its_stage(
    traced: Puppet, collector: Collector, channel: GrpcConnection
) -> None:
    (by_rest, headers), (by_grpc, metadata) = traceparent(), traceparent()

    traced.stages.hold("swap", 2)
    with connected(traced) as connection:
        request = SWAP.rest()
        connection.send(RestRequest(request.method, request.path, request.body, headers))
        traced.stages.arrival().go("it broke")
        assert connection.answer().status == 500
    call = channel.start(SWAP.grpc(), metadata=metadata)
    traced.stages.arrival().go("it broke")
    assert grpc_answer(call).code is grpc.StatusCode.INTERNAL

    names = ["POST /v1/models/{model_name}:predict", "inference.GRPCInferenceService/ModelInfer"]
    for trace_id, name in zip((by_rest, by_grpc), names, strict=True):
        spans = {span.name: span for span in collector.trace(trace_id, [name])}
        assert (spans[name].failed, spans[name].attributes["error.type"]) == (True, "internal")
        assert (spans["swap"].failed, spans["swap"].attributes["error.type"]) == (True, "internal")
        assert not spans["detect"].failed
        assert all("it broke" not in repr(span) for span in spans.values())  # an exception could say anything


def test_work_that_goes_on_for_nobody_is_in_the_trace_of_the_request_it_was_for(
    traced: Puppet, collector: Collector
) -> None:
    trace_id, headers = traceparent()
    traced.stages.hold("detect")
    with connected(traced) as connection:
        request = DETECT.rest()
        connection.send(RestRequest(request.method, request.path, request.body, headers))
        stage = traced.stages.arrival()

    (request_span,) = [
        one for one in collector.trace(trace_id, ["POST /v1/models/{model_name}:predict"]) if one.parent_id == PARENT
    ]
    stage.go()

    detect = {one.name: one for one in collector.trace(trace_id, ["detect"])}["detect"]
    assert request_span.attributes["predictor.code"] == "cancelled"
    assert detect.parent_id == request_span.span_id
    assert detect.ended > request_span.ended


def test_what_the_client_does_not_sample_is_not_sent(traced: Puppet, collector: Collector) -> None:
    unsampled, headers = traceparent("00")
    sampled, other_headers = traceparent()

    rest(traced, DETECT, headers)
    rest(traced, DETECT, other_headers)

    collector.trace(sampled, ["POST /v1/models/{model_name}:predict"])
    assert collector.of(unsampled) == []


def test_probes_make_no_spans_and_questions_do(traced: Puppet, collector: Collector, channel: GrpcConnection) -> None:
    probed, headers = traceparent()
    asked, other_headers = traceparent()

    with connected(traced) as connection:
        for path in (
            "/",
            "/metrics",
            "/v2/health/live",
            "/v2/health/ready",
            "/v1/models/faceswap",
            "/v2/models/faceswap/ready",
        ):
            assert connection.ask(RestRequest("GET", path, None, headers)).status == 200
        connection.ask(RestRequest("GET", "/v2/models/faceswap", None, other_headers))
        connection.ask(RestRequest("GET", "/no/such/path", None, other_headers))
    for method, request in (("ServerLive", pb.ServerLiveRequest()), ("ServerReady", pb.ServerReadyRequest())):
        assert channel.ask(request, method, headers).code is grpc.StatusCode.OK

    spans = collector.trace(asked, ["GET /v2/models/{model_name}", "GET"])
    assert [span.attributes["http.response.status_code"] for span in spans] == [200, 404]
    assert collector.of(probed) == []


def test_every_log_line_of_a_request_has_its_trace(traced: Puppet, collector: Collector) -> None:
    trace_id, headers = traceparent()

    rest(traced, DETECT, {**headers, "x-request-id": "logged"})

    request = request_of(collector.trace(trace_id, ["POST /v1/models/{model_name}:predict"]))
    lines = [line for line in traced.log.read_text().splitlines() if " logged " in line]
    assert lines
    assert all(line.endswith(f'trace_id="{trace_id}" span_id="{request.span_id}"') for line in lines)


# ── variables ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_over_http_where_the_protocol_says_so(tmp_path: Path, collector: Collector) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    trace_id, headers = traceparent()

    with puppet(tmp_path, settings) as server:
        rest(server, DETECT, headers)

        request = request_of(collector.trace(trace_id, ["POST /v1/models/{model_name}:predict"]))
        assert request.resource["service.name"] == "faceswap-predictor"


@pytest.mark.parametrize(
    "switched_off",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}],
    ids=lambda variables: next(iter(variables)),
)
def test_no_traces_are_sent_where_a_variable_says_so_or_none_says_where_to(
    tmp_path: Path, collector: Collector, switched_off: dict[str, str]
) -> None:
    variables = {**kserves(collector.grpc_url), **switched_off}
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in switched_off:
        del variables["OTEL_TRACES_EXPORTER"]

    with puppet(tmp_path, variables) as server:
        assert rest(server, DETECT, traceparent()[1]) == 200

    assert "traces go to" not in server.log.read_text()


# ── the end, and collectors that fail ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_was_not_sent_yet_is_sent_when_the_server_stops(
    tmp_path: Path, collector: Collector, protocol: str
) -> None:
    endpoint = collector.grpc_url if protocol == "grpc" else collector.http_url
    settings = {**kserves(endpoint), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    trace_id, headers = traceparent()
    with puppet(tmp_path, settings) as server:
        rest(server, DETECT, headers)
        assert collector.of(trace_id) == []

        server.terminate()

        assert server.exit_code() == 0
    assert "write" in {span.name for span in collector.of(trace_id)}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_is_gone_or_never_answers_harms_nobody(tmp_path: Path, protocol: str) -> None:
    with collecting() as silent:
        silent.silent.set()
        for name, endpoint in (
            ("gone", "http://127.0.0.1:9"),
            ("silent", silent.grpc_url if protocol == "grpc" else silent.http_url),
        ):
            folder = tmp_path / name
            folder.mkdir()
            settings = {**kserves(endpoint), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_BSP_SCHEDULE_DELAY": "1"}
            with puppet(folder, settings) as server:
                for _ in range(20):
                    assert rest(server, DETECT, traceparent()[1]) == 200

                server.terminate()

                assert server.exit_code() == 0
            assert "stopped, nothing dropped" in server.log.read_text()
