"""From one pod to two under load and back to one, by CPU and by calls in flight; every call is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import Namespace, is_pod_ready, run, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

# Little for each pod, so that the load leaves the rest of two cores to Kubernetes itself.
_TIGHT: dict[str, Any] = {
    "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "500m", "memory": "2Gi"}},
    "replicas": {"min": 1, "max": 2},
}
_TARGET = 150  # percent of 200m
_AT_ONCE: dict[str, Any] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
_UP_SECONDS, _DOWN_SECONDS = 180, 240
PROMETHEUS = "http://prometheus.monitoring.svc.cluster.local:9090"


def _ready(namespace: Namespace) -> list[str]:
    return [pod["status"]["podIP"] for pod in namespace.pods() if is_pod_ready(pod)]


def _answered(client: Client, address: str) -> float:
    """Return how many requests a pod has answered."""
    page = client.run("python", "-c", _READ, f"http://{address}:8080/metrics")
    return sum(
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith("predictor_requests_total{") and 'code="ok"' in line
    )


_READ = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())"


def _scales_up_and_down(client: Client, steps: Steps, *, down: bool = True) -> None:
    namespace = client.namespace
    namespace.roll_out()
    rest, grpc = namespace.url(), namespace.grpc()
    busy = [f"rest-new={rest}", f"rest-new={rest}", f"rest-new={rest}", f"rest-kept={rest}", f"grpc-new={grpc}"]

    with client.calling(f"rest-new={rest}", f"rest-kept={rest}", f"grpc-kept={grpc}", pause=2) as steady:
        with client.calling(*busy, pause=0) as load, steps.timed("load to two pods ready"):
            until(lambda: len(_ready(namespace)) == 2, "two pods", _UP_SECONDS)
            _see_both_answer(client)
        if down:
            with steps.timed("end of the load to one pod"):
                until(lambda: len(namespace.find("pods", "-l", "component=predictor")) == 1, "one pod", _DOWN_SECONDS)

    assert load.report.failures == []
    assert steady.report.failures == []
    assert min(steady.report.calls.values()) > 5


def _see_both_answer(client: Client) -> None:
    addresses = _ready(client.namespace)
    assert len(addresses) == 2
    until(lambda: all(_answered(client, address) > 0 for address in addresses), "answers of both pods")


def test_an_hpa_of_the_chart_scales_on_cpu_up_and_down(namespace: Namespace, client: Client, steps: Steps) -> None:
    scaling = {"class": "external", "target": _TARGET, "behavior": _AT_ONCE}
    namespace.install({**_TIGHT, "autoscaling": scaling})

    _scales_up_and_down(client, steps)


def test_keda_scales_on_the_calls_in_flight_up_and_down(namespace: Namespace, client: Client, steps: Steps) -> None:
    _skip_without("crd/scaledobjects.keda.sh")
    scaling = {"class": "keda", "keda": {"serverAddress": PROMETHEUS, "target": 2}, "behavior": _AT_ONCE}
    namespace.install({**_TIGHT, "autoscaling": scaling})

    _scales_up_and_down(client, steps)


def test_the_hpa_of_kserve_scales_on_cpu_up(namespace: Namespace, client: Client, steps: Steps) -> None:
    """Only up: KServe drops `behavior`, so it comes down after five minutes."""
    namespace.install({**_TIGHT, "autoscaling": {"class": "hpa", "target": 100}})

    _scales_up_and_down(client, steps, down=False)


def _skip_without(what: str) -> None:
    if not run("kubectl", "get", what, "--ignore-not-found", "-o", "name"):
        pytest.skip(f"this cluster has no {what}")
