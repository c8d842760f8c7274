"""inswapper: a network that paints the destination's crop anew with the source's identity.

It works at 128 pixels. A larger face is cut into 4, 9 or 16 pictures of 128, each of every second, third or fourth
pixel from another start (pixel boost); all go through the network with the same latent, and every pixel is put back
where it was taken.

Source of the contract (templates, latent, ranges): insightface's model_zoo/inswapper.py; of pixel boost: facefusion.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.errors import StageFailed, StartupError
from predictor.faces import SwappedCrop
from predictor.imaging.alignment import ARCFACE_112, ARCFACE_128
from predictor.imaging.masks import soft_ellipse
from predictor.imaging.planes import to_planes, write_pixels
from predictor.runtime.graph_file import GraphFile
from predictor.runtime.graphs import free_batch
from predictor.runtime.session import Network
from predictor.stages import carry_on, require_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from predictor.faces import Crop, Identity, Image, Mask
    from predictor.imaging.alignment import LandmarkTemplate
    from predictor.resources import Resources
    from predictor.runtime.session import Session, Tensor

    Latent = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)

_SIDE, _LENGTH = 128, 512
_BOOSTS = (1, 2, 3, 4)
# Two crops at once took 0.8 of the time of two runs in bf16 on AMX, eight as much as eight; two shapes are kept warm.
_LARGEST_BATCH = 2


def face_mask(template: LandmarkTemplate) -> Mask:
    """Return where a swapped crop counts: the face up to temples, jaw and hairline, no corner of the square.

    The network gives back hair and background too, blurred; a mask of the whole square, as insightface's, shows them
    as a soft box around a sharp picture. Towards the square's sides it fades as insightface's does: 0 at the border,
    half at 5 %, 1 from 10 % on.
    """
    return soft_ellipse(template, reach=1.2, border=0.1)


class Inswapper:
    """Swapper backed by an inswapper graph: target (N, 3, 128, 128) and output, 0 to 1, RGB; source (N, 512).

    Args:
        session: Of the graph.
        emap: From an embedding to what `source` takes once its length is 1 again, shape (512, 512).
        mask: Where a crop of a template counts; called once for each template.
        largest_batch: How many pictures go through the network at once; a graph of a fixed batch has its own.

    Raises:
        StartupError: The graph has no such inputs.
    """

    source_template = ARCFACE_112
    templates = tuple(ARCFACE_128.scaled(_SIDE * boost) for boost in _BOOSTS)
    trained = True
    needs_embedding = True
    # A boost of n costs n² runs. It is worth them where a third of the face's pixels would be lost along a side.
    least_scale = 2 / 3

    def __init__(
        self,
        session: Session,
        emap: Tensor,
        mask: Callable[[LandmarkTemplate], Mask] = face_mask,
        largest_batch: int = _LARGEST_BATCH,
    ) -> None:
        self._session = session
        self._emap = emap
        self._masks = {template.size: mask(template) for template in self.templates}
        shapes = {node.name: list(node.shape) for node in session.get_inputs()}
        self._target, self._source = _target_and_source(shapes)
        declared = shapes[self._target][0]
        self._batch = declared if isinstance(declared, int) and declared > 0 else largest_batch

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        """Return the crops, swapped, each with the identity at the same position.

        Raises:
            StageFailed: The network's answer is not finite, constant or of another shape.
        """
        latents = {id(identity): self._latent(identity) for identity in identities}
        images = [np.empty_like(crop.image) for crop in crops]
        parts = [
            part
            for crop, image, identity in zip(crops, images, identities, strict=True)
            for part in _parts(crop.image, image, latents[id(identity)])
        ]
        for first in range(0, len(parts), self._batch):
            check()
            self._fill(parts[first : first + self._batch])
        return [SwappedCrop(image, self._masks[image.shape[0]], "network") for image in images]

    def _latent(self, identity: Identity) -> Latent:
        if identity.embedding is None:
            raise AssertionError("a recipe without an embedder was built around a swapper that needs one")
        mapped = identity.embedding @ self._emap
        return (mapped / np.linalg.norm(mapped)).astype(np.float32)

    def _fill(self, parts: Sequence[_Part]) -> None:
        target = np.concatenate([to_planes(part.given) for part in parts])
        source = np.stack([part.latent for part in parts])
        (answer,) = self._session.run(None, {self._target: target, self._source: source})
        if answer.shape != target.shape:
            raise StageFailed("swap", f"the network's answer has shape {answer.shape}; {target.shape} was due")
        for part, given, made in zip(parts, target, answer, strict=True):
            require_answer("swap", made, given)
            write_pixels(made, part.made)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A picture of the network's size; `given` and `made` are views of every n-th pixel of larger ones."""

    given: Image
    made: Image
    latent: Latent


def _parts(given: Image, made: Image, latent: Latent) -> list[_Part]:
    boost = given.shape[0] // _SIDE
    starts = [(slice(row, None, boost), slice(column, None, boost)) for row in range(boost) for column in range(boost)]
    return [_Part(given[start], made[start], latent) for start in starts]


def open_inswapper(resources: Resources) -> Inswapper:
    """Open the weights `inswapper_128.onnx`.

    Raises:
        StartupError: The file cannot be run, or is no inswapper.
    """
    path = resources.weights.find("inswapper_128.onnx")
    with GraphFile(path) as graph:
        emap = _emap(graph, path)
        target, source = _target_and_source(graph.inputs)
    probe = {target: _picture(), source: _latents(1)}
    with free_batch(path) as freed:
        session = resources.open_session(Network("inswapper_128", freed, probe))
    if _batches(session, target, source):
        return Inswapper(session, emap)
    _log.warning("%s cannot take several crops at once; they go through it one by one", path.name)
    return Inswapper(session, emap, largest_batch=1)


def _emap(graph: GraphFile, path: Path) -> Tensor:
    """Return the map that the graph carries along; no node uses it, and files that were converted list it anywhere."""
    found = [weight.astype(np.float32) for weight in graph.weights((_LENGTH, _LENGTH))]
    if not found:
        raise StartupError(f"{path.name} holds no {_LENGTH}x{_LENGTH} map from embeddings, so it is no inswapper")
    if not np.isfinite(found[-1]).all():
        raise StartupError(f"{path.name}: its map from embeddings holds numbers that are not finite")
    return found[-1]


def _target_and_source(shapes: Mapping[str, Sequence[object]]) -> tuple[str, str]:
    targets = [name for name, shape in shapes.items() if list(shape[1:]) == [3, _SIDE, _SIDE]]
    sources = [name for name, shape in shapes.items() if list(shape[1:]) == [_LENGTH]]
    if len(targets) != 1 or len(sources) != 1:
        raise StartupError(
            f"an inswapper takes a crop of 3x{_SIDE}x{_SIDE} and {_LENGTH} numbers; this network takes {shapes}"
        )
    return targets[0], sources[0]


def _batches(session: Session, target: str, source: str) -> bool:
    """Return whether crops may go through together: a file made for one crop may have that number in its nodes."""
    twice = np.repeat(_picture(), 2, axis=0)
    try:
        (both,) = session.run(None, {target: twice, source: _latents(2)})
    except StageFailed:
        return False
    return both.shape == twice.shape and not np.array_equal(*both)


def _picture() -> Tensor:
    """Return a picture as smooth as a face, shape (1, 3, 128, 128), 0 to 1."""
    coarse = np.random.default_rng(0).random((12, 12, 3), np.float32)
    fine = cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(fine.transpose(2, 0, 1))[None]


def _latents(count: int) -> Tensor:
    latents: Tensor = np.random.default_rng(1).standard_normal((count, _LENGTH), np.float32)
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    return latents
