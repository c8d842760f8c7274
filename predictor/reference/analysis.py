"""insightface as its users run it: FaceAnalysis and INSwapper, each on sessions of its own making."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import insightface.app
import insightface.app.common
import insightface.model_zoo
import numpy as np

from predictor.faces import Box, Face

if TYPE_CHECKING:
    from predictor.faces import Embedding
    from predictor.resources import Weights

# What the packages say of their classes: nothing; they ship no types.
FaceAnalysis = Any
INSwapper = Any
InsightFace = Any


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FoundFace(Face):
    """A face as FaceAnalysis finds it: it embeds every face at once, of sources and of destinations."""

    embedding: Embedding
    """As the network gives it, shape (512,), of any length."""


def open_analysis(weights: Weights) -> FaceAnalysis:
    """Open detection and recognition with insightface's default options and detector sizes.

    Raises:
        WeightsMissing, WeightsDamaged, LicenceNotAccepted: A file cannot be run.
    """
    files = [weights.find("det_10g.onnx"), weights.find("w600k_r50.onnx")]
    # It takes a folder, and downloads where there is none. Once it has run it reads no file again: its sessions for
    # the two sizes are made on first use.
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "models", "buffalo_l")
        folder.mkdir(parents=True)
        for file in files:
            (folder / file.name).symlink_to(file.resolve())
        analysis = insightface.app.FaceAnalysis(
            name="buffalo_l", root=root, allowed_modules=["detection", "recognition"]
        )
        analysis.prepare(ctx_id=0)
        analysis.det_model.detect(np.zeros((64, 64, 3), np.uint8))
    return analysis


def open_swapper(weights: Weights) -> INSwapper:
    """Open inswapper_128 with insightface's default options.

    Raises:
        WeightsMissing, WeightsDamaged, LicenceNotAccepted: The file cannot be run.
    """
    with contextlib.redirect_stdout(sys.stderr):  # it prints its input's shape; stdout belongs to answers
        return insightface.model_zoo.get_model(str(weights.find("inswapper_128.onnx")))


def face_of(found: InsightFace) -> FoundFace:
    """Return a face of insightface's as one of ours."""
    left, top, right, bottom = (float(edge) for edge in found.bbox)
    landmarks = np.asarray(found.kps, np.float32)
    return FoundFace(Box(left, top, right, bottom), landmarks, float(found.det_score), embedding=found.embedding)


def insightface_of(face: Face | None, embedding: Embedding | None = None) -> InsightFace:
    """Return what INSwapper and the recognition model take: the landmarks of a face, or an embedding."""
    return insightface.app.common.Face(kps=face.landmarks if face else None, embedding=embedding)
