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

_STEPS = pytest.StashKey[list[tuple[str, str, float]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STEPS] = []


class Steps:
    """Keeps how long the steps of a test took."""

    def __init__(self, test: str, kept: list[tuple[str, str, float]]) -> None:
        self._test, self._kept = test, kept

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Time a step."""
        began = time.monotonic()
        yield
        self._kept.append((self._test, step, time.monotonic() - began))


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> Steps:
    """For `with steps.timed("a step")`; they are shown at the end of the run."""
    return Steps(request.node.name, request.config.stash[_STEPS])


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
    run("kubectl", "delete", "namespace", made.name, "--wait=false")


@pytest.fixture
def client(namespace: Namespace) -> Client:
    """A pod beside the services, for calls."""
    return Client(namespace).start()


@pytest.fixture(scope="session")
def weights(new_namespace: Callable[..., Namespace]) -> Iterator[Weights]:
    """Weights as large as the real ones, of random numbers."""
    with weights_on_node(new_namespace(), "full") as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what was in the namespace of a test that failed."""
    report = yield
    namespace = getattr(item, "funcargs", {}).get("namespace")
    if call.when == "call" and report.failed and isinstance(namespace, Namespace):  # type: ignore[attr-defined]
        report.sections.append(("the namespace", _described(namespace)))  # type: ignore[attr-defined]
    return report


def _described(namespace: Namespace) -> str:
    questions = (
        ("get", "inferenceservices,deployments,pods,hpa,events", "-o", "wide"),
        ("logs", "-l", "serving.kserve.io/inferenceservice", "--tail=30", "--prefix"),
    )
    texts = []
    for words in questions:
        try:
            texts.append(namespace.kubectl(*words))
        except CommandFailed as error:
            texts.append(str(error))
    return "\n".join(texts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show how long each step took."""
    if not (kept := config.stash[_STEPS]):
        return
    terminalreporter.section("steps on the cluster")
    for test, step, seconds in kept:
        terminalreporter.write_line(f"{seconds:7.1f} s  {test}: {step}")
