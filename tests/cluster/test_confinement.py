"""What a pod may do and take: the restricted standard, a user nobody knows, a read-only root, a quota and a limit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.cluster.callers import Client
from tests.cluster.conftest import Steps
from tests.cluster.kubernetes import DEPLOY, SMALL, CommandFailed, Manifest, Namespace, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
ANY_USER = 1_000_730_000  # from such a range OpenShift gives each namespace its own
_GIB = 2**30


def _in_server(namespace: Namespace, *words: str) -> str:
    return namespace.kubectl("exec", "deployment/faceswap-cpu-predictor", "--", *words)


def _status(namespace: Namespace, line: str) -> int:
    """Return a number of the server's own /proc/…/status; kilobytes become bytes."""
    for each in _in_server(namespace, "cat", "/proc/1/status").splitlines():
        name, _, value = each.partition(":")
        if name == line:
            number, *unit = value.split()
            return int(number) * (1024 if unit == ["kB"] else 1)
    raise AssertionError(line)


@pytest.mark.parametrize("way", ["deploy", "any user", "openshift"])
def test_it_runs_in_a_namespace_that_enforces_the_restricted_standard(
    way: str, new_namespace: Callable[..., Namespace], steps: Steps
) -> None:
    namespace = new_namespace(RESTRICTED)
    client = Client(namespace).start()
    ids = {"runAsUser": ANY_USER, "runAsGroup": 0, "fsGroup": ANY_USER}

    with steps.timed("to a ready pod"):
        if way == "deploy":
            namespace.kubectl("apply", "-f", str(DEPLOY / "inferenceservice-cpu.yaml"))
        else:
            namespace.install(
                {**SMALL, **({"podSecurityContext": ids} if way == "any user" else {"openshift": {"enabled": True}})}
            )
        namespace.roll_out()
    answer = client.call(namespace.url())

    assert answer["answered"] == 1
    user, group = (int(_in_server(namespace, "id", flag)) for flag in ("-u", "-g"))
    assert (user, group) == (ANY_USER if way == "any user" else 1000, 0)
    for folder in ("/", "/app", "/venv", "/var/tmp"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            _in_server(namespace, "touch", f"{folder}/new")
    _in_server(namespace, "touch", "/tmp/new")
    if way != "deploy":
        assert "is ready and swapped a face" in namespace.helm("test", "faceswap", "--logs")
        namespace.helm("uninstall", "faceswap")


def _has_quota(namespace: Namespace, cores: int) -> bool:
    return _quota(namespace) == cores


def test_threads_follow_the_quota_of_the_pod(namespace: Namespace) -> None:
    threads, told = {}, {}
    for cores in (1, 2):
        resources: Manifest = {**SMALL["resources"], "limits": {"cpu": str(cores), "memory": "4Gi"}}
        namespace.install({**SMALL, "resources": resources, "strategy": {"type": "Recreate"}})
        until(partial(_has_quota, namespace, cores), f"the pod with {cores} cores", 120)
        namespace.roll_out()
        threads[cores] = _status(namespace, "Threads")
        told[cores] = int(_in_server(namespace, "python", "-c", _TELL_THREADS))

    assert told == {1: 1, 2: 2}
    assert threads[2] == threads[1] + 1  # of a network's session; all other threads are there in any case


_TELL_THREADS = "from predictor.runtime.threads import available_threads as it; print(it())"


def _quota(namespace: Namespace) -> int:
    """Return the limit of the only pod, 0 while there is none."""
    pods = namespace.pods()
    return int(pods[0]["spec"]["containers"][0]["resources"]["limits"]["cpu"]) if pods else 0


def test_the_largest_pictures_that_the_settings_allow_fit_into_the_default_memory(
    namespace: Namespace, client: Client, steps: Steps
) -> None:
    """64 megapixels in a picture, twice in a request, and 128 in an answer."""
    namespace.kubectl("apply", "-f", str(DEPLOY / "inferenceservice-cpu.yaml"))
    namespace.roll_out()
    for name, size in (("64", (8000, 8000)), ("32", (8000, 4000))):
        client.run("python", "-c", _DRAW, name, *map(str, size))
    asks = {
        "swap 64 onto 64 megapixels": ("--source", "/tmp/64.jpg", "--destination", "/tmp/64.jpg"),
        "enhance 32 to 128 megapixels": ("--model", "enhance", "--image", "/tmp/32.jpg", "--option", "upscale=2"),
        "detect in 64 megapixels": ("--model", "detect", "--image", "/tmp/64.jpg"),
    }

    for name, words in asks.items():
        with steps.timed(name):
            client.call(namespace.url(), "--protocol", "v2-raw", "--timeout", "300", *words, timeout=330)
    with pytest.raises(CommandFailed, match="output_too_large"):
        client.call(namespace.url(), "--model", "enhance", "--image", "/tmp/64.jpg", "--option", "upscale=2")

    (pod,) = namespace.pods()
    (container,), (status,) = pod["spec"]["containers"], pod["status"]["containerStatuses"]
    assert container["resources"]["limits"]["memory"] == "4Gi"
    assert status["restartCount"] == 0
    assert _status(namespace, "VmHWM") < 4 * _GIB * 0.75


_DRAW = """
import sys
from PIL import Image
from predictor.client.samples import ASTRONAUT
name, width, height = sys.argv[1:]
picture = Image.open(ASTRONAUT.path()).convert("RGB").resize((int(width), int(height)))
picture.save(f"/tmp/{name}.jpg")
"""
