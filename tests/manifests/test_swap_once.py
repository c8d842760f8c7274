"""What `helm test` runs in a pod, run here against a real server."""

from __future__ import annotations

import subprocess
import sys

from predictor.client.server_process import free_ports, serving
from tests.manifests.chart import manifests, of_kind


def _run(url: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    (pod,) = of_kind("Pod", manifests({"tests": {"timeoutSeconds": seconds}}))
    _python, *arguments, _url = pod["spec"]["containers"][0]["command"]
    return subprocess.run([sys.executable, *arguments, url], capture_output=True, text=True, check=False, timeout=100)


def test_it_waits_for_readiness_and_swaps_a_face() -> None:
    http, grpc = free_ports(2)

    with serving({"HTTP_PORT": str(http), "GRPC_PORT": str(grpc), "DRAIN_DELAY_SECONDS": "0"}):
        done = _run(f"http://127.0.0.1:{http}/v1/models/faceswap")
        refused = _run(f"http://127.0.0.1:{http}/v1/models/faceswap-detect")

    assert (done.returncode, done.stderr) == (0, "")
    assert "is ready and swapped a face in" in done.stdout
    assert refused.returncode == 1
    assert "faceswap-detect: 400" in refused.stderr


def test_it_says_what_did_not_become_ready() -> None:
    (port,) = free_ports(1)

    done = _run(f"http://127.0.0.1:{port}/v1/models/faceswap", seconds=1)

    assert done.returncode == 1
    assert "did not become ready" in done.stderr
