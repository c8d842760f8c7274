"""A RayService on KubeRay: the same bytes as without Ray, and no call lost with a worker, nor in an update."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.callers import Client, Report
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, DEPLOY, RESTRICTED, CommandFailed, Namespace, name_of, run, until
from tests.cluster.rayservice import RayService

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

EXAMPLE = CHART / "ci/ray-values.yaml"
NODE = {"resources": {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}}}
CONNECTION_SECONDS, DELETION_DELAY_SECONDS = 5, 20
VALUES: dict[str, Any] = {
    "ray": {
        "stages": {"replicas": "1"},
        "connectionSeconds": CONNECTION_SECONDS,
        "deletionDelaySeconds": DELETION_DELAY_SECONDS,
        "model": {"drainDelaySeconds": 1, "graceSeconds": 10},
        "head": NODE,
        "workers": {**NODE, "max": 2},
    }
}
"""Of two cores: a head and two workers, twice while an update lasts."""
REQUESTS = 200
"""So many are asked for while a worker is killed."""
ENOUGH = 10
"""So many has each caller made while the clusters change."""
_READY_SECONDS = 420


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, new_namespace: Callable[..., Namespace]) -> Iterator[RayService]:
    """A RayService in a namespace that enforces the restricted standard; all tests of this file share it."""
    try:
        run("kubectl", "get", "crd", "rayservices.ray.io")
    except CommandFailed:
        pytest.skip("this cluster has no KubeRay")
    made = new_namespace(RESTRICTED)
    service = RayService(made)
    with Steps(request).timed("install to Ready of KubeRay, a head and two workers"):
        made.install(VALUES, "-f", str(EXAMPLE))
        Client(made).start()
        until(service.is_ready, "the RayService", _READY_SECONDS)
    yield service
    made.delete()


@pytest.fixture
def client(service: RayService) -> Client:
    """The pod that calls; it is there already."""
    return Client(service.namespace)


def _callers(service: RayService) -> list[str]:
    kinds = {"rest": service.url, "grpc": service.grpc}
    return [f"{protocol}-{life}={address}" for protocol, address in kinds.items() for life in ("new", "kept")]


def _assert_nothing_was_lost(report: Report, steps: Steps) -> None:
    for kind, calls in report.calls.items():
        steps.measured(f"calls, {kind}", calls, "")
    steps.measured("failed", len(report.failures), "")
    assert report.failures == []
    assert len(report.calls) == 4
    assert min(report.calls.values()) >= ENOUGH, report.calls


def test_the_server_takes_the_file_of_deploy(service: RayService) -> None:
    said = service.namespace.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", str(DEPLOY / "rayservice.yaml")
    )

    assert "rayservice.ray.io/faceswap-ray" in said


def test_every_model_answers_over_every_protocol_as_the_command_line_does_without_ray(
    service: RayService, client: Client, steps: Steps, astronaut_png: bytes, grace_hopper_jpeg: bytes
) -> None:
    client.run("tee", "/tmp/me.png", stdin=astronaut_png)
    client.run("tee", "/tmp/party.jpg", stdin=grace_hopper_jpeg)
    asked = {
        "swap": ("--source", "/tmp/me.png", "--destination", "/tmp/party.jpg"),
        "enhance": ("--image", "/tmp/party.jpg"),
        "detect": ("--image", "/tmp/party.jpg"),
    }
    commands = {
        "swap": ("swap", "/tmp/me.png", "/tmp/party.jpg", "-o", "/tmp/out"),
        "enhance": ("enhance", "/tmp/party.jpg", "-o", "/tmp/out"),
    }

    answers = {
        (model, protocol): client.call(
            f"grpc://{service.grpc}" if protocol == "grpc" else service.url,
            *("--model", model, "--protocol", protocol, *words),
        )
        for model, words in asked.items()
        for protocol in ("v1", "v2", "v2-raw", "grpc")
    }

    for model, words in commands.items():
        made = client.run("python", "-m", "predictor", *words).strip()
        digest = client.run("sha256sum", made).split()[0]
        digests = {answer["pictures"][0]["sha256"] for (which, _), answer in answers.items() if which == model}
        assert digests == {digest}
    detected = json.loads(client.run("python", "-m", "predictor", "detect", "--json", "/tmp/party.jpg"))
    boxes = [answer["facts"]["faces"][0]["box"] for (which, _), answer in answers.items() if which == "detect"]
    assert all([round(edge, 1) for edge in box] == detected["faces"][0]["box"] for box in boxes)
    for pod, held in service.memory().items():
        steps.measured(f"memory of {pod}", held / 2**30, "GiB")


def test_the_log_of_the_head_has_a_line_of_json_for_every_request(service: RayService) -> None:
    (head,) = service.pods("head")

    lines = service.namespace.kubectl("logs", name_of(head)).splitlines()

    told = [json.loads(line) for line in lines if line.startswith("{") and '"predictor.access"' in line]
    counted = Counter((line["model"], line["protocol"]) for line in told if line["code"] == "ok")
    models = ("faceswap", "faceswap-enhance", "faceswap-detect")
    assert {key: counted[key] for key in counted if key[0] in models} == {
        (model, protocol): 2 if protocol == "v2" else 1 for model in models for protocol in ("v1", "v2", "grpc")
    }
    assert all(line["request_id"] for line in told)


def test_calls_enter_by_the_head_and_stages_run_on_the_workers(service: RayService) -> None:
    (head,) = service.pods("head")
    addresses = {worker["status"]["podIP"] for worker in service.pods("worker")}

    slices = service.namespace.find("endpointslices", "-l", "kubernetes.io/service-name=faceswap-ray-serve-svc")
    ready = [each for part in slices for each in part["endpoints"] if each["conditions"]["ready"]]
    assert [each["addresses"] for each in ready] == [[head["status"]["podIP"]]]
    assert {port["port"] for part in slices for port in part["ports"]} == {8000, 9000}
    places = service.places()
    assert len(addresses) == 2
    assert set(places.pop("entrance")) == {head["status"]["podIP"]}
    assert {place for each in places.values() for place in each} <= addresses


def test_no_call_is_lost_with_the_worker_that_holds_a_busy_replica(
    service: RayService, client: Client, steps: Steps
) -> None:
    (address,) = service.places()["detector"]  # the longest of the stages
    (victim,) = [pod for pod in service.pods("worker") if pod["status"]["podIP"] == address]
    retries, asked = (service.counted(f"predictor_{what}_total", client) for what in ("stage_retries", "requests"))

    with client.calling(*_callers(service), *_callers(service), pause=0.0) as load:  # two wait while one is worked on
        until(lambda: service.counted("predictor_requests_total", client) >= asked + REQUESTS / 4, "calls")
        service.namespace.kubectl("delete", "pod", name_of(victim), "--grace-period=0", "--force")
        with steps.timed("worker killed to every stage elsewhere"):
            until(lambda: service.has_all_stages_without(address), "the stages elsewhere", 120)
        until(lambda: service.counted("predictor_requests_total", client) >= asked + REQUESTS, "more calls", 120)

    steps.measured("stages run again", service.counted("predictor_stage_retries_total", client) - retries, "")
    _assert_nothing_was_lost(load.report, steps)
    assert sum(load.report.calls.values()) >= REQUESTS
    assert service.counted("predictor_stage_retries_total", client) > retries
    until(lambda: len(service.pods("worker")) == 2, "another worker")


def test_no_call_is_lost_in_an_update_that_makes_another_cluster(
    service: RayService, client: Client, steps: Steps
) -> None:
    before = service.cluster
    changed = {"ray": {**VALUES["ray"], "model": {**VALUES["ray"]["model"], "logLevel": "debug"}}}

    with client.calling(*_callers(service), pause=0.2) as load:
        time.sleep(2)
        with steps.timed("update to calls on the new cluster"):
            service.namespace.install(changed, "-f", str(EXAMPLE))
            until(lambda: service.cluster != before, "the new cluster", _READY_SECONDS)
        with steps.timed("calls on the new cluster to no connection on the old one"):
            until(lambda: service.connections(before, client) == 0, "the end of connections", DELETION_DELAY_SECONDS)
        with steps.timed("no connection on the old cluster to its deletion"):
            until(lambda: before not in service.clusters, "the end of the old cluster", 120)
        time.sleep(CONNECTION_SECONDS)

    _assert_nothing_was_lost(load.report, steps)
    assert service.clusters == {service.cluster}
