"""ArcFace: insightface's embedder, run by insightface's own class on a session of ours.

Source: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019. The class looks into the
graph to find out which colours it wants, so it is given the file, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import StageFailed
from predictor.imaging.alignment import ARCFACE_112
from predictor.runtime.session import Network
from predictor.stages import require_answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from predictor.faces import Embedding, Image
    from predictor.runtime.session import Session


class ArcFace:
    """Embedder backed by an ArcFace graph: input (N, 3, 112, 112), -1 to 1, RGB; output (N, 512)."""

    template = ARCFACE_112

    def __init__(self, session: Session, path: Path) -> None:
        self._arcface = _insightface_s_own(session, path)

    def embed(self, crops: Sequence[Image]) -> list[Embedding]:
        """Return an embedding of length 1 for each crop, all in one run of the network.

        Raises:
            StageFailed: The network's answer is not finite, constant or 0.
        """
        if not crops:
            return []
        embeddings = self._arcface.get_feat([np.ascontiguousarray(crop[..., ::-1]) for crop in crops])
        require_answer("arcface", embeddings, np.stack(crops))
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        if not lengths.all():
            raise StageFailed("arcface", "an embedding has no length")
        return list((embeddings / lengths).astype(np.float32, copy=False))


def arcface_network(path: Path) -> Network:
    """Return the network in a file, any number of crops at a time."""
    probe = np.random.default_rng(0).uniform(-1, 1, (2, 3, ARCFACE_112.size, ARCFACE_112.size))
    return Network(path.stem, path, {"input.1": probe.astype(np.float32)})


def _insightface_s_own(session: Session, path: Path) -> Any:  # noqa: ANN401  insightface has no types
    # Not at the top: it takes a second, and recipes without it must not wait.
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX  # noqa: PLC0415

    return ArcFaceONNX(str(path), session)
