"""Swappers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.swappers.blend import Blend

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Swapper


def _blend(_: Resources) -> Swapper:
    return Blend()


SWAPPERS: dict[str, Callable[[Resources], Swapper]] = {"blend": _blend}
"""How each swapper is built; it may raise StartupError."""
