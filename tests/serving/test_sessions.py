"""How each network really runs is told by the log, by /metrics and by the metadata of every model."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelMetadataRequest

from predictor.runtime.threads import available_threads
from tests.serving.pictures import portrait
from tests.serving.wire import Ask, RestRequest

if TYPE_CHECKING:
    from predictor.client.server_process import RunningServer
    from tests.serving.wire import GrpcConnection, RestConnection

# The one network of the embedded recipe; which engine and precision it gets depends on the machine.
_NETWORK = "centerface"


def test_log_metrics_and_metadata_tell_the_same(
    rest: RestConnection, grpc_connection: GrpcConnection, server_log: Path
) -> None:
    logged = re.search(rf"{_NETWORK} runs on (\w+) in (\w+)", server_log.read_text())
    assert logged
    provider, precision = logged.groups()

    for model in ("faceswap", "faceswap-enhance", "faceswap-detect"):
        metadata = rest.ask(RestRequest("GET", f"/v2/models/{model}")).json
        assert metadata["platform"] == {"openvino": "openvino_onnx"}.get(provider, "onnxruntime_onnx")
        assert metadata["parameters"][f"{_NETWORK}.provider"] == provider
        assert metadata["parameters"][f"{_NETWORK}.precision"] == precision
        answer = grpc_connection.ask(ModelMetadataRequest(name=model), "ModelMetadata", {"x-request-id": "told"})
        assert json.loads(answer.trailers["model-parameters"]) == metadata["parameters"]
        assert answer.trailers["x-request-id"] == "told"
    series = f'predictor_session_info{{network="{_NETWORK}",precision="{precision}",provider="{provider}"}} 1.0'
    assert series in rest.ask(RestRequest("GET", "/metrics")).body.decode().splitlines()


def test_what_computes_lets_who_answers_go_first(server: RunningServer, rest: RestConnection) -> None:
    before = _nanoseconds(server.process.pid)
    for _ in range(3):
        assert rest.ask(Ask("faceswap-detect", portrait()).rest()).status == 200
    taken = _nanoseconds(server.process.pid)
    taken.subtract(before)

    own = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    most = taken.most_common(min(2, available_threads()))
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread, _ in most} == {min(19, own + 10)}


def _nanoseconds(pid: int) -> Counter[int]:
    """How long each thread of a process has had a processor."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return Counter({int(task.name): int((task / "schedstat").read_text().split()[0]) for task in tasks})
