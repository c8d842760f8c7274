"""A real server whose stages hang on strings: each asks the test before it does its (fake) work.

So a test can hold a stage, let it go or break it, and learns in which order stages ran; no test waits for a clock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Client
from pathlib import Path

from predictor.destinations import Destinations
from predictor.faces import Crop, Face, Identity, Image, SwappedCrop
from predictor.pipeline import Pipeline, Stages
from predictor.service import Service
from predictor.serving.server import serve
from predictor.settings import Settings, read_settings
from predictor.stages import carry_on
from tests.unit.fakes import FakeRestorer, FakeSwapper, FakeUpsampler, degenerate_face, face_at

DEGENERATE = (255, 0, 255)
"""A picture of this colour has a face that cannot be aligned."""


@dataclass(frozen=True)
class Strings:
    """Asks the test, which listens at an address."""

    address: str

    def pull(self, stage: str, picture: Image | None = None) -> None:
        """Tell the test that a stage is about to run, and wait for its word: nothing, or what is to go wrong."""
        with Client(self.address) as test:
            test.send((stage, None if picture is None else tuple(picture[0, 0].tolist())))
            trouble = test.recv()
        if trouble is not None:
            raise RuntimeError(trouble)


class PuppetDetector:
    def __init__(self, strings: Strings) -> None:
        self._strings = strings

    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        self._strings.pull("detect", image)
        return [degenerate_face() if tuple(image[0, 0]) == DEGENERATE else face_at(20.0, 20.0, 40.0)]


class PuppetSwapper(FakeSwapper):
    strings: Strings

    def swap(
        self, crops: Sequence[Crop], identities: Sequence[Identity], check: Callable[[], None] = carry_on
    ) -> list[SwappedCrop]:
        self.strings.pull("swap", crops[0].image)
        return super().swap(crops, identities, check)


class PuppetRestorer(FakeRestorer):
    strings: Strings

    def restore(self, crops: Sequence[Image]) -> list[Image]:
        self.strings.pull("restore")
        return super().restore(crops)


class PuppetUpsampler(FakeUpsampler):
    strings: Strings

    def upsample(self, image: Image, scale: int, check: Callable[[], None] = carry_on) -> Image:
        self.strings.pull("upsample")
        return super().upsample(image, scale, check)


def build(settings: Settings, strings: Strings) -> Service:
    strings.pull("load")
    swapper, restorer, upsampler = PuppetSwapper(), PuppetRestorer(), PuppetUpsampler()
    swapper.strings = restorer.strings = upsampler.strings = strings
    pipeline = Pipeline(Stages(PuppetDetector(strings), None, swapper, restorer, upsampler, "puppet"))
    return Service(pipeline, Destinations({}, {}), settings)


def run(environment: Mapping[str, str], log: Path, address: str) -> None:
    """Be the server's process from here on; what it writes goes to the log."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    sys.exit(serve(read_settings(), lambda settings: build(settings, Strings(address))))
