"""A pod that calls: from our own image, under the restricted standard, and by the names of Services."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

from tests.cluster.kubernetes import IMAGE, Manifest, Namespace, name_of, until

_INSIDE = Path(__file__).parent / "inside"
_READY_SECONDS = 60
_STOP_SECONDS = 120


def pod(name: str, command: Sequence[str], cores: str = "1") -> Manifest:
    """Return a pod of our image that the restricted standard takes; /tmp is all it can write to."""
    safe = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": list(command),
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "128Mi"},
                        "limits": {"cpu": cores, "memory": "3Gi"},
                    },
                    "securityContext": safe,
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


@dataclass(frozen=True, slots=True)
class Report:
    """What callers saw."""

    calls: dict[str, int]
    """How many calls each made, by its kind: failed ones and answered ones."""
    failures: list[dict[str, Any]]
    """Each with its kind, when it began and ended, and what was said."""


@dataclass(slots=True)
class Load:
    """Callers at work; the report comes when they have stopped."""

    report: Report = field(default_factory=lambda: Report({}, []))


@dataclass(frozen=True, slots=True)
class Client:
    """The pod that calls."""

    namespace: Namespace
    name: str = "client"

    def start(self) -> Client:
        """Make the pod and wait for it."""
        self.namespace.apply(pod(self.name, ["sleep", "infinity"]))
        self.namespace.kubectl("wait", "--for=condition=Ready", f"--timeout={_READY_SECONDS}s", f"pod/{self.name}")
        return self

    def run(self, *words: str, stdin: str | bytes | None = None, timeout: float = 180) -> str:
        """Run a command in the pod and return what it wrote."""
        return self.namespace.kubectl("exec", "-i", self.name, "--", *words, stdin=stdin, timeout=timeout)

    def run_script(self, script: str, *words: str, timeout: float = 180) -> Any:  # noqa: ANN401  # JSON
        """Run one of the scripts of `inside/` and return the JSON it wrote."""
        return json.loads(self.run("python", "-c", (_INSIDE / script).read_text(), *words, timeout=timeout))

    def call(self, url: str, *words: str, timeout: float = 180) -> dict[str, Any]:
        """Run `python -m predictor call` and return its report.

        Raises:
            CommandFailed: A call failed.
        """
        said = self.run("python", "-m", "predictor", "call", url, "--json", *words, timeout=timeout)
        report: dict[str, Any] = json.loads(said)
        return report

    @contextmanager
    def calling(self, *callers: str, pause: float = 0.5, patient: bool = False) -> Iterator[Load]:
        """Call steadily for as long as `with` lasts.

        Args:
            callers: Where each calls, and how: `rest-new=URL`, `rest-kept=URL`, `grpc-new=HOST:PORT`, `grpc-kept=…`.
            pause: Seconds between two calls of a caller.
            patient: Whether a caller tries again where no connection was made, so that nothing can have been sent.
        """
        words = ["--pause", str(pause), *(["--patient"] if patient else []), *callers]
        script = (_INSIDE / "call_steadily.py").read_text()
        command = ["-n", self.namespace.name, "exec", "-i", self.name, "--", "python", "-c", script, *words]
        kubectl = which("kubectl")
        assert kubectl
        load = Load()
        with subprocess.Popen([kubectl, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            try:
                assert process.stdout.readline() == b"calling\n", "no caller has begun"
                yield load
                said, _ = process.communicate(timeout=_STOP_SECONDS)  # closes stdin, at which they stop
            finally:
                process.kill()
        told = json.loads(said)
        load.report = Report(told["calls"], told["failures"])


def finish(namespace: Namespace, made: Manifest, seconds: float = 120) -> str:
    """Run a pod to its end and return its log.

    Raises:
        AssertionError: It failed, or did not end in time.
    """
    namespace.apply(made)
    name = name_of(made)

    def ended() -> str:
        phase = str(namespace.get("pod", name)["status"].get("phase"))
        return phase if phase in {"Succeeded", "Failed"} else ""

    phase = until(ended, f"the end of the pod {name}", seconds)
    log = namespace.kubectl("logs", name)
    assert phase == "Succeeded", log
    return log


def kill_on_node(namespace: Namespace, victim: Manifest) -> float:
    """Send SIGKILL to a pod's server from its node, and return the node's clock at that moment."""
    killer = pod("killer", ["python", "-c", (_INSIDE / "kill.py").read_text(), victim["metadata"]["uid"]])
    killer["spec"] |= {"hostPID": True, "securityContext": {"runAsUser": 0}, "nodeName": victim["spec"]["nodeName"]}
    killer["spec"]["containers"][0]["securityContext"] = {}
    return float(finish(namespace, killer))
