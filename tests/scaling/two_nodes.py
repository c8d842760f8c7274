"""A Ray of two nodes on this machine, with our application on it: run as a script, by `conftest.py`.

Says on stdout, in a line of JSON, where it is; then does what comes on stdin, a word a line, and says what came of it:

    kill    ends the worker node as a machine ends, its raylet and all its processes at once; their names
    sizes   how often so many orders were swapped together, as replicas of the swapper tell

It ends with stdin.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import ray
from ray import serve
from ray.cluster_utils import Cluster

from predictor.client.server_process import free_ports
from predictor.scaling.app import build

_QUESTIONS = 10
"""So many that each of two replicas is asked."""
_TRIES = 6
_STORE_BYTES = 150 * 1024 * 1024


def main() -> None:
    """Start, serve, obey."""
    http_port, grpc_port = (int(word) for word in sys.argv[1:3])
    settings = json.loads(sys.argv[3])
    cluster = _patiently(lambda: Cluster(initialize_head=True, head_node_args={**_node(), "include_dashboard": False}))
    worker = _patiently(lambda: cluster.add_node(**_node()))
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": "127.0.0.1", "port": http_port, "keep_alive_timeout_s": 30},
            grpc_options={"port": grpc_port, "grpc_servicer_functions": ["predictor.scaling.proxy.add_to_server"]},
        )
        serve.run(build(settings), name="faceswap", route_prefix="/")
        print(json.dumps({"address": cluster.address}), flush=True)
        for line in sys.stdin:
            (process,) = worker.all_processes["raylet"]
            said = _kill(process.process.pid) if line.strip() == "kill" else _sizes()
            print(json.dumps(said), flush=True)
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]  # Ray's
        ray.shutdown()
        cluster.shutdown()


def _patiently(start: Callable[[], Any]) -> Any:  # noqa: ANN401  # Ray's
    """Start a node; again, where a busy machine was slower to start its processes than Ray allows."""
    for _ in range(_TRIES - 1):
        try:
            return start()
        except Exception as error:  # noqa: BLE001  # a bare one is what Ray raises
            print(error, file=sys.stderr)
    return start()


def _node() -> dict[str, Any]:
    """Return what a node has; its agents' ports among it: Ray ends a node whose agents do not tell theirs in 15 s."""
    agents = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    return {"num_cpus": 4, "object_store_memory": _STORE_BYTES, **dict(zip(agents, free_ports(4), strict=True))}


def _sizes() -> dict[str, int]:
    handle = serve.get_deployment_handle("swapper", "faceswap")
    asked = [handle.batch_sizes.remote().result(timeout_s=30) for _ in range(_QUESTIONS)]
    return {str(size): max(each.get(size, 0) for each in asked) for size in {size for each in asked for size in each}}


def _kill(raylet: int) -> list[str]:
    """End a raylet and its children, without a word to any of them; return their names."""
    listed = subprocess.run(
        ["/bin/ps", "--ppid", str(raylet), "-o", "pid=,args="], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    children = [line.strip().split(maxsplit=1) for line in listed]
    for pid in (raylet, *(int(pid) for pid, _ in children)):
        os.kill(pid, signal.SIGKILL)
    return [name for _, name in children]


if __name__ == "__main__":
    main()
