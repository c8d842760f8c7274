"""Upsamplers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.upsamplers.lanczos import Lanczos

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.runtime.session import OpenSession
    from predictor.stages import Upsampler


def _lanczos(_: OpenSession) -> Upsampler:
    return Lanczos()


UPSAMPLERS: dict[str, Callable[[OpenSession], Upsampler]] = {"lanczos": _lanczos}
"""How each upsampler is built; it may raise StartupError."""
