"""kubectl and helm as a person types them, and namespaces to type them in."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "faceswap-predictor"
DEPLOY = ROOT / "deploy"
IMAGE = "localhost/faceswap-predictor:dev"
Manifest = dict[str, Any]
Values = Mapping[str, Any]
Found = TypeVar("Found")
SMALL: Manifest = {
    "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "4Gi"}}
}
"""Values of a service that leaves room for others on two cores."""
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
"""The label of a namespace that enforces the restricted Pod Security Standard."""

_POLL_SECONDS = 0.5


class CommandFailed(AssertionError):
    """A program ended with an error; the text is what it said."""


def run(program: str, *words: str, stdin: str | bytes | None = None, timeout: float = 120) -> str:
    """Run a program and return what it wrote to stdout.

    Raises:
        CommandFailed: It ended with an error, or did not end in time.
    """
    given = stdin.encode() if isinstance(stdin, str) else stdin
    path = shutil.which(program)
    assert path, f"{program} is not installed"
    try:
        done = subprocess.run([path, *words], input=given, capture_output=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{program} {' '.join(words)[:300]}: not done within {timeout:g} s") from error
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace")
        raise CommandFailed(f"{program} {' '.join(words)[:300]}: exit {done.returncode}\n{said}")
    return done.stdout.decode(errors="replace")


def until(find: Callable[[], Found], what: str, seconds: float = 60) -> Found:
    """Ask until there is an answer that counts as true, and return it.

    Raises:
        AssertionError: The time is up.
    """
    end = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(_POLL_SECONDS)
    return found


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of a test, and what can be said in it."""

    name: str

    def kubectl(self, *words: str, stdin: str | bytes | None = None, timeout: float = 120) -> str:
        """Run kubectl here."""
        return run("kubectl", "-n", self.name, *words, stdin=stdin, timeout=timeout)

    def helm(self, *words: str, values: Values | None = None, timeout: float = 120) -> str:
        """Run helm here; values are given beside those that the words name, and win."""
        given = ("-f", "-") if values is not None else ()
        stdin = json.dumps(values) if values is not None else None
        return run("helm", "-n", self.name, *words, *given, stdin=stdin, timeout=timeout)

    def install(self, values: Values | None = None, *words: str) -> None:
        """Install the chart, or upgrade it, under the name `faceswap`."""
        self.helm("upgrade", "--install", "faceswap", str(CHART), *words, values=values or {})

    def delete(self) -> None:
        """Let the namespace and all in it go, without waiting for that."""
        run("kubectl", "delete", "namespace", self.name, "--wait=false")

    def apply(self, *objects: Manifest) -> None:
        """Apply objects."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def dry_run(self, objects: Sequence[Manifest]) -> int:
        """Ask the server whether it would take objects, strictly, and return how many it would.

        Raises:
            CommandFailed: Of one it says no.
        """
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        said = self.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
        return said.count("(server dry run)")

    def get(self, *words: str) -> Manifest:
        """Return what `kubectl get` finds."""
        found: Manifest = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def find(self, *words: str) -> list[Manifest]:
        """Return the objects that `kubectl get` lists."""
        found: list[Manifest] = self.get(*words)["items"]
        return found

    def pods(self, service: str = "faceswap-cpu") -> list[Manifest]:
        """Return the pods of an InferenceService, without those on their way out."""
        pods = self.find("pods", "-l", f"serving.kserve.io/inferenceservice={service}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def roll_out(self, deployment: str = "faceswap-cpu-predictor", seconds: int = 180) -> None:
        """Wait until the Deployment runs what it should; `helm --wait` goes by other generations and cannot tell."""
        until(lambda: self.find("deployments", f"--field-selector=metadata.name={deployment}"), deployment)
        words = ("rollout", "status", f"deployment/{deployment}", f"--timeout={seconds}s")
        self.kubectl(*words, timeout=seconds + 10)

    def is_ready(self, service: str = "faceswap-cpu") -> bool:
        """Whether KServe says of an InferenceService that it is ready."""
        return self.condition("Ready", service).get("status") == "True"

    def condition(self, kind: str, service: str = "faceswap-cpu") -> Manifest:
        """Return a condition of an InferenceService, empty where KServe has not told it yet."""
        told = self.get("inferenceservice", service).get("status", {}).get("conditions", [])
        return next((one for one in told if one["type"] == kind), {})

    def in_server(self, *words: str, stdin: bytes | None = None) -> str:
        """Run a command in the server's own container."""
        return self.kubectl("exec", "-i", "deployment/faceswap-cpu-predictor", "--", *words, stdin=stdin)

    def status_of_server(self, line: str) -> int:
        """Return a number of the server's own /proc/…/status; kilobytes become bytes."""
        for each in self.in_server("cat", "/proc/1/status").splitlines():
            name, _, value = each.partition(":")
            if name == line:
                number, *unit = value.split()
                return int(number) * (1024 if unit == ["kB"] else 1)
        raise AssertionError(line)

    def peak_memory(self) -> int:
        """Return the bytes that the server has held at most so far."""
        return self.status_of_server("VmHWM")

    def url(self, service: str = "faceswap-cpu") -> str:
        """Return where pods reach a service over REST."""
        return f"http://{service}-predictor.{self.name}.svc.cluster.local"

    def grpc(self, service: str = "faceswap-cpu") -> str:
        """Return where pods reach a service over gRPC."""
        return f"{service}-predictor.{self.name}.svc.cluster.local:8081"


def is_pod_ready(pod: Manifest) -> bool:
    """Whether a pod is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def name_of(manifest: Manifest) -> str:
    """Return an object's name."""
    return str(manifest["metadata"]["name"])
