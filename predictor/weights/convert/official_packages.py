"""Makes basicsr, facexlib, gfpgan and realesrgan importable with today's torch, torchvision and SciPy.

Their last releases are of 2022 and import what has moved since. Everything that stands in their way is cleared here,
and nowhere else; `make_importable()` first, then `from gfpgan import GFPGANer` and the like work as written.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

from predictor.errors import PackagesMissing

if TYPE_CHECKING:
    import torch

_PACKAGES = ("basicsr", "facexlib", "gfpgan", "realesrgan")


def make_importable() -> None:
    """Import the official packages, whatever they break on; the second call does nothing.

    Raises:
        PackagesMissing: The extra `torch` is not installed, or only a part of it.
    """
    try:
        importlib.import_module("torch")
        _import_torchvision()
        _restore_functional_tensor()
        _import_packages()
    except ModuleNotFoundError as error:
        raise PackagesMissing(
            f"{error.name} is not installed; converting weights and the reference recipe need torch and the official"
            " packages: make setup-torch"
        ) from error


def _import_torchvision() -> None:
    """Import torchvision, also a build of it that cannot load its compiled operators.

    A registry has torchvision for CUDA only; beside torch for CPUs its operators are missing, and it refuses to be
    imported before somebody has declared the two that it describes at import.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return
    library = importlib.import_module("torch.library")
    for operator in ("nms", "qnms"):
        library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    importlib.import_module("torchvision")
    # the wrapper around the operator asks for the compiled ones, so it is the wrapper that is replaced
    vars(importlib.import_module("torchvision.ops"))["nms"] = non_maximum_suppression


def non_maximum_suppression(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Return the indices of the boxes that no better box overlaps by more than the threshold, best first.

    Args:
        boxes: Left, top, right, bottom; shape (N, 4).
        scores: Shape (N,).
        iou_threshold: Intersection over union above which the lesser of two boxes is dropped.
    """
    left_top, right_bottom = boxes[:, :2], boxes[:, 2:]
    areas = (right_bottom - left_top).prod(1)
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        width_height = right_bottom[rest].minimum(right_bottom[best]) - left_top[rest].maximum(left_top[best])
        intersection = width_height.clamp(min=0).prod(1)
        order = rest[intersection / (areas[rest] + areas[best] - intersection) <= iou_threshold]
    return order.new_tensor([int(each) for each in kept])


def _restore_functional_tensor() -> None:
    """Give basicsr the module that torchvision dropped in 0.17; it wants one function of it."""
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules:
        return
    module = ModuleType(name, "The one function of the dropped module that basicsr imports.")
    module.__dict__["rgb_to_grayscale"] = importlib.import_module("torchvision.transforms.functional").rgb_to_grayscale
    sys.modules[name] = module


def _import_packages() -> None:
    with warnings.catch_warnings():
        # basicsr imports scipy.ndimage.filters, whose name goes away with SciPy 2
        warnings.filterwarnings("ignore", message=".*scipy.ndimage", category=DeprecationWarning)
        for package in _PACKAGES:
            importlib.import_module(package)
