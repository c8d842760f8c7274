from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image as PillowImage

from predictor.detectors import DETECTORS
from predictor.engines import Recipe
from predictor.errors import ProviderUnavailable, StageFailed, StartupError
from predictor.faces import Face, Image
from predictor.loader import load
from predictor.pipeline import Pipeline
from predictor.resources import Resources
from predictor.restorers import RESTORERS
from predictor.runtime.providers import Sessions, session_opener
from predictor.runtime.session import Network, OpenedSession, Session
from predictor.settings import Settings
from predictor.stages import carry_on
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS
from tests.unit.fakes import FakeDetector, FakeRestorer, Fakes, FakeSwapper, FakeUpsampler, face_at, plain


def no_session(_model: object) -> Session:
    raise AssertionError("no network was to be opened")


class BrokenDetector(FakeDetector):
    def detect(self, image: Image, check: Callable[[], None] = carry_on) -> list[Face]:  # noqa: ARG002
        raise StageFailed("centerface", f"not finite on {image.shape}")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a recipe of fakes that pass the warm-up."""

    def building(stage: object) -> Callable[[Resources], object]:
        return lambda _: stage

    monkeypatch.setitem(DETECTORS, "fake", building(FakeDetector([face_at(0, 0)])))
    monkeypatch.setitem(DETECTORS, "broken", building(BrokenDetector()))
    monkeypatch.setitem(SWAPPERS, "fake", building(FakeSwapper(paint=lambda crop, _: crop)))
    monkeypatch.setitem(RESTORERS, "fake", building(FakeRestorer(paint=lambda crop: crop)))
    monkeypatch.setitem(RESTORERS, "black", building(FakeRestorer(paint=np.zeros_like)))
    monkeypatch.setitem(UPSAMPLERS, "fake", building(FakeUpsampler()))
    return Settings(detector="fake", swapper="fake", restorer="fake", upsampler="fake")


def test_a_service_is_built_warmed_and_given_its_destinations(settings: Settings, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PillowImage.fromarray(plain((1, 2, 3))).save(buffer, "png")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())

    service = load(settings.model_copy(update={"destinations_dir": tmp_path}), no_session)

    assert service.destination_names == ["a.png"]


def test_without_a_folder_there_are_no_destinations(settings: Settings) -> None:
    assert load(settings, no_session).destination_names == []


@pytest.mark.parametrize(
    ("step", "name", "sentence"),
    [
        ("restorer", "black", "the warm-up failed: restore: "),
        ("detector", "broken", "the warm-up failed: centerface: not finite"),
        ("detector", "nobody", "PREDICTOR_DETECTOR: "),
        ("recipe", "nothing", "PREDICTOR_RECIPE: "),
    ],
)
def test_what_keeps_it_from_working_is_a_sentence_for_the_operator(
    settings: Settings, step: str, name: str, sentence: str
) -> None:
    with pytest.raises(StartupError) as caught:
        load(settings.model_copy(update={step: name}), no_session)

    assert caught.value.sentence.startswith(sentence)


def test_the_recipe_reference_is_built_from_the_packages(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Recipe] = []

    def building(recipe: Recipe, _weights: object, max_faces: int) -> Pipeline:
        built.append(recipe)
        return Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop), restorer=None).pipeline(max_faces)

    monkeypatch.setattr("predictor.loader.require", lambda *_: None)  # their files are not here
    monkeypatch.setattr("predictor.reference.recipe.build", building)

    load(settings.model_copy(update={"recipe": "reference"}), no_session)

    assert [(one.detector, one.embedder) for one in built] == [("fake", "arcface")]


def test_a_folder_that_is_not_there_keeps_it_from_working(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"^PREDICTOR_DESTINATIONS_DIR: "):
        load(settings.model_copy(update={"destinations_dir": tmp_path / "gone"}), no_session)


def test_opencv_leaves_the_processors_to_the_workers(settings: Settings) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        load(settings, no_session)

        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_networks_are_opened_as_the_settings_say_and_the_service_knows_how(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graph = Network("doubling", _doubling(tmp_path), {"given": np.ones(3, np.float32)})

    def detector(resources: Resources) -> FakeDetector:
        resources.open_session(graph)
        return FakeDetector([face_at(0, 0)])

    monkeypatch.setitem(DETECTORS, "fake", detector)

    service = load(settings.model_copy(update={"provider": "cpu", "threads": 1}))

    assert service.sessions == (OpenedSession("doubling", "cpu", "fp32"),)


@pytest.mark.parametrize("asked", [{"provider": "cuda"}, {"provider": "cpu", "precision": "bf16"}])
def test_what_cannot_be_had_keeps_it_from_working(settings: Settings, asked: dict[str, str]) -> None:
    with pytest.raises(ProviderUnavailable):
        load(settings.model_copy(update=asked))


def test_strict_is_strict(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def opener(*_: object, strict: bool) -> Sessions:
        asked.append(strict)
        return session_opener("cpu")

    monkeypatch.setattr("predictor.loader.session_opener", opener)

    for strict in (False, True):
        load(settings.model_copy(update={"strict_provider": strict}))

    assert asked == [False, True]


def _doubling(folder: Path) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("given", "twice")]
    node = helper.make_node("Add", ["given", "given"], ["twice"])
    graph = helper.make_graph([node], "doubling", ends[:1], ends[1:])
    path = folder / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
