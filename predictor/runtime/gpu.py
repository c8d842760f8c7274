"""What CUDA and TensorRT are told, and where TensorRT keeps what it built."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_BYTES = 1 << 20
_WORKSPACE_BYTES = 2 << 30


def cuda_options(precision: str) -> dict[str, str]:
    """Return the options of CUDA's provider."""
    return {
        # Memory grows by what is asked for, not to the next power of two: with fixed shapes it stays where it is.
        "arena_extend_strategy": "kSameAsRequested",
        # Timing every algorithm would choose another one after a restart, and with it other bytes.
        "cudnn_conv_algo_search": "HEURISTIC",
        # TF32 has the ten bits of fp16: what is called fp32 shall be it.
        "use_tf32": "0" if precision == "fp32" else "1",
    }


def tensorrt_options(folder: Path, precision: str) -> dict[str, str]:
    """Return the options of TensorRT's provider; engines built and choices timed are kept in the folder."""
    return {
        "trt_fp16_enable": str(precision == "fp16"),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
        "trt_max_workspace_size": str(_WORKSPACE_BYTES),
    }


def engine_folder(cache: Path, name: str, model: Path | bytes) -> Path:
    """Return where the engines of a graph are kept, made if need be.

    TensorRT's own key knows names and layers but no weights, so the folder goes by the content.
    """
    digest = hashlib.sha256()
    for part in _parts(model):
        digest.update(part)
    folder = cache / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def engine_cache() -> Path:
    """Return a folder that can be written: in the user's cache, or else for this process alone."""
    cache = cache_folder()
    if cache is not None:
        folder = cache / "engines"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            pass
        else:
            if os.access(folder, os.W_OK):
                return folder
    return Path(tempfile.mkdtemp(prefix="faceswap-predictor-engines-"))


def _parts(model: Path | bytes) -> Iterator[bytes]:
    if isinstance(model, bytes):
        yield model
        return
    with model.open("rb") as file:
        while part := file.read(_READ_BYTES):
            yield part
