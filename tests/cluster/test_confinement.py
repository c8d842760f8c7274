"""What a pod may do and take: the restricted standard, a user nobody knows, a read-only root, a quota."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import RESTRICTED, SMALL, CommandFailed, Namespace, Values

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

ANY_USER = 1_000_730_000  # from such a range OpenShift gives each namespace its own
_IMAGES_USER = 1000


class Way(NamedTuple):
    """A way to install, the user that comes of it, and the cores that the pod may take."""

    values: Values
    user: int
    cores: int


WAYS = {
    "any user": Way(
        {"podSecurityContext": {"runAsUser": ANY_USER, "runAsGroup": 0, "fsGroup": ANY_USER}}, ANY_USER, cores=1
    ),
    "openshift": Way({"openshift": {"enabled": True}}, _IMAGES_USER, cores=2),
}


@pytest.fixture(scope="module")
def namespaces(
    request: pytest.FixtureRequest, new_namespace: Callable[..., Namespace]
) -> Iterator[dict[str, Namespace]]:
    """A namespace for each way, with a service in it; all enforce the restricted standard."""
    made = {name: new_namespace(RESTRICTED) for name in WAYS}
    with Steps(request).timed("both ways to a ready pod"):
        for name, way in WAYS.items():
            limits = {**SMALL["resources"]["limits"], "cpu": str(way.cores)}
            made[name].install({**SMALL, "resources": {**SMALL["resources"], "limits": limits}, **way.values})
        for namespace in made.values():
            namespace.roll_out()
    yield made
    for namespace in made.values():
        namespace.delete()


def test_threads_follow_the_quota_of_the_pod(namespaces: dict[str, Namespace]) -> None:
    threads = {name: namespace.status_of_server("Threads") for name, namespace in namespaces.items()}
    told = {name: namespace.in_server("python", "-c", _TELL_THREADS).strip() for name, namespace in namespaces.items()}

    assert told == {name: str(way.cores) for name, way in WAYS.items()}
    # of a network's session; all other threads are there in any case
    assert threads["openshift"] == threads["any user"] + 1


_TELL_THREADS = "from predictor.runtime.threads import available_threads as it; print(it())"


@pytest.mark.parametrize("way", WAYS)
def test_work_lets_answers_go_first_in_a_pod_that_may_do_next_to_nothing(
    way: str, namespaces: dict[str, Namespace]
) -> None:
    assert namespaces[way].in_server("python", "-c", _TELL_PRIORITIES).split() == ["0", "10"]


_TELL_PRIORITIES = """
import os
print(*sorted({os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in os.listdir("/proc/1/task")}))
"""


@pytest.mark.parametrize("way", WAYS)
def test_it_runs_in_a_namespace_that_enforces_the_restricted_standard(
    way: str, namespaces: dict[str, Namespace]
) -> None:
    namespace = namespaces[way]

    tested = namespace.helm("test", "faceswap", "--logs")

    assert "is ready and swapped a face" in tested
    user, group = (int(namespace.in_server("id", flag)) for flag in ("-u", "-g"))
    assert (user, group) == (WAYS[way].user, 0)


@pytest.mark.parametrize("way", WAYS)
def test_its_root_cannot_be_written(way: str, namespaces: dict[str, Namespace]) -> None:
    namespace = namespaces[way]

    for folder in ("/", "/app", "/venv", "/var/tmp"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            namespace.in_server("touch", f"{folder}/new")
    namespace.in_server("touch", "/tmp/new")
