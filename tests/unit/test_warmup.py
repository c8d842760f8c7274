from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from predictor.errors import StageFailed
from predictor.faces import Face, Image
from predictor.stages import carry_on
from predictor.warmup import warm_up
from tests.unit.fakes import FakeDetector, FakeRestorer, Fakes, FakeSwapper, FakeUpsampler, plain


def healthy() -> Fakes:
    """Stages that change nothing, so that what comes out is as lively as what went in."""
    return Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop), restorer=FakeRestorer(paint=lambda crop: crop))


def test_healthy_stages_pass() -> None:
    warm_up(healthy().pipeline())


def test_every_stage_is_run() -> None:
    fakes = healthy()

    warm_up(fakes.pipeline())

    assert fakes.restorer is not None
    assert fakes.upsampler is not None
    assert len(fakes.detector.seen) == 1
    assert len(fakes.swapper.calls) >= 1
    assert len(fakes.restorer.seen) == 1
    sizes = [image.shape for image in fakes.upsampler.seen]
    assert len(sizes) == len(fakes.upsampler.scales)


def test_a_recipe_may_go_without_restorer_and_upsampler() -> None:
    warm_up(Fakes(swapper=healthy().swapper, restorer=None, upsampler=None).pipeline())


class BrokenDetector(FakeDetector):
    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        raise StageFailed("centerface", f"not finite on {image.shape}")


def shorter(image: Image, scale: int) -> Image:
    return image.repeat(scale, axis=0)


@pytest.mark.parametrize(
    ("stage", "fakes"),
    [
        ("centerface", Fakes(BrokenDetector(), swapper=healthy().swapper)),
        ("swap", Fakes(swapper=FakeSwapper(paint=lambda crop, _: np.zeros_like(crop)))),
        ("swap", Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop[:8, :8]))),
        ("restore", Fakes(swapper=healthy().swapper, restorer=FakeRestorer(paint=lambda crop: np.full_like(crop, 7)))),
        ("restore", Fakes(swapper=healthy().swapper, restorer=FakeRestorer(paint=lambda crop: crop[:8, :8]))),
        (
            "upsample",
            Fakes(
                swapper=healthy().swapper,
                restorer=healthy().restorer,
                upsampler=FakeUpsampler(enlarge=lambda _, scale: plain((1, 1, 1), 256 * scale, 256 * scale)),
            ),
        ),
        (
            "upsample",
            Fakes(
                swapper=healthy().swapper,
                restorer=healthy().restorer,
                upsampler=FakeUpsampler(enlarge=shorter),
            ),
        ),
    ],
    ids=[
        "detector says so",
        "swapper, one colour",
        "swapper, wrong shape",
        "restorer, one colour",
        "restorer, wrong shape",
        "upsampler, one colour",
        "upsampler, wrong shape",
    ],
)
def test_a_stage_whose_picture_cannot_be_right_is_named(stage: str, fakes: Fakes) -> None:
    with pytest.raises(StageFailed, match=f"^{stage}: "):
        warm_up(fakes.pipeline())


def test_only_one_of_two_scales_is_broken() -> None:
    def enlarge(image: Image, scale: int) -> Image:
        good: Image = cv2.resize(image, None, fx=scale, fy=scale).astype(np.uint8)
        return np.zeros_like(good) if scale == 4 else good

    fakes = Fakes(swapper=healthy().swapper, restorer=healthy().restorer, upsampler=FakeUpsampler(enlarge=enlarge))

    with pytest.raises(StageFailed, match=r"^upsample: "):
        warm_up(fakes.pipeline())


def test_a_picture_of_single_precision_is_no_picture() -> None:
    fakes = Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop.astype(np.float32)))

    with pytest.raises(StageFailed, match=r"^swap: "):
        warm_up(fakes.pipeline())
