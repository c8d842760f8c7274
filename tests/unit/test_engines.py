from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.detectors import DETECTORS
from predictor.embedders import EMBEDDERS
from predictor.engines import RECIPES, Recipe, build, recipe_of
from predictor.errors import StartupError, TooManyFaces, UnsupportedOption
from predictor.job import Job
from predictor.options import EnhanceOptions, RestoreOptions, SwapOptions
from predictor.resources import Resources
from predictor.restorers import MASKS, RESTORERS
from predictor.runtime.session import Session
from predictor.selection import Scene
from predictor.settings import Settings
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS
from predictor.weights.store import Store
from tests.unit.fakes import (
    FakeDetector,
    FakeEmbedder,
    FakeParser,
    FakeRestorer,
    FakeSwapper,
    FakeUpsampler,
    face_at,
    plain,
)


def no_session(_model: object) -> Session:
    raise AssertionError("no network was to be opened")


RESOURCES = Resources(no_session, Store(()))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Resources]:
    """Registers a fake of every kind; what each was built with is listed."""
    seen: list[Resources] = []

    def building(stage: object) -> object:
        def built(resources: Resources) -> object:
            seen.append(resources)
            return stage

        return built

    faces = [face_at(0, 0), face_at(100, 0)]
    monkeypatch.setitem(DETECTORS, "fake", building(FakeDetector(faces)))
    monkeypatch.setitem(EMBEDDERS, "fake", building(FakeEmbedder()))
    monkeypatch.setitem(SWAPPERS, "fake", building(FakeSwapper()))
    monkeypatch.setitem(RESTORERS, "fake", building(FakeRestorer()))
    monkeypatch.setitem(UPSAMPLERS, "fake", building(FakeUpsampler()))
    monkeypatch.setitem(MASKS, "fake", building(FakeParser()))
    return seen


def test_the_embedded_recipe_needs_nothing_but_the_package() -> None:
    assert RECIPES["embedded"] == Recipe("centerface", None, "blend", "sharpen", "lanczos")
    assert recipe_of(Settings()) == RECIPES["embedded"]


def test_single_steps_of_a_recipe_are_replaced() -> None:
    recipe = recipe_of(Settings(detector="d", embedder="e", swapper="s", restorer="r", upsampler="u"))

    assert recipe == Recipe("d", "e", "s", "r", "u")
    assert recipe_of(Settings(restorer="r")) == Recipe("centerface", None, "blend", "r", "lanczos")


def test_an_unknown_recipe_is_told_with_those_there_are() -> None:
    with pytest.raises(
        StartupError, match=r"^PREDICTOR_RECIPE: there is no 'embeded'; available: embedded, onnx, reference$"
    ):
        recipe_of(Settings(recipe="embeded"))


def test_the_way_to_mask_restored_faces_is_a_setting() -> None:
    assert recipe_of(Settings()).restorer_mask == "soft"
    assert recipe_of(Settings(restorer_mask="parse")) == replace(RECIPES["embedded"], restorer_mask="parse")
    assert recipe_of(Settings(recipe="reference")).restorer_mask == "parse"


@pytest.mark.parametrize("step", ["detector", "embedder", "swapper", "restorer", "upsampler", "restorer_mask"])
def test_an_unknown_step_is_named_by_its_setting(step: str, opened: list[Resources]) -> None:
    names = {
        "detector": "fake",
        "embedder": "fake",
        "swapper": "fake",
        "restorer": "fake",
        "upsampler": "fake",
        "restorer_mask": "fake",
        step: "nobody",
    }

    with pytest.raises(StartupError, match=rf"^PREDICTOR_{step.upper()}: there is no 'nobody'; available: .*fake"):
        build(Recipe(**names), RESOURCES, 100)
    assert len(opened) < 6


def test_every_stage_is_built_with_the_same_opener(opened: list[Resources]) -> None:
    pipeline = build(Recipe("fake", "fake", "fake", "fake", "fake", "fake"), RESOURCES, 100)

    assert opened == [RESOURCES] * 6
    pipeline.check(SwapOptions(restore=RestoreOptions("fake"), upscale=2))


def test_a_recipe_without_restorer_or_upsampler_says_so(opened: list[Resources]) -> None:
    pipeline = build(Recipe("fake", None, "fake", None, None), RESOURCES, 100)

    assert len(opened) == 2
    for options in (EnhanceOptions(RestoreOptions(), 1), EnhanceOptions(None, 2)):
        with pytest.raises(UnsupportedOption):
            pipeline.check(options)


@pytest.mark.usefixtures("opened")
def test_the_limit_of_faces_reaches_the_pipeline() -> None:
    pipeline = build(Recipe("fake", None, "fake", None, None), RESOURCES, 1)

    with pytest.raises(TooManyFaces):
        pipeline.find_faces(plain((1, 2, 3)), "a", Job())


def test_a_swapper_that_needs_an_embedder_is_not_built_without_one(
    monkeypatch: pytest.MonkeyPatch, opened: list[Resources]
) -> None:
    monkeypatch.setitem(SWAPPERS, "fake", lambda _: FakeSwapper(needs_embedding=True))

    with pytest.raises(StartupError, match=r"^fake needs an embedder: set PREDICTOR_EMBEDDER=arcface"):
        build(Recipe("fake", None, "fake", None, None), RESOURCES, 100)
    build(Recipe("fake", "fake", "fake", None, None), RESOURCES, 100)

    assert len(opened) == 3


def test_a_restored_face_counts_where_the_parser_says(opened: list[Resources]) -> None:
    recipe = Recipe("fake", None, "fake", "fake", None, "fake")
    picture = plain((9, 9, 9))
    scene = Scene("a", picture, [face_at(20, 20)])

    restored = build(recipe, RESOURCES, 100).enhance(scene, EnhanceOptions(RestoreOptions(), 1), Job())

    assert opened
    assert (restored.image == picture).all()  # the fake parser sees no face anywhere
