"""Detectors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.detectors.centerface import CenterFace, centerface_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.runtime.session import OpenSession
    from predictor.stages import Detector


def _centerface(open_session: OpenSession) -> Detector:
    return CenterFace(open_session(centerface_graph()))


DETECTORS: dict[str, Callable[[OpenSession], Detector]] = {"centerface": _centerface}
"""How each detector is built; it may raise StartupError."""
