"""How fast a job could be at best here: what its networks compute, at the matrix peak of this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from predictor.runtime.session import Network

if TYPE_CHECKING:
    from predictor.runtime.session import OpenSession

_DETECT, _EMBED, _SWAP, _RESTORE, _ENLARGE = 13.3e9, 6.31e9, 174.6e9, 197.8e9, 1.209e6
"""Multiply-accumulates of one run: SCRFD-10G at 640×640, iresnet50, inswapper_128, GFPGAN 1.4; of x4v3 for a pixel.

Counted over the graphs of `predictor.stand_ins`, layer by layer.
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
_SIDE = 2048
_RUNS = 9


def peak(open_session: OpenSession) -> float:
    """Return multiply-accumulates a second of a large matrix product, the best of several runs."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((_SIDE, _SIDE), np.float32)
    feed = {"x": rng.standard_normal((_SIDE, _SIDE), np.float32)}
    session = open_session(Network("the matrix product of the bench", _matrix_product(weights), feed))
    seconds = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - began)
    return _SIDE**3 / min(seconds)


def floor_ms(task: str, macs_per_second: float) -> float | None:
    """Return the least milliseconds a task can take; None where no network runs."""
    work = MULTIPLY_ACCUMULATES[task]
    return None if work is None else work / macs_per_second * 1e3


def _matrix_product(weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    shape = list(weights.shape)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
