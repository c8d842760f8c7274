from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from predictor.engines import RECIPES
from predictor.errors import LicenceNotAccepted, StartupError, WeightsMissing
from predictor.scaling import workshop
from predictor.scaling.workshop import STAGES, offered, plain, require_weights, with_more_workers
from predictor.settings import Settings
from tests.unit.fakes import FakeSwapper


def test_settings_come_through_json_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(recipe="onnx", weights_dir=tmp_path, accepted_licences=("one", "two"), ray_gpus=0.5)

    monkeypatch.setenv("PREDICTOR_RECIPE", "embedded")  # another machine's environment

    assert Settings(**plain(given)) == given


@pytest.mark.parametrize("stage", STAGES)
def test_a_replica_builds_its_own_stage_from_plain_data(stage: workshop.StageName) -> None:
    shop = workshop.workshop(plain(Settings(provider="cpu", threads=1)), stage)

    assert getattr(shop.builder, stage)() is not None
    assert [one.name for one in shop.running.sessions] == (["centerface"] if stage == "detector" else [])


def test_a_replica_needs_the_weights_of_its_own_stage_and_no_others(tmp_path: Path) -> None:
    given = plain(Settings(recipe="onnx", upsampler="lanczos", weights_dir=tmp_path, provider="cpu"))

    workshop.workshop(given, "upsampler")
    for stage in ("detector", "swapper", "restorer"):
        with pytest.raises((WeightsMissing, LicenceNotAccepted)):
            workshop.workshop(given, stage)


def test_a_detectors_replica_needs_the_embedders_weights_too(tmp_path: Path) -> None:
    settings = Settings(embedder="arcface", weights_dir=tmp_path, provider="cpu")

    with pytest.raises((WeightsMissing, LicenceNotAccepted), match="w600k_r50"):
        workshop.workshop(plain(settings), "detector")


def test_what_is_missing_on_this_machine_is_told_before_anything_starts(tmp_path: Path) -> None:
    require_weights(Settings())
    with pytest.raises((WeightsMissing, LicenceNotAccepted)):
        require_weights(Settings(recipe="onnx", weights_dir=tmp_path))


def test_the_peers_pipeline_cannot_be_put_apart() -> None:
    with pytest.raises(StartupError, match="reference"):
        require_weights(Settings(recipe="reference"))


def test_a_recipe_without_a_stage_gets_no_replica_of_it() -> None:
    assert offered(RECIPES["onnx"]) == list(STAGES)
    assert offered(replace(RECIPES["embedded"], restorer=None)) == ["detector", "swapper", "upsampler"]


@pytest.mark.parametrize(("given", "workers"), [({}, 8), ({"workers": 1}, 1), ({"workers": 3}, 3)])
def test_more_than_one_request_is_worked_on_unless_the_operator_says_how_many(
    given: dict[str, int], workers: int
) -> None:
    assert with_more_workers(Settings(**given)).workers == workers  # type: ignore[arg-type]  # pydantic checks it


def test_the_embedded_swapper_and_restorer_give_the_same_bytes_in_company() -> None:
    builder = workshop.workshop(plain(Settings(provider="cpu")), "swapper").builder
    restorer = builder.restorer()

    assert workshop.swaps_alike(builder.swapper())
    assert restorer is not None
    assert workshop.restores_alike(restorer)


@pytest.mark.parametrize("needed", [True, False])
def test_examples_of_sources_have_embeddings_where_a_swapper_needs_them(needed: bool) -> None:  # noqa: FBT001
    first, second = workshop.example_identities(FakeSwapper(needs_embedding=needed))

    assert [identity.embedding is not None for identity in (first, second)] == [needed, needed]
    assert not needed or not np.array_equal(first.embedding, second.embedding)  # type: ignore[arg-type]  # not None here
