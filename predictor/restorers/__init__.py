"""Restorers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.restorers.sharpen import Sharpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Restorer


def _sharpen(_: Resources) -> Restorer:
    return Sharpen()


RESTORERS: dict[str, Callable[[Resources], Restorer]] = {"sharpen": _sharpen}
"""How each restorer is built; it may raise StartupError."""
