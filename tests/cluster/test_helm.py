"""The chart as a release: installed, tested, upgraded, rolled back, and gone without a trace."""

from __future__ import annotations

import json

import pytest

from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import CHART, SMALL, Namespace, name_of, run, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

# What a namespace has by itself, what remembers (events), and the leases of who watches.
_NOT_OURS = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
_FORGOTTEN = ("event", "podmetrics", "lease")


def _pod_names(namespace: Namespace) -> set[str]:
    return {name_of(pod) for pod in namespace.pods()}


def _left(namespace: Namespace) -> set[str]:
    """Return everything that is in a namespace and was not there when it was made."""
    kinds = run("kubectl", "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    listed = [kind for kind in kinds if not kind.startswith(_FORGOTTEN) and "metrics.k8s.io" not in kind]
    found = namespace.kubectl("get", ",".join(listed), "-o", "name", "--ignore-not-found").split()
    return {name for name in found if not name.startswith(_FORGOTTEN)} - _NOT_OURS


def test_a_release_is_installed_tested_upgraded_rolled_back_and_uninstalled(namespace: Namespace, steps: Steps) -> None:
    with steps.timed("helm install to a ready pod"):
        namespace.helm("install", "faceswap", str(CHART))
        namespace.roll_out()
    with steps.timed("helm test"):
        tested = namespace.helm("test", "faceswap", "--logs", timeout=300)
    installed = _pod_names(namespace)

    with steps.timed("helm upgrade to the new pod"):
        namespace.helm("upgrade", "faceswap", str(CHART), "--set-string", "podAnnotations.restarted=1")
        until(lambda: _pod_names(namespace) - installed, "the new pod")
        namespace.roll_out()
    upgraded = until(lambda: _pod_names(namespace) - installed, "the new pod alone")
    with steps.timed("helm rollback to the pod of before"):
        namespace.helm("rollback", "faceswap", "1")
        until(lambda: _pod_names(namespace) - upgraded, "the pod of before")
        namespace.roll_out()
    (pod,) = [pod for pod in namespace.pods() if name_of(pod) not in upgraded]
    with steps.timed("helm uninstall to nothing"):
        namespace.helm("uninstall", "faceswap")
        until(lambda: not _left(namespace), "the last object", 120)

    assert "is ready and swapped a face in" in tested
    assert len(installed) == len(upgraded) == 1
    assert "restarted" not in pod["metadata"]["annotations"]


def test_nothing_that_kserve_fills_in_is_left_to_it(namespace: Namespace) -> None:
    """Resources, probes, ports, timeouts and modes are ours, as the pod that runs has them."""
    namespace.install(SMALL)
    namespace.roll_out()
    (pod,) = namespace.pods()
    (container,) = pod["spec"]["containers"]
    service = namespace.get("service", "faceswap-cpu-predictor")

    assert container["resources"] == json.loads(json.dumps(SMALL["resources"]))
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/models/faceswap/ready"
    assert pod["spec"]["enableServiceLinks"] is False
    assert pod["spec"]["terminationGracePeriodSeconds"] == 70
    ports = {(port["port"], port["targetPort"], port.get("appProtocol")) for port in service["spec"]["ports"]}
    assert ports == {(80, 8080, None), (8081, 8081, "kubernetes.io/h2c")}
    assert not namespace.find("hpa")
