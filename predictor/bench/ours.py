"""Our side of the bench: the recipe `onnx`, from bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from predictor.bench import scene
from predictor.bench.floor import peak
from predictor.destinations import Destinations
from predictor.detectors.scrfd import Scrfd, scrfd_network
from predictor.embedders import EMBEDDERS
from predictor.imaging.alignment import align
from predictor.job import Job
from predictor.options import OutputOptions, Pair, RestoreOptions, SwapOptions
from predictor.pipeline import Pipeline, Stages
from predictor.requests import EncodedPicture, SwapRequest
from predictor.resources import Resources
from predictor.restorers import RESTORERS
from predictor.runtime.providers import session_opener
from predictor.selection import Scene, Source
from predictor.service import Service
from predictor.settings import read_settings
from predictor.stages import carry_on
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS
from predictor.weights.store import store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from predictor.faces import Face, Image
    from predictor.runtime.session import Network, Node, Tensor
    from predictor.selection import Giver
    from predictor.stages import Detector, Swapper

_RANK_OF_PICTURES = 4
_ALL = (Pair(destination_face_id="all"),)
_OUTPUT = OutputOptions("same", 95)


class Planted:
    """A detector that does the work of its first step on every picture, and then finds the faces that are really there.

    With random weights it would find none, and go on to the steps for pictures that seem to have none.
    """

    def __init__(self, detector: Scrfd, scenes: Sequence[scene.Scene]) -> None:
        self._detector = detector
        self._faces = {one.image.shape: one.faces for one in scenes}

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        """Return the faces of the picture of that size."""
        self._detector.plain(image)
        return list(self._faces[image.shape])


class Free:
    """A session of an inswapper that answers at once."""

    def __init__(self, network: Network) -> None:
        self._inputs = [FreeNode(name, ["batch", *tensor.shape[1:]]) for name, tensor in network.probe.items()]
        self._target = next(name for name, tensor in network.probe.items() if tensor.ndim == _RANK_OF_PICTURES)

    def run(self, _: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        """Return what came in, a little brighter or darker by who is asked for."""
        (source,) = (tensor for name, tensor in input_feed.items() if name != self._target)
        return [input_feed[self._target] + source[:, :1, None, None] / 255]

    def get_inputs(self) -> Sequence[Node]:
        """Return the inputs."""
        return self._inputs

    def get_outputs(self) -> Sequence[Node]:
        """Return the output."""
        return [FreeNode("output", ["batch", 3, 128, 128])]


@dataclass(frozen=True, slots=True)
class FreeNode:
    """An input or output of a session that answers at once."""

    name: str
    shape: Sequence[int | str | None]


class Ours:
    """The recipe `onnx`, loaded.

    Args:
        resources: Networks and weights.
        random: Whether the weights are stand-ins: then the detector finds the faces that are really there.
    """

    def __init__(self, resources: Resources, *, random: bool) -> None:
        self.facts: Mapping[str, object] = {}
        self.peak: Callable[[], float | None] = lambda: None
        self._source, self._destination = scene.source(), scene.six_faces()
        detector = Scrfd(resources.open_session(scrfd_network(resources.weights.find("det_10g.onnx"))))
        self._detector: Detector = detector
        if random:
            self._detector = Planted(detector, [self._source, self._destination])
        self._embedder = EMBEDDERS["arcface"](resources)
        self._restorer = RESTORERS["gfpgan_1.4"](resources)
        self._upsampler = UPSAMPLERS["real_esrgan"](resources)
        swapper = SWAPPERS["inswapper"](resources)
        self._service = Service(self._pipeline(swapper), Destinations({}, {}), read_settings())
        six, face = self._destination.image, self._destination.faces[0]
        (giver,) = self._givers(self._pipeline(swapper))
        self._crop = cv2.resize(self._source.image, (512, 512)).astype(np.uint8)
        self.tasks: Mapping[str, Callable[[], object]] = {
            "detect_one": lambda: self._detector.detect(six),
            "embed_one": lambda: self._embedder.embed([align(six, face.landmarks, self._embedder.template).image]),
            "swap_crop": lambda: swapper.swap([align(six, face.landmarks, swapper.templates[0])], [giver.identity]),
            "detect": self._detect,
            "swap_six": lambda: self._swap(None),
            "swap_and_restore_six": lambda: self._swap(RestoreOptions()),
            "paste_back_1080p": self._paste_back(1920, 1080, resources),
            "paste_back_4k": self._paste_back(3840, 2160, resources),
            "restore_network": lambda: self._restorer.restore([self._crop]),
            "enlarge_4x_512": self._enlarge(512, 4),
            "enlarge_4x_1024": self._enlarge(1024, 4),
            "enlarge_2x_1024": self._enlarge(1024, 2),
        }

    def _pipeline(self, swapper: Swapper) -> Pipeline:
        return Pipeline(Stages(self._detector, self._embedder, swapper, self._restorer, self._upsampler, "gfpgan_1.4"))

    def _detect(self) -> None:
        (face, *_) = self._detector.detect(self._source.image)
        self._embedder.embed([align(self._source.image, face.landmarks, self._embedder.template).image])
        self._detector.detect(self._destination.image)

    def _swap(self, restore: RestoreOptions | None) -> bytes:
        job = Job()
        source = EncodedPicture("source", self._source.data, "image")
        destination = EncodedPicture("destination", self._destination.data, "destinations[0]")
        request = SwapRequest([source], [destination], SwapOptions(_ALL, restore), _OUTPUT)
        (answer,) = self._service.swap_all(self._service.read_swaps([request], job), job)
        return self._service.encode(answer.pictures[0], _OUTPUT, job)

    def _paste_back(self, width: int, height: int, resources: Resources) -> Callable[[], object]:
        """Return a swap whose network costs nothing: what is left is the crop and the way back."""
        picture, job = scene.one_face(width, height), Job()
        pipeline = self._pipeline(SWAPPERS["inswapper"](Resources(Free, resources.weights)))
        givers = self._givers(pipeline)
        destination = Scene("destination", picture.image, picture.faces)
        return lambda: pipeline.swap(destination, givers, SwapOptions(), job)

    def _givers(self, pipeline: Pipeline) -> list[Giver]:
        giving = Source("source", Scene("source", self._source.image, self._source.faces))
        return pipeline.identify_all([giving], (Pair(),), Job())

    def _enlarge(self, size: int, scale: int) -> Callable[[], object]:
        image = scene.noise(size)
        return lambda: self._upsampler.upsample(image, scale)


def load(*, random: bool) -> Ours:
    """Load our side as the settings say.

    Args:
        random: Whether the weights that the settings name are stand-ins.
    """
    settings = read_settings()
    cv2.setNumThreads(1)
    sessions = session_opener(settings.provider, settings.threads, settings.precision)
    ours = Ours(Resources(sessions, store_of(settings)), random=random)
    ours.facts = {one.name: f"{one.provider} {one.precision}" for one in sessions.opened}
    ours.peak = lambda: peak(sessions)
    return ours
