from __future__ import annotations

from pathlib import Path

import pytest

from predictor.detectors import DETECTORS
from predictor.embedders import EMBEDDERS
from predictor.errors import StartupError
from predictor.restorers import MASKS, RESTORERS
from predictor.swappers import SWAPPERS
from predictor.upsamplers import UPSAMPLERS
from predictor.weights.manifest import read_manifest

OWN = read_manifest()
MODELS = {*DETECTORS, *EMBEDDERS, *SWAPPERS, *RESTORERS, *MASKS, *UPSAMPLERS}


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


# ── the package's own ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(OWN.files))
def test_every_file_can_be_downloaded_and_checked_or_is_made_here(name: str) -> None:
    file = OWN.files[name]

    if file.made_from:
        assert file.is_made_here
        assert all(OWN.files[source].is_downloadable for source in file.made_from)
    else:
        assert file.is_downloadable
        assert file.sha256
        assert all(address.startswith("https://") for address in file.addresses)


@pytest.mark.parametrize("name", sorted(OWN.files))
def test_what_is_made_allows_no_more_than_what_it_is_made_from(name: str) -> None:
    file = OWN.files[name]

    for source in file.made_from:
        assert file.weights_licence == OWN.files[source].weights_licence
        assert file.commercial_use == OWN.files[source].commercial_use


def test_only_files_that_surely_allow_commercial_use_need_no_acceptance() -> None:
    asked = {file.name for file in OWN.files.values() if OWN.licence(file).needs_acceptance}

    assert asked == {file.name for file in OWN.files.values() if file.commercial_use != "yes"}
    assert {"det_10g.onnx", "inswapper_128.onnx", "GFPGANv1.4.onnx"} <= asked


def test_a_pin_that_rests_on_a_single_source_is_marked() -> None:
    assert [file.name for file in OWN.files.values() if file.pin == "single"] == ["GFPGANv1.2.pth"]


def test_every_model_named_as_a_user_is_a_model() -> None:
    named = {model for file in OWN.files.values() for model in file.used_by}

    assert named <= {*MODELS, "reference"}


def test_every_model_that_has_weights_has_them_in_the_manifest() -> None:
    without = {model for model in MODELS if not OWN.alternatives(model)}

    assert without == {"centerface", "blend", "sharpen", "soft", "lanczos"}


def test_a_model_can_run_on_any_of_its_alternatives() -> None:
    assert [file.name for file in OWN.alternatives("gfpgan_1.4")] == ["gfpgan_1.4.onnx", "GFPGANv1.4.onnx"]
    assert OWN.alternatives("centerface") == []


def test_the_official_address_comes_before_its_mirrors() -> None:
    addresses = OWN.files["inswapper_128.onnx"].addresses

    assert addresses[0].startswith("https://github.com/deepinsight/insightface/")
    assert len(addresses) == 4


def test_a_file_that_is_not_in_the_manifest_is_named_with_what_to_do() -> None:
    with pytest.raises(StartupError, match=r"^other\.onnx: the manifest of weights has no such file; .*weights list"):
        OWN.file("other.onnx")


# ── the operator's ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_of_the_operators_takes_the_place_of_ours_and_the_rest_stays(tmp_path: Path) -> None:
    mine = written(tmp_path, '[files."inswapper_128.onnx"]\nurl = "http://mirror.test/a.onnx"\nmirrors = []\n')

    file = read_manifest(mine).files["inswapper_128.onnx"]

    assert file.addresses == ["http://mirror.test/a.onnx"]
    assert file.sha256 == OWN.files["inswapper_128.onnx"].sha256


def test_the_operator_can_add_a_file_and_a_licence(tmp_path: Path) -> None:
    mine = written(
        tmp_path,
        f"""
        [licences.ours]
        title = "Ours"
        url = "https://intranet.test/licence"
        needs_acceptance = true
        [files."ours.onnx"]
        architecture = "a net of ours"
        used_by = ["inswapper"]
        sha256 = "{"AB" * 32}"
        code_licence = "ours"
        weights_licence = "ours"
        commercial_use = "yes"
        """,
    )

    manifest = read_manifest(mine)

    assert manifest.files["ours.onnx"].sha256 == "ab" * 32
    assert manifest.licence(manifest.files["ours.onnx"]).title == "Ours"
    assert set(OWN.files) < set(manifest.files)


ENTRY = 'architecture = "a"\ncode_licence = "mit"\nweights_licence = "mit"\ncommercial_use = "yes"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "is no TOML: "),
        ("[file.x]\n", r"is wrong: file: is none of licences, archives, files"),
        ("files = 3\n", "is wrong: files: must be tables"),
        ("[files]\nx = 3\n", "is wrong: files.x: must be a table without name"),
        ('[files."a.onnx"]\nname = "b.onnx"\n', r'is wrong: files."a\.onnx": must be a table without name'),
        ("[files.a.onnx]\nsize = 3\n", r'is wrong: files\.a: a name with a dot needs quotes: \[files\."a\.…"\]'),
        ('[files."a.onnx"]\n', r'is wrong: files\."a\.onnx"\.architecture: is needed'),
        ('[files."det_10g.onnx"]\nsize = "big"\n', r'is wrong: files\."det_10g\.onnx"\.size: Input should be'),
        ('[files."det_10g.onnx"]\nsize = 0\n', r'is wrong: files\."det_10g\.onnx"\.size: Input should be greater'),
        ('[files."det_10g.onnx"]\nsha256 = "abc"\n', r'is wrong: files\."det_10g\.onnx"\.sha256: 64 hex digits'),
        ('[files."det_10g.onnx"]\nurl = "ftp://a/b"\n', r'is wrong: files\."det_10g\.onnx"\.url: an address that'),
        ('[files."det_10g.onnx"]\nsha265 = "a"\n', r'is wrong: files\."det_10g\.onnx"\.sha265: there is no such key'),
        (
            '[files."GFPGANv1.4.pth"]\nmember = "a"\n',
            r'is wrong: files\."GFPGANv1\.4\.pth": archive and member go together',
        ),
        (f'[files."../a.onnx"]\n{ENTRY}', r'is wrong: files\."\.\./a\.onnx"\.name: a file.s name, not hidden'),
        (f'[files.".hidden"]\n{ENTRY}', r'is wrong: files\."\.hidden"\.name: a file.s name, not hidden'),
        (
            '[files."det_10g.onnx"]\nweights_licence = "none"\n',
            r'is wrong: files\."det_10g\.onnx"\.weights_licence: there is no \'none\'; there are apache-2\.0, ',
        ),
        (
            '[files."det_10g.onnx"]\narchive = "b.zip"\n',
            r'is wrong: files\."det_10g\.onnx"\.archive: there is no \'b\.zip\'; there are buffalo_l\.zip$',
        ),
        (
            '[files."parsenet.onnx"]\nmade_from = ["b.pth"]\n',
            r'is wrong: files\."parsenet\.onnx"\.made_from: there is no \'b\.pth\'',
        ),
    ],
)
def test_what_is_wrong_in_the_operators_manifest_is_told_with_file_and_key(
    tmp_path: Path, text: str, told: str
) -> None:
    mine = written(tmp_path, text)

    with pytest.raises(StartupError, match=f"^the manifest of weights .*mine.toml {told}") as raised:
        read_manifest(mine)

    assert "\n" not in raised.value.sentence


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"mine\.toml cannot be read: No such file or directory$"):
        read_manifest(tmp_path / "mine.toml")
