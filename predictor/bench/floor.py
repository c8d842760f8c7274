"""How fast a job could be at best here: what its networks compute, at the best rate this machine reached in the run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from predictor.runtime.session import Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.bench.table import Result
    from predictor.runtime.session import OpenSession, Tensor

_DETECT, _EMBED, _SWAP, _RESTORE, _ENLARGE = 13.3e9, 6.31e9, 174.6e9, 197.8e9, 1.209e6
"""Multiply-accumulates of one run: SCRFD-10G at 640×640, iresnet50, inswapper_128, GFPGAN 1.4; of x4v3 for a pixel.

Counted layer by layer over graphs of these architectures, when the project was begun; the stand-ins are the same ones.
"""
MULTIPLY_ACCUMULATES = {
    "detect_one": _DETECT,
    "embed_one": _EMBED,
    "swap_crop": _SWAP,
    "detect": 2 * _DETECT + _EMBED,
    "swap_six": 2 * _DETECT + _EMBED + 6 * _SWAP,
    "swap_and_restore_six": 2 * _DETECT + _EMBED + 6 * _SWAP + 6 * _RESTORE,
    "paste_back_1080p": None,
    "paste_back_4k": None,
    "restore_network": _RESTORE,
    "enlarge_4x_512": 512**2 * _ENLARGE,
    "enlarge_4x_1024": 1024**2 * _ENLARGE,
    "enlarge_2x_1024": 1024**2 * _ENLARGE,
}
"""What our networks compute in a task; None where none runs."""
_CHANNELS, _SIDE, _KERNEL = 1024, 32, 3
_RUNS = 9


def peak(open_session: OpenSession) -> float:
    """Return multiply-accumulates a second of a large convolution, the best of several runs.

    It is what the networks spend their time in, and the engines are faster at it than at a plain matrix product.
    """
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((_CHANNELS, _CHANNELS, _KERNEL, _KERNEL), np.float32) / np.float32(_CHANNELS)
    feed = {"x": rng.standard_normal((1, _CHANNELS, _SIDE, _SIDE), np.float32)}
    session = open_session(Network("the convolution of the bench", _convolution(weights), feed))
    seconds = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - began)
    return _CHANNELS**2 * _KERNEL**2 * _SIDE**2 / min(seconds)


def with_floors(results: Sequence[Result], peaks: Mapping[str, float]) -> list[Result]:
    """Return the results, each with the least milliseconds our side can take; None where no network runs.

    Args:
        results: Of all rows.
        peaks: Multiply-accumulates a second of each side of ours, measured by itself. Where a row of the side was
            faster, that counts: on a shared machine one moment is better than another.
    """
    best = dict(peaks)
    for result in results:
        work = MULTIPLY_ACCUMULATES[result.row.task]
        seconds = min(cost.milliseconds for cost in result.ours) / 1e3
        best[result.row.side] = max(best[result.row.side], (work or 0.0) / seconds)
    return [replace(result, floor_ms=_floor_ms(result.row.task, best[result.row.side])) for result in results]


def _floor_ms(task: str, macs_per_second: float) -> float | None:
    work = MULTIPLY_ACCUMULATES[task]
    return None if work is None else work / macs_per_second * 1e3


def _convolution(weights: Tensor) -> bytes:
    shape = [1, _CHANNELS, _SIDE, _SIDE]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weights"], ["y"], pads=[_KERNEL // 2] * 4)],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
