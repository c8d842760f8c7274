from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from predictor.engines import RECIPES, Recipe
from predictor.errors import PackagesMissing, StartupError, WeightsMissing
from predictor.reference import recipe as reference
from predictor.reference.recipe import build
from predictor.reference.restorer import RESTORERS
from predictor.reference.upsampler import UPSAMPLERS
from tests.parity.folder import Folder

RECIPE = RECIPES["reference"]


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        (replace(RECIPE, detector="centerface"), "PREDICTOR_DETECTOR: .* no 'centerface'; available: scrfd"),
        (replace(RECIPE, embedder="other"), "PREDICTOR_EMBEDDER: .* available: arcface"),
        (replace(RECIPE, swapper="blend"), "PREDICTOR_SWAPPER: .* available: inswapper"),
        (replace(RECIPE, restorer="sharpen"), "PREDICTOR_RESTORER: .* available: gfpgan_1.2, gfpgan_1.3, gfpgan_1.4"),
        (replace(RECIPE, restorer_mask="soft"), "PREDICTOR_RESTORER_MASK: .* no 'soft'; available: parse"),
        (replace(RECIPE, upsampler="lanczos"), "PREDICTOR_UPSAMPLER: .* available: real_esrgan, real_esrgan_x2plus"),
    ],
)
def test_a_step_the_packages_do_not_have_is_named(recipe: Recipe, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=sentence):
        build(recipe, Folder(tmp_path), 100)


def test_without_the_extra_the_start_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)

    with pytest.raises(PackagesMissing, match="torch is not installed"):
        build(RECIPE, Folder(tmp_path), 100)


def test_the_files_are_asked_for_by_the_names_of_the_manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "make_importable", lambda: None)

    with pytest.raises(WeightsMissing, match=r"det_10g\.onnx"):
        build(RECIPE, Folder(tmp_path), 100)


def test_every_step_of_the_recipe_is_built_into_the_pipeline(weights: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeUpsampler:
        scales = (2, 4)

    def fake_upsampler(found: object, name: str) -> FakeUpsampler:
        assert (found, name) == (weights, "real_esrgan")
        return FakeUpsampler()

    def fake_restorer(found: object, name: str) -> str:
        assert found is weights
        return name

    monkeypatch.setattr(reference, "make_importable", lambda: None)
    monkeypatch.setattr(reference, "Gfpgan", fake_restorer)
    monkeypatch.setattr(reference, "RealEsrgan", fake_upsampler)

    pipeline = build(replace(RECIPE, restorer="gfpgan_1.2"), weights, 100)

    assert pipeline.can_restore
    assert list(pipeline.scales) == [2, 4]


def test_every_restorer_and_upsampler_has_a_file() -> None:
    assert set(RESTORERS) == {"gfpgan_1.2", "gfpgan_1.3", "gfpgan_1.4"}
    assert set(UPSAMPLERS) == {"real_esrgan", "real_esrgan_x2plus", "real_esrgan_x4plus"}
