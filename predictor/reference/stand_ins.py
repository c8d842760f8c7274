"""Random weights in the form the official packages load: the same numbers as in the graphs of `predictor.stand_ins`."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.stand_ins import gfpgan, rrdb, srvgg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from predictor.faces import Face, Image
    from predictor.reference.restorer import Gfpgan
    from predictor.stand_ins.net import State

STATES: dict[str, Callable[[], State]] = {
    "GFPGANv1.4.pth": lambda: gfpgan.gfpgan_state(gfpgan.FULL),
    "realesr-general-x4v3.pth": lambda: srvgg.srvgg_state(srvgg.FULL),
    "RealESRGAN_x4plus.pth": lambda: rrdb.rrdb_state(rrdb.FULL_X4),
    "RealESRGAN_x2plus.pth": lambda: rrdb.rrdb_state(rrdb.FULL_X2),
}
"""What each file holds, at full size: the packages know no other."""


def write(folder: Path, names: Sequence[str]) -> list[Path]:
    """Write files into a folder, made if need be; torch must be installed.

    Args:
        folder: Files there of the same names are replaced.
        names: Of STATES.

    Returns:
        The files, in the order of the names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [save(STATES[name](), folder / name) for name in names]


def save(state: State, path: Path) -> Path:
    """Write one state as an official file holds it; return its path."""
    torch: Any = importlib.import_module("torch")
    torch.save({"params_ema": {name: torch.from_numpy(values) for name, values in state.items()}}, path)
    return path


@contextmanager
def planted(restorer: Gfpgan, faces: Sequence[Face]) -> Iterator[None]:
    """For a while, let GFPGANer's detector do its work on every picture, and then find these faces.

    With random weights it finds none, and there would be nothing to restore.

    Args:
        restorer: Whose detector.
        faces: In pixels of the pictures that will be restored.
    """
    detector = restorer.package.face_helper.face_det
    detect = detector.detect_faces
    rows = [
        (box.left, box.top, box.right, box.bottom, 1.0, *face.landmarks.ravel().tolist())
        for face in faces
        for box in [face.box]
    ]

    def found(image: Image, *settings: float) -> object:
        detect(image, *settings)
        return np.array(rows, np.float64).reshape(-1, 15)

    detector.detect_faces = found
    try:
        yield
    finally:
        detector.detect_faces = detect
