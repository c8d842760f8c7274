from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import LicenceNotAccepted, WeightsDamaged, WeightsMissing
from predictor.weights.licences import Licences, licences_of
from predictor.weights.manifest import read_manifest
from predictor.weights.needs import needs_of, require, to_pull
from predictor.weights.store import Store
from tests.unit.weights.shelf import store, weights

OWN = read_manifest()
MODELS = ("scrfd", "arcface", "inswapper", "gfpgan_1.4", "real_esrgan")
ONNX, REFERENCE = needs_of(OWN, "onnx", MODELS), needs_of(OWN, "reference", MODELS)
ACCEPTED = licences_of(OWN, ["insightface-non-commercial", "gfpgan"], "all")


def sized(folder: Path, name: str) -> None:
    """Make a file of the size it should have, without its bytes."""
    with (folder / name).open("wb") as file:
        file.truncate(OWN.files[name].size)


def test_what_the_onnx_recipe_needs_can_be_downloaded_without_torch() -> None:
    assert to_pull(Store((), OWN), ONNX) == [
        "det_10g.onnx",
        "w600k_r50.onnx",
        "inswapper_128.onnx",
        "GFPGANv1.4.onnx",
        "realesr-general-x4v3.onnx",
    ]


def test_the_reference_needs_the_official_files_and_those_of_its_packages() -> None:
    assert to_pull(Store((), OWN), REFERENCE) == [
        "det_10g.onnx",
        "w600k_r50.onnx",
        "inswapper_128.onnx",
        "GFPGANv1.4.pth",
        "realesr-general-x4v3.pth",
        "realesr-general-wdn-x4v3.pth",
        "detection_Resnet50_Final.pth",
        "parsing_parsenet.pth",
    ]


def test_what_several_steps_of_the_reference_need_is_needed_once() -> None:
    needs = needs_of(OWN, "reference", (*MODELS, "parse"))

    names = [file.name for files in needs for file in files]
    assert sorted(names) == sorted(file.name for files in REFERENCE for file in files)


def test_masks_that_are_parsed_need_the_parser() -> None:
    assert to_pull(Store((), OWN), needs_of(OWN, "onnx", ["parse"])) == ["parsing_parsenet.pth"]
    assert [[file.name for file in files] for files in needs_of(OWN, "onnx", ["parse", "soft"])] == [["parsenet.onnx"]]


def test_models_without_weights_need_none() -> None:
    assert needs_of(OWN, "embedded", ("centerface", None, "blend", "sharpen", "lanczos")) == []
    require(Store((), OWN), [])


def test_where_only_a_made_file_will_do_what_it_is_made_from_is_pulled() -> None:
    assert to_pull(Store((), OWN), needs_of(OWN, "onnx", ["gfpgan_1.3", "gfpgan_1.3"])) == ["GFPGANv1.3.pth"]


def test_an_alternative_that_is_there_is_enough(tmp_path: Path) -> None:
    (tmp_path / "gfpgan_1.4.onnx").touch()
    files, needs = Store([tmp_path], OWN, ACCEPTED), needs_of(OWN, "onnx", ["gfpgan_1.4"])

    assert to_pull(files, needs) == ["gfpgan_1.4.onnx"]
    require(files, needs)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    sized(tmp_path, "inswapper_128.onnx")

    with pytest.raises(WeightsMissing) as raised:
        require(Store([tmp_path], OWN, ACCEPTED), ONNX)

    assert raised.value.sentence == (
        "weights are missing: det_10g.onnx, w600k_r50.onnx, gfpgan_1.4.onnx or GFPGANv1.4.onnx, "
        f"real_esrgan_x4v3.onnx or realesr-general-x4v3.onnx; searched: {tmp_path}; get them with "
        "`python -m predictor weights pull det_10g.onnx w600k_r50.onnx GFPGANv1.4.onnx realesr-general-x4v3.onnx`"
    )


def test_a_single_missing_file_is_told_as_the_search_for_it_tells(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=rf"^inswapper_128\.onnx is in none of {tmp_path}; get it with `"):
        require(Store([tmp_path], OWN, ACCEPTED), needs_of(OWN, "onnx", ["inswapper"]))


def test_a_truncated_file_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    for name in to_pull(Store((), OWN), ONNX):
        sized(tmp_path, name)
    files = Store([tmp_path], OWN, ACCEPTED)
    require(files, ONNX)

    (tmp_path / "inswapper_128.onnx").write_bytes(b"cut")
    with pytest.raises(
        WeightsDamaged, match=r"inswapper_128\.onnx is damaged: it has 3 bytes, not 554,253,681; delete"
    ):
        require(files, ONNX)


def test_a_file_that_may_not_be_used_meets_no_need(tmp_path: Path) -> None:
    strict = weights("strict.onnx", b"1", weights_licence="strict")
    free = weights("free.onnx", b"1")
    (tmp_path / "strict.onnx").write_bytes(b"1")

    with pytest.raises(WeightsMissing, match=r"^free\.onnx is in none of"):
        require(store(tmp_path, strict, free), [[strict, free]])


def test_all_licences_that_are_not_accepted_are_told_at_once() -> None:
    with pytest.raises(LicenceNotAccepted) as raised:
        require(Store((), OWN), ONNX)

    assert raised.value.sentence == (
        "licences not accepted yet: insightface-non-commercial for det_10g.onnx, w600k_r50.onnx, inswapper_128.onnx "
        "(InsightFace's pretrained models: non-commercial research only; "
        "https://github.com/deepinsight/insightface#license); gfpgan for gfpgan_1.4.onnx "
        "(Apache 2.0, with parts under NVIDIA's non-commercial licence and CC BY-NC-SA 4.0; "
        "https://github.com/TencentARC/GFPGAN/blob/master/LICENSE); "
        "if you accept, set PREDICTOR_ACCEPTED_LICENCES=gfpgan,insightface-non-commercial"
    )


def test_all_that_the_permissive_profile_leaves_out_is_told_at_once() -> None:
    with pytest.raises(LicenceNotAccepted) as raised:
        require(Store((), OWN, Licences(only_commercial=True)), ONNX)

    assert raised.value.sentence == (
        "PREDICTOR_PROFILE=permissive leaves out det_10g.onnx (insightface-non-commercial), "
        "w600k_r50.onnx (insightface-non-commercial), inswapper_128.onnx (insightface-non-commercial), "
        "gfpgan_1.4.onnx (gfpgan): commercial use is not, or may not be, allowed; "
        "choose other models for these steps, or set PREDICTOR_PROFILE=all"
    )


def test_the_permissive_profile_can_enlarge_and_says_what_it_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    files = Store([tmp_path], OWN, Licences(only_commercial=True))
    needs = needs_of(OWN, "embedded", ("centerface", None, "blend", "sharpen", "real_esrgan"))
    sized(tmp_path, "realesr-general-x4v3.onnx")

    require(files, needs)

    assert "PREDICTOR_PROFILE=permissive leaves out det_10g.onnx, w600k_r50.onnx, inswapper_128.onnx, " in caplog.text
    assert "realesr" not in caplog.text


def test_a_need_that_one_file_meets_is_not_refused_for_another(tmp_path: Path) -> None:
    strict = weights("strict.onnx", b"1", weights_licence="strict")
    free = weights("free.onnx", b"1")
    (tmp_path / "free.onnx").write_bytes(b"1")

    require(store(tmp_path, strict, free), [[strict, free]])
