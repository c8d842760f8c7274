"""Detectors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.detectors.centerface import CenterFace, centerface_network
from predictor.detectors.scrfd import Scrfd, scrfd_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import Detector


def _centerface(resources: Resources) -> Detector:
    return CenterFace(resources.open_session(centerface_network()))


def _scrfd(resources: Resources) -> Detector:
    return Scrfd(resources.open_session(scrfd_network(resources.weights.find("det_10g.onnx"))))


DETECTORS: dict[str, Callable[[Resources], Detector]] = {"centerface": _centerface, "scrfd": _scrfd}
"""How each detector is built; it may raise StartupError."""
