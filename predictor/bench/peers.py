"""The reference side: insightface, GFPGANer and RealESRGANer, called as their users call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from predictor.bench import scene
from predictor.reference.analysis import insightface_of, open_analysis, open_swapper
from predictor.reference.restorer import Gfpgan
from predictor.reference.stand_ins import planted
from predictor.reference.upsampler import RealEsrgan
from predictor.settings import read_settings
from predictor.weights.convert.official_packages import make_importable
from predictor.weights.store import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from predictor.faces import Face, Image
    from predictor.resources import Weights
    from predictor.runtime.session import Tensor

_QUALITY = 95


class Peers:
    """The packages, loaded.

    Args:
        weights: The files.
        random: Whether they are stand-ins: then every detector works on every picture and finds the faces that are
            really there.
    """

    def __init__(self, weights: Weights, *, random: bool) -> None:
        make_importable()
        self._random = random
        self._analysis = open_analysis(weights)
        self._swapper = open_swapper(weights)
        self._free_swapper = open_swapper(weights)
        self._free_swapper.session = _Free(self._free_swapper)
        self._restorer = Gfpgan(weights, "gfpgan_1.4")
        self._upsampler = RealEsrgan(weights, "real_esrgan")
        self._source, self._destination = scene.source(), scene.six_faces()
        self._giver = self._find(_bgr(self._source.image), self._source.faces)[0]
        self._crop = _bgr(cv2.resize(self._source.image, (512, 512)).astype(np.uint8))
        six, face = _bgr(self._destination.image), insightface_of(self._destination.faces[0])
        self.facts: Mapping[str, object] = {}
        self.peak: Callable[[], float | None] = lambda: None
        self.tasks: Mapping[str, Callable[[], object]] = {
            "detect_one": lambda: self._analysis.det_model.detect(six),
            "embed_one": lambda: self._analysis.models["recognition"].get(six, face),
            "swap_crop": lambda: self._swapper.get(six, face, self._giver, paste_back=False),
            "detect": self._detect,
            "swap_six": self._swap_six,
            "swap_and_restore_six": self._swap_and_restore_six,
            "paste_back_1080p": self._paste_back(1920, 1080),
            "paste_back_4k": self._paste_back(3840, 2160),
            "restore_network": lambda: self._restorer.package.enhance(self._crop, has_aligned=True, paste_back=False),
            "enlarge_4x_512": self._enlarge(512, 4),
            "enlarge_4x_1024": self._enlarge(1024, 4),
            "enlarge_2x_1024": self._enlarge(1024, 2),
        }

    def _detect(self) -> None:
        self._find(_bgr(self._source.image), self._source.faces)
        self._find(_bgr(self._destination.image), self._destination.faces)

    def _swap_six(self) -> bytes:
        return _encode(self._swapped())

    def _swap_and_restore_six(self) -> bytes:
        swapped = self._swapped()
        if not self._random:
            return _encode(self._restorer.enhance(swapped, 1, None)[0])
        with planted(self._restorer, self._destination.faces):
            return _encode(self._restorer.enhance(swapped, 1, None)[0])

    def _swapped(self) -> Image:
        source, destination = _decode(self._source.data), _decode(self._destination.data)
        giver = self._find(source, self._source.faces)[0]
        for face in self._find(destination, self._destination.faces):
            destination = self._swapper.get(destination, face, giver, paste_back=True)
        return destination

    def _paste_back(self, width: int, height: int) -> Callable[[], object]:
        """Return a swap whose network costs nothing: what is left is the crop and the way back."""
        picture = scene.one_face(width, height)
        frame, face = _bgr(picture.image), insightface_of(picture.faces[0])
        return lambda: self._free_swapper.get(frame, face, self._giver, paste_back=True)

    def _enlarge(self, size: int, scale: int) -> Callable[[], object]:
        image = scene.noise(size)
        return lambda: self._upsampler.enhance(image, scale)

    def _find(self, image: Image, faces: Sequence[Face]) -> list[Any]:
        if not self._random:
            return list(self._analysis.get(image))
        detect = self._analysis.det_model.detect
        boxes = [[f.box.left, f.box.top, f.box.right, f.box.bottom, f.score] for f in faces]
        found = np.array(boxes, np.float32), np.array([f.landmarks for f in faces], np.float32)

        def planting(*arguments: object, **options: object) -> tuple[Tensor, Tensor]:
            detect(*arguments, **options)
            return found

        self._analysis.det_model.detect = planting
        try:
            return list(self._analysis.get(image))
        finally:
            self._analysis.det_model.detect = detect


class _Free:
    """A session that answers at once."""

    def __init__(self, swapper: Any) -> None:  # noqa: ANN401  # insightface has no types
        self._answer = np.full((1, 3, *swapper.input_size), 0.5, np.float32)

    def run(self, *_: object) -> list[Tensor]:
        return [self._answer]


def load(*, random: bool) -> Peers:
    """Load the reference side.

    Args:
        random: Whether the weights that the settings name are stand-ins.
    """
    return Peers(store_of(read_settings()), random=random)


def _bgr(image: Image) -> Image:
    return np.ascontiguousarray(image[:, :, ::-1])


def _decode(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _encode(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
