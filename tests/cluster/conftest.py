"""One cluster for all tests, a namespace for each, and how long its steps took."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.callers import Client
from tests.cluster.kubernetes import CommandFailed, Namespace, run
from tests.cluster.weights import Weights, weights_on_node

_STEPS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STEPS] = []


class Steps:
    """Keeps how long the steps of a test took, and what else it measured."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._test, self._kept = request.node.name, request.config.stash[_STEPS]

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Time a step."""
        began = time.monotonic()
        yield
        self.measured(step, time.monotonic() - began, "s")

    def measured(self, what: str, number: float, unit: str) -> None:
        """Keep a number to be shown."""
        self._kept.append(f"{number:7.2f} {unit:4}{self._test}: {what}")


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> Steps:
    """For `with steps.timed("a step")`; they are shown at the end of the run."""
    return Steps(request)


@pytest.fixture(scope="session")
def new_namespace() -> Iterator[Callable[..., Namespace]]:
    """Make namespaces, with labels if need be; all go when the run ends."""
    run("kubectl", "get", "crd", "inferenceservices.serving.kserve.io")
    made = []

    def make(*labels: str) -> Namespace:
        namespace = Namespace(f"faceswap-{secrets.token_hex(3)}")
        run("kubectl", "create", "namespace", namespace.name)
        made.append(namespace.name)
        if labels:
            run("kubectl", "label", "namespace", namespace.name, *labels)
        return namespace

    yield make
    run("kubectl", "delete", "namespace", "--ignore-not-found", "--wait=false", *made)


@pytest.fixture
def namespace(new_namespace: Callable[..., Namespace]) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    made = new_namespace()
    yield made
    made.delete()


@pytest.fixture
def client(namespace: Namespace) -> Client:
    """A pod beside the services, for calls."""
    return Client(namespace).start()


@pytest.fixture(scope="session")
def weights(new_namespace: Callable[..., Namespace]) -> Iterator[Weights]:
    """Weights of random numbers: as large as the real ones, and tiny ones."""
    with weights_on_node(new_namespace()) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what was in the namespaces of a test that failed."""
    report = yield
    if call.when == "call" and report.failed:  # type: ignore[attr-defined]
        for namespace in sorted(_namespaces(getattr(item, "funcargs", {}))):
            report.sections.append((namespace, _described(Namespace(namespace))))  # type: ignore[attr-defined]
    return report


def _namespaces(fixtures: dict[str, object]) -> set[str]:
    """Return the names of all namespaces that a test was given."""
    given: list[object] = []
    for value in fixtures.values():
        given += value.values() if isinstance(value, dict) else [value]
    clients = {each.namespace.name for each in given if isinstance(each, Client)}
    return clients | {each.name for each in given if isinstance(each, Namespace)}


def _described(namespace: Namespace) -> str:
    questions = (
        ("get", "inferenceservices,deployments,pods,hpa,events", "-o", "wide"),
        ("logs", "-l", "serving.kserve.io/inferenceservice", "--tail=30", "--prefix"),
        ("get", "rayservices,rayclusters", "-o", "yaml"),
        ("logs", "-l", "ray.io/node-type", "--all-containers", "--tail=30", "--prefix"),
    )
    texts = []
    for words in questions:
        try:
            texts.append(namespace.kubectl(*words))
        except CommandFailed as error:
            texts.append(str(error))
    return "\n".join(texts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what was measured."""
    if not (kept := config.stash[_STEPS]):
        return
    terminalreporter.section("steps on the cluster")
    for line in kept:
        terminalreporter.write_line(line)
