"""A server whose gRPC side breaks down as soon as it is to serve; its models never finish loading."""

from __future__ import annotations

import sys
import threading

from predictor.service import Service
from predictor.serving.grpc import PredictorGrpcServer
from predictor.serving.server import serve
from predictor.settings import Settings, read_settings


async def break_down(_server: PredictorGrpcServer) -> None:
    raise RuntimeError("no ears")


def load_for_ever(_settings: Settings) -> Service:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


if __name__ == "__main__":
    PredictorGrpcServer.serve = break_down  # type: ignore[method-assign, assignment]
    sys.exit(serve(read_settings(), load_for_ever))
