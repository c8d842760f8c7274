"""Embedders, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Embedder

EMBEDDERS: dict[str, Callable[[Resources], Embedder]] = {}
"""How each embedder is built; it may raise StartupError."""
