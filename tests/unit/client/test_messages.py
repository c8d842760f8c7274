from __future__ import annotations

import subprocess
import sys


def test_our_options_do_not_end_the_process_when_kserve_reads_them() -> None:
    program = (
        "import sys; from predictor.client.messages import load_stubs; before = list(sys.argv);"
        "messages, service = load_stubs(); assert sys.argv == before; print(service.__name__, messages.__name__)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, "--protocol", "grpc", "--workers", "many"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["GRPCInferenceServiceStub", "kserve.protocol.grpc.grpc_predict_v2_pb2"]
