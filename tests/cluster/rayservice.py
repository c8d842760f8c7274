"""A RayService in a namespace, as KubeRay and Ray Serve tell of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.cluster.callers import Client
from tests.cluster.kubernetes import CommandFailed, Manifest, Namespace, name_of

NAME = "faceswap-ray"
REST_PORT, GRPC_PORT = 8000, 9000
_STAGES = {"detector", "swapper", "restorer", "upsampler"}
_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class RayService:
    """The RayService of the chart, called by a pod beside it."""

    namespace: Namespace

    @property
    def url(self) -> str:
        """Where pods reach it over REST."""
        return f"http://{self._host}:{REST_PORT}"

    @property
    def grpc(self) -> str:
        """Where pods reach it over gRPC."""
        return f"{self._host}:{GRPC_PORT}"

    @property
    def _host(self) -> str:
        return f"{NAME}-serve-svc.{self.namespace.name}.svc.cluster.local"

    @property
    def status(self) -> dict[str, Any]:
        """What KubeRay says of it."""
        found: dict[str, Any] = self.namespace.get("rayservice", NAME).get("status", {})
        return found

    def is_ready(self) -> bool:
        """Whether KubeRay says that it is ready."""
        told = self.status.get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in told)

    @property
    def cluster(self) -> str:
        """The name of the cluster that is called."""
        return str(self.status["activeServiceStatus"]["rayClusterName"])

    @property
    def clusters(self) -> set[str]:
        """The names of all its clusters."""
        return {name_of(each) for each in self.namespace.find("rayclusters")}

    def pods(self, kind: str, cluster: str | None = None) -> list[Manifest]:
        """Return the pods of a cluster, `head` or `worker`, without those on their way out."""
        labels = f"ray.io/cluster={cluster or self.cluster},ray.io/node-type={kind}"
        pods = self.namespace.find("pods", "-l", labels)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def in_head(self, *words: str, cluster: str | None = None) -> str:
        """Run a command in the head's container."""
        (head,) = self.pods("head", cluster)
        return self.namespace.kubectl("exec", name_of(head), "-c", "ray-head", "--", *words)

    def places(self) -> dict[str, list[str]]:
        """Return the addresses of the pods where each deployment has replicas that run, empty where Ray cannot say."""
        try:
            said = self.in_head("wget", "-q", "-T", "20", "-O-", "http://localhost:8265/api/serve/applications/")
        except CommandFailed:
            return {}
        deployments = json.loads(said)["applications"]["faceswap"]["deployments"]
        return {
            name: [replica["node_ip"] for replica in each["replicas"] if replica["state"] == "RUNNING"]
            for name, each in deployments.items()
        }

    def memory(self) -> dict[str, int]:
        """Return the bytes that each of its pods holds, without what is only cached."""
        script = "grep -hsE '^(total_rss|anon) ' /sys/fs/cgroup/memory/memory.stat /sys/fs/cgroup/memory.stat || true"
        pods = [name_of(pod) for kind in ("head", "worker") for pod in self.pods(kind)]
        said = {pod: self.namespace.kubectl("exec", pod, "--", "sh", "-c", script) for pod in pods}
        return {pod: int(words.split()[-1]) for pod, words in said.items()}

    def has_all_stages_without(self, address: str) -> bool:
        """Whether every stage has a replica that runs, and none of them at an address."""
        places = self.places()
        return all(places.get(stage) and address not in places[stage] for stage in _STAGES)

    def connections(self, cluster: str, client: Client) -> int:
        """Return how many connections of the client a cluster's head still has."""
        address = self.namespace.get("pod", client.name)["status"]["podIP"]
        remote = "".join(f"{int(number):02X}" for number in reversed(address.split(".")))
        local = f"(?:{REST_PORT:04X}|{GRPC_PORT:04X})"
        rows = self.in_head("cat", "/proc/net/tcp", "/proc/net/tcp6", cluster=cluster)
        return len(re.findall(rf":{local} \w*{remote}:\w{{4}} {_ESTABLISHED} ", rows))

    def counted(self, metric: str, client: Client) -> float:
        """Return a counter of ours, summed over its labels."""
        script = (
            f"import urllib.request; print(urllib.request.urlopen('{self.url}/metrics', timeout=30).read().decode())"
        )
        lines = client.run("python", "-c", script).splitlines()
        return sum(float(line.split()[-1]) for line in lines if re.match(rf"{metric}[{{ ]", line))
