"""Swappers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.swappers.blend import Blend
from predictor.swappers.inswapper import open_inswapper

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Swapper


def _blend(_: Resources) -> Swapper:
    return Blend()


SWAPPERS: dict[str, Callable[[Resources], Swapper]] = {"blend": _blend, "inswapper": open_inswapper}
"""How each swapper is built; it may raise StartupError."""
