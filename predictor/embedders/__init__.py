"""Embedders, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.embedders.arcface import ArcFace, arcface_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Embedder


def _arcface(resources: Resources) -> Embedder:
    path = resources.weights.find("w600k_r50.onnx")
    return ArcFace(resources.open_session(arcface_network(path)), path)


EMBEDDERS: dict[str, Callable[[Resources], Embedder]] = {"arcface": _arcface}
"""How each embedder is built; it may raise StartupError."""
