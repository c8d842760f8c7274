"""What serving adds to the pipeline's time: the same swap in this process and through the server, in turns."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from statistics import median, quantiles

from predictor import loader
from predictor.job import Job
from predictor.options import OutputOptions
from predictor.requests import EncodedPicture, SwapRequest
from predictor.settings import read_settings
from tests.load.clients import Ports
from tests.load.processes import LoadFailed
from tests.serving.wire import Ask, GrpcConnection, RestConnection

PIPELINE = "pipeline"
_WARM_UPS = 3
_ERROR_OF_A_MEDIAN = 1.253 / 1.349  # of a normal distribution: by its deviation, and that by its quartiles


def measure(ports: Ports, ask: Ask, rounds: int) -> Mapping[str, Sequence[float]]:
    """Return milliseconds by way: the pipeline in this process, V1 and gRPC; the first turns are left out.

    Raises:
        LoadFailed: The ways do not give the same picture.
    """
    with ExitStack() as stack:
        rest = stack.enter_context(closing(RestConnection(ports.http)))
        channel = stack.enter_context(closing(GrpcConnection(ports.grpc)))
        request, message = ask.rest(), ask.grpc()
        ways: dict[str, Callable[[], object]] = {
            PIPELINE: _pipeline(ask),
            "V1": lambda: rest.ask(request),
            "gRPC": lambda: channel.ask(message),
        }
        _require_same_picture(ways[PIPELINE](), rest.ask(request).json["swapped_images"][0]["image_data"])
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(_WARM_UPS + rounds):
            for way, call in ways.items():
                began = time.perf_counter()
                call()
                taken[way].append((time.perf_counter() - began) * 1000)
    return {way: times[_WARM_UPS:] for way, times in taken.items()}


def added(taken: Mapping[str, Sequence[float]], way: str) -> tuple[float, float]:
    """Return what a way took more than the pipeline in the same turn: the median in milliseconds, and its error.

    The error is the standard error of a median, by the distance of the quartiles: on a machine that does other things
    it can be larger than what is looked for.
    """
    more = [ours - alone for ours, alone in zip(taken[way], taken[PIPELINE], strict=True)]
    lower, _, upper = quantiles(more, n=4)
    return median(more), _ERROR_OF_A_MEDIAN * (upper - lower) / math.sqrt(len(more))


def added_at_best(taken: Mapping[str, Sequence[float]], way: str) -> float:
    """Return what the quickest turn of a way took more than the pipeline's: what a busy machine leaves."""
    return min(taken[way]) - min(taken[PIPELINE])


def _pipeline(ask: Ask) -> Callable[[], bytes]:
    service = loader.load(read_settings())

    def run() -> bytes:
        job = Job()
        pictures = [EncodedPicture("destination", data, "destination") for data in ask.destinations]
        request = SwapRequest([EncodedPicture("image", ask.image, "image")], pictures)
        works = service.read_swaps([request], job)
        (answer,) = service.swap_all(works, job)
        return service.encode(answer.pictures[0], OutputOptions(), job)

    return run


def _require_same_picture(ours: object, served: str) -> None:
    if ours != base64.b64decode(served):
        raise LoadFailed("the server's picture is not the pipeline's")
