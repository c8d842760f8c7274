"""Upsamplers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.upsamplers import real_esrgan
from predictor.upsamplers.lanczos import Lanczos

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Upsampler


def _lanczos(_: Resources) -> Upsampler:
    return Lanczos()


UPSAMPLERS: dict[str, Callable[[Resources], Upsampler]] = {
    "lanczos": _lanczos,
    "real_esrgan": real_esrgan.open_x4v3,
    "real_esrgan_x2plus": real_esrgan.open_x2plus,
    "real_esrgan_x4plus": real_esrgan.open_x4plus,
}
"""How each upsampler is built; it may raise StartupError."""
