"""How each network really runs is told by the log, by /metrics and by the metadata of every model."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelMetadataRequest

from tests.serving.wire import RestRequest

if TYPE_CHECKING:
    from pathlib import Path

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
