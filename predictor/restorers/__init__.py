"""Restorers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.restorers.sharpen import Sharpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.runtime.session import OpenSession
    from predictor.stages import Restorer


def _sharpen(_: OpenSession) -> Restorer:
    return Sharpen()


RESTORERS: dict[str, Callable[[OpenSession], Restorer]] = {"sharpen": _sharpen}
"""How each restorer is built; it may raise StartupError."""
