"""From one pod to two under load and back to one, by CPU and by calls in flight; every call is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.callers import Client, Load
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, Namespace, is_pod_ready, run, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

# Little for each pod, so that the load leaves the rest of two cores to Kubernetes itself.
_TIGHT: dict[str, Any] = {
    "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "500m", "memory": "2Gi"}},
    "replicas": {"min": 1, "max": 2},
}
# Percent of 200m. A pod under load passes 160m even where other work of the machine leaves it little. An HPA comes back
# to one pod only when the two TOGETHER need less than that: probes, Prometheus and the steady calls need about 90m.
_TARGET = 80
_STEADY_PAUSE, _STEADY_PAUSE_BY_CPU = 4, 10
_AT_ONCE: dict[str, Any] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
_UP_SECONDS, _DOWN_SECONDS = 180, 240
_ENOUGH = 4


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


@contextmanager
def _called_steadily(client: Client, *namespaces: Namespace, pause: float = _STEADY_PAUSE) -> Iterator[None]:
    """Call each service now and then, in every way, and see all answered."""
    callers = [
        caller
        for each in namespaces
        for caller in (f"rest-new={each.url()}", f"rest-kept={each.url()}", f"grpc-kept={each.grpc()}")
    ]
    with client.calling(*callers, pause=pause) as steady:
        yield
    assert steady.report.failures == []
    assert min(steady.report.calls.values()) >= _ENOUGH


@contextmanager
def _loaded(client: Client, namespace: Namespace) -> Iterator[Load]:
    """Call a service as much as it can take, on new connections too, and see all answered."""
    rest, grpc = namespace.url(), namespace.grpc()
    with client.calling(*[f"rest-new={rest}"] * 3, f"rest-kept={rest}", f"grpc-new={grpc}", pause=0) as load:
        yield load
    assert load.report.failures == []


def _see_two_answer(client: Client, namespace: Namespace) -> None:
    until(lambda: len(_ready(namespace)) == 2, "two pods", _UP_SECONDS)
    addresses = _ready(namespace)
    until(lambda: all(_answered(client, address) > 0 for address in addresses), "answers of both pods")


def _see_one_left(namespace: Namespace) -> None:
    until(lambda: len(namespace.find("pods", "-l", "component=predictor")) == 1, "one pod", _DOWN_SECONDS)


def test_hpas_scale_on_cpu_that_of_the_chart_back_as_well(
    client: Client, new_namespace: Callable[..., Namespace], steps: Steps
) -> None:
    """Two services at once, for it takes long. KServe's own HPA drops `behavior`: it comes down after five minutes."""
    _skip_without("apiservice", "v1beta1.metrics.k8s.io")
    ours, kserves = client.namespace, new_namespace()
    ours.install({**_TIGHT, "autoscaling": {"class": "external", "target": _TARGET, "behavior": _AT_ONCE}})
    kserves.install({**_TIGHT, "autoscaling": {"class": "hpa", "target": _TARGET}})
    for namespace in (ours, kserves):
        namespace.roll_out()

    with _called_steadily(client, ours, kserves, pause=_STEADY_PAUSE_BY_CPU):
        with _loaded(client, ours), _loaded(client, kserves):
            with steps.timed("load to two pods that answer, the chart's HPA"):
                _see_two_answer(client, ours)
            with steps.timed("and then KServe's"):
                _see_two_answer(client, kserves)
        with steps.timed("end of the load to one pod, the chart's HPA"):
            _see_one_left(ours)

    assert len(_ready(kserves)) == 2
    kserves.delete()


def test_keda_scales_on_the_calls_in_flight_up_and_down(client: Client, steps: Steps) -> None:
    _skip_without("crd", "scaledobjects.keda.sh")
    _skip_without("service", "prometheus", "--namespace=monitoring")
    namespace = client.namespace
    namespace.install({**_TIGHT, "autoscaling": {"behavior": _AT_ONCE}}, "-f", str(CHART / "ci/keda-values.yaml"))
    namespace.roll_out()

    with _called_steadily(client, namespace):
        with _loaded(client, namespace), steps.timed("load to two pods that answer"):
            _see_two_answer(client, namespace)
        with steps.timed("end of the load to one pod"):
            _see_one_left(namespace)


def _skip_without(*what: str) -> None:
    if not run("kubectl", "get", *what, "--ignore-not-found", "-o", "name"):
        pytest.skip(f"this cluster has no {' '.join(what)}")
