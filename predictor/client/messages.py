"""KServe's gRPC stubs, loaded where they are needed: they bring all of kserve, seconds that REST callers need not wait.

KServe reads the process's command line while it is imported, and ends the process over words that are ours, such as
`--protocol grpc`; so ours is out of its sight for that moment. Load them before threads are started.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple


class Stubs(NamedTuple):
    """What a call is made of; none of it has types."""

    messages: Any
    service: Any


def load_stubs() -> Stubs:
    """Return the messages of V2 gRPC and the stub of its service."""
    ours, sys.argv = sys.argv, sys.argv[:1]
    try:
        package = "kserve.protocol.grpc.grpc_predict_v2_pb2"
        return Stubs(import_module(package), import_module(f"{package}_grpc").GRPCInferenceServiceStub)
    finally:
        sys.argv = ours
