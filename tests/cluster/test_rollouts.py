"""Pods replaced, deleted and killed under steady calls: over REST, on new and kept connections, and over gRPC."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.callers import Client, Report, kill_on_node
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import SMALL, Namespace, is_pod_ready, name_of, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

ENOUGH = 5
"""So many calls has each caller made in the seconds that a change takes, on a busy machine as well."""

_CLOCK_SECONDS = 0.5


# Both pods at once: no pod that was there before is left to answer, and it takes half the time.
TWO_PODS = {**SMALL, "replicas": {"min": 2, "max": 2}, "strategy": {"maxSurge": 2}}


@pytest.fixture(scope="module")
def namespace(new_namespace: Callable[..., Namespace]) -> Iterator[Namespace]:
    """A service of two pods, which all tests of this file share."""
    made = new_namespace()
    made.install(TWO_PODS)
    Client(made).start()
    made.roll_out()
    yield made
    made.delete()


@pytest.fixture
def client(namespace: Namespace) -> Client:
    """The pod that calls; the one before is still there."""
    return Client(namespace)


def _callers(namespace: Namespace) -> list[str]:
    rest, grpc = namespace.url(), namespace.grpc()
    return [f"rest-new={rest}", f"rest-kept={rest}", f"grpc-new={grpc}", f"grpc-kept={grpc}"]


def _names(namespace: Namespace) -> set[str]:
    return {name_of(pod) for pod in namespace.pods()}


def _see_new_pods_alone(namespace: Namespace, before: set[str]) -> None:
    """Wait until two ready pods are there that were not, and the old ones have had time to go."""
    until(lambda: not _names(namespace) & before, "new pods in place of the old", 180)
    namespace.roll_out()
    until(
        lambda: {name_of(pod) for pod in namespace.find("pods", "-l", "component=predictor")}.isdisjoint(before),
        "the end",
    )


def _assert_no_call_failed(report: Report) -> None:
    assert report.failures == []
    assert len(report.calls) == 4
    assert min(report.calls.values()) >= ENOUGH, report.calls


def test_no_call_fails_while_an_annotation_of_the_predictor_restarts_the_pods(
    namespace: Namespace, client: Client, steps: Steps
) -> None:
    before = _names(namespace)
    restarted = {"spec": {"predictor": {"annotations": {"restarted-at": str(time.time())}}}}

    with client.calling(*_callers(namespace)) as load, steps.timed("annotation to new pods alone, two pods"):
        namespace.kubectl("patch", "inferenceservice", "faceswap-cpu", "--type=merge", "-p", json.dumps(restarted))
        _see_new_pods_alone(namespace, before)

    _assert_no_call_failed(load.report)


def test_no_call_fails_while_helm_upgrade_replaces_the_pods(namespace: Namespace, client: Client, steps: Steps) -> None:
    before = _names(namespace)

    with client.calling(*_callers(namespace)) as load, steps.timed("helm upgrade to new pods alone, two pods"):
        namespace.install({**TWO_PODS, "model": {"logLevel": "debug"}})
        _see_new_pods_alone(namespace, before)

    _assert_no_call_failed(load.report)


def test_no_call_fails_while_a_pod_is_deleted(namespace: Namespace, client: Client, steps: Steps) -> None:
    before = _names(namespace)
    (deleted, *_others) = sorted(before)

    with client.calling(*_callers(namespace)) as load, steps.timed("deleted to a new pod ready and the old one gone"):
        namespace.kubectl("delete", "pod", deleted)  # waits until it is gone
        until(lambda: len(_names(namespace)) == 2, "the new pod")
        namespace.roll_out()

    _assert_no_call_failed(load.report)


def test_a_pod_that_is_killed_comes_back_and_fails_only_calls_in_flight_on_it(
    namespace: Namespace, client: Client, steps: Steps
) -> None:
    """Callers try again where no connection was made: until the node has noticed, the Service still names the pod."""
    victim, *_others = namespace.pods()

    def is_back() -> bool:
        pod = namespace.get("pod", name_of(victim))
        (status,) = pod["status"]["containerStatuses"]
        return status["restartCount"] > 0 and is_pod_ready(pod)

    with client.calling(*_callers(namespace), pause=0.1, patient=True) as load:
        time.sleep(3)
        killed_at = kill_on_node(namespace, victim)
        with steps.timed("SIGKILL to ready again"):
            until(is_back, "the pod", 120)
        time.sleep(3)

    (status,) = namespace.get("pod", name_of(victim))["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    report = load.report
    in_flight = [
        one for one in report.failures if one["began"] - _CLOCK_SECONDS < killed_at < one["ended"] + _CLOCK_SECONDS
    ]
    assert report.failures == in_flight
    assert len({one["kind"] for one in in_flight}) == len(in_flight), "a caller has one call in flight"
    assert min(report.calls.values()) >= ENOUGH, report.calls
