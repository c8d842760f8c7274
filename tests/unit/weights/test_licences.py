from __future__ import annotations

import pytest

from predictor.errors import LicenceNotAccepted, StartupError
from predictor.weights.licences import Licences, licences_of
from predictor.weights.manifest import read_manifest
from tests.unit.weights.shelf import manifest, weights

FREE = weights("free.onnx")
STRICT = weights("strict.onnx", weights_licence="strict", commercial_use="no")
UNSURE = weights("unsure.onnx", weights_licence="mit", commercial_use="check")
FILES = manifest(FREE, STRICT, UNSURE)


def test_a_licence_that_asks_for_nothing_needs_no_acceptance() -> None:
    Licences().check(FILES, FREE)


def test_a_file_is_refused_until_its_licence_is_accepted_by_name() -> None:
    with pytest.raises(LicenceNotAccepted) as raised:
        Licences(frozenset({"other"})).check(FILES, STRICT)

    assert raised.value.sentence == (
        "strict.onnx is under strict (research only; https://licences.test/strict), which has not been accepted; "
        "if you accept it, set PREDICTOR_ACCEPTED_LICENCES=other,strict, or pass --accept-licence strict "
        "to `weights pull` and `weights convert`"
    )
    Licences(frozenset({"strict"})).check(FILES, STRICT)


def test_accepting_is_not_asked_by_case() -> None:
    licences = licences_of(FILES, ["STRICT"], "all")

    licences.check(FILES, STRICT)


@pytest.mark.parametrize("name", ["all", "*", "gpl"])
def test_a_licence_that_does_not_exist_cannot_be_accepted_and_all_is_none(name: str) -> None:
    with pytest.raises(StartupError, match=r"there is no licence '.*'; each is accepted by its name: mit, strict$"):
        licences_of(FILES, ["strict", name], "all")


@pytest.mark.parametrize(("file", "verb"), [(STRICT, "does not allow"), (UNSURE, "may not allow")])
def test_the_permissive_profile_leaves_out_what_does_not_surely_allow_commercial_use_accepted_or_not(
    file: object, verb: str
) -> None:
    licences = licences_of(FILES, ["strict"], "permissive")
    left_out = STRICT if file is STRICT else UNSURE

    with pytest.raises(LicenceNotAccepted, match=rf"left out by PREDICTOR_PROFILE=permissive: .* {verb} commercial"):
        licences.check(FILES, left_out)
    licences.check(FILES, FREE)


def test_the_permissive_profile_keeps_real_esrgan_and_leaves_out_detector_swapper_and_gfpgan() -> None:
    own = read_manifest()
    licences = licences_of(own, [], "permissive")

    kept = {file.name for file in own.files.values() if not licences.leaves_out(file)}

    assert "realesr-general-x4v3.onnx" in kept
    assert kept.isdisjoint({"det_10g.onnx", "w600k_r50.onnx", "inswapper_128.onnx", "GFPGANv1.4.onnx"})
