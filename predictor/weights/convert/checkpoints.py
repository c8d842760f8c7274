"""Official `.pth` files: read without running what is in them, blended, and loaded into the module they belong to."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import torch

from predictor.errors import WeightsDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

State = dict[str, torch.Tensor]

# Where the official files keep the weights; the averaged ones of training first, as the official packages do it.
_KEYS = ("params_ema", "params")


def read_state(path: Path) -> State:
    """Return the weights of a file by name, mapped from the disk and not copied where its format allows.

    Raises:
        WeightsDamaged: It is no file that torch can read as weights and nothing else.
    """
    try:
        # files of torch before 1.6 are no zip archives, and cannot be mapped
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # on bytes that are none of its own, torch's reader raises whatever comes up
        raise WeightsDamaged(f"{path} is no file of weights that torch can read") from error
    state = next((content[key] for key in _KEYS if key in content), content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsDamaged(f"{path} holds something else than the weights of one network")
    return state


def blended(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], share: float) -> State:
    """Return share · first + (1 - share) · second, weight by weight (deep network interpolation)."""
    return {name: torch.lerp(second[name], weight, share) for name, weight in first.items()}


def load(build: Callable[[], torch.nn.Module], state: State, path: Path) -> torch.nn.Module:
    """Return the module with these weights, ready to run; it is built without weights of its own.

    Raises:
        WeightsDamaged: The weights are those of another network.
    """
    with torch.device("meta"):
        module = build()
    try:
        module.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise WeightsDamaged(f"{path} does not hold the weights of {type(module).__name__}") from error
    return module.eval().requires_grad_(requires_grad=False)
