from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from predictor.errors import LicenceNotAccepted, StartupError, WeightsDamaged, WeightsMissing, WeightsUnknown
from predictor.settings import Settings
from predictor.weights import store as store_module
from predictor.weights.hashes import HashMemory
from predictor.weights.records import record
from predictor.weights.store import LoadedWeights, Store, store_of
from tests.unit.weights.shelf import manifest, sha256, store, weights

BYTES = b"the right bytes"
NET = weights("net.onnx", BYTES, "https://weights.test/net.onnx")
MADE = weights("made.onnx", made_from=("net.onnx",))
STRICT = weights("strict.onnx", BYTES, "https://weights.test/strict.onnx", weights_licence="strict")


def put(folder: Path, name: str = "net.onnx", data: bytes = BYTES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


# ── where ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_folder_that_has_a_file_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    put(second)

    assert store([first, second], NET).find("net.onnx") == second / "net.onnx"
    put(first)
    assert store([first, second], NET).find("net.onnx") == first / "net.onnx"


def test_a_file_may_lie_in_a_folder_of_its_own_as_storage_uris_are_mounted(tmp_path: Path) -> None:
    below = put(tmp_path / "b" / "swapper")
    put(tmp_path / "b" / ".hidden")
    put(tmp_path / "b" / "deep" / "deeper")

    files = store(tmp_path / "b", NET)

    assert files.locate("net.onnx") == [below]
    flat = put(tmp_path / "b")
    assert files.find("net.onnx") == flat


def test_a_folder_of_a_files_name_is_no_file_and_a_link_is_one(tmp_path: Path) -> None:
    (tmp_path / "1" / "net.onnx").mkdir(parents=True)
    put(tmp_path / "2" / "..data")
    (tmp_path / "2" / "net.onnx").symlink_to(tmp_path / "2" / "..data" / "net.onnx")

    assert store([tmp_path / "1", tmp_path / "2"], NET).find("net.onnx") == tmp_path / "2" / "net.onnx"


def test_settings_give_the_order_weights_dir_kserve_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert store_of(Settings(weights_dir=tmp_path)).folders == [
        tmp_path,
        Path("/mnt/models"),
        tmp_path / "cache" / "faceswap-predictor",
    ]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert store_of(Settings()).folders == [Path("/mnt/models"), Path("/home/someone/.cache/faceswap-predictor")]


def test_kserves_folder_is_searched_after_weights_dir_and_before_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(store_module, "_KSERVE_MODELS", tmp_path / "mnt")
    mine = tmp_path / "mine.toml"
    mine.write_text(
        f'[files."net.onnx"]\nsha256 = "{sha256(BYTES)}"\narchitecture = "a"\n'
        'code_licence = "mit"\nweights_licence = "mit"\ncommercial_use = "yes"\n'
    )
    files = store_of(Settings(weights_dir=tmp_path / "dir", weights_manifest=mine))
    places = [tmp_path / "cache" / "faceswap-predictor", tmp_path / "mnt" / "net", tmp_path / "dir"]

    for place in places:
        put(place)
        assert files.find("net.onnx") == place / "net.onnx"


def test_a_missing_file_is_told_with_the_places_searched_and_the_command(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    put(tmp_path, "b")

    with pytest.raises(WeightsMissing) as raised:
        store([tmp_path / "a", tmp_path / "b", tmp_path / "c"], NET).find("net.onnx")

    assert raised.value.sentence == (
        f"net.onnx is in none of {tmp_path}/a, {tmp_path}/b (no folder), {tmp_path}/c (not there); "
        "get it with `python -m predictor weights pull net.onnx`"
    )


def test_of_several_the_preferred_one_is_found_and_if_none_is_there_all_are_told(tmp_path: Path) -> None:
    files = store(tmp_path / "a", MADE, NET)

    with pytest.raises(WeightsMissing) as raised:
        files.find("made.onnx", "net.onnx")
    assert raised.value.sentence == (
        f"neither made.onnx nor net.onnx is in {tmp_path}/a (not there); get it with "
        "`python -m predictor weights pull net.onnx` or `python -m predictor weights convert made.onnx`"
    )

    put(tmp_path / "a")
    assert files.find("made.onnx", "net.onnx").name == "net.onnx"
    put(tmp_path / "a", "made.onnx")
    record(tmp_path / "a", "made.onnx", sha256(BYTES), ["net.onnx"])
    assert files.find("made.onnx", "net.onnx").name == "made.onnx"


def test_where_no_folder_is_searched_and_nobody_offers_the_file_that_is_told() -> None:
    with pytest.raises(WeightsMissing, match=r"^net\.onnx is not in any folder: none is searched; put it there$"):
        Store((), manifest(weights("net.onnx", BYTES))).find("net.onnx")


def test_a_file_the_manifest_does_not_have_is_told() -> None:
    with pytest.raises(StartupError, match=r"^typo\.onnx: the manifest of weights has no such file"):
        Store(()).find("typo.onnx")


# ── whether it is right ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    path = put(tmp_path, data=BYTES[:-3])

    with pytest.raises(WeightsDamaged) as raised:
        store(tmp_path, NET).find("net.onnx")

    assert raised.value.sentence == (
        f"{path} is damaged: it has 12 bytes, not 15; delete it and run `python -m predictor weights pull net.onnx`"
    )


def test_a_git_lfs_pointer_is_told_as_such(tmp_path: Path) -> None:
    put(tmp_path, data=b"version https://git-lfs.github.com/spec/v1\noid sha256:e4a3\nsize 15\n")

    with pytest.raises(WeightsDamaged, match=r"net\.onnx is a git-lfs pointer, not the file; delete it"):
        store(tmp_path, NET).find("net.onnx")


def test_a_file_of_the_right_size_and_another_sha256_is_damaged_and_no_other_is_taken_for_it(tmp_path: Path) -> None:
    path = put(tmp_path / "1", data=b"the wrong bytes")
    put(tmp_path / "2")

    with pytest.raises(WeightsDamaged) as raised:
        store([tmp_path / "1", tmp_path / "2"], NET).find("net.onnx")

    assert raised.value.sentence == (
        f"{path} is damaged: its sha256 is {sha256(b'the wrong bytes')[:12]}… where the manifest has "
        f"{sha256(BYTES)[:12]}…; "
        "delete it and run `python -m predictor weights pull net.onnx`"
    )


def test_what_is_remembered_of_a_file_is_compared_too(tmp_path: Path) -> None:
    path = put(tmp_path, data=b"the wrong bytes")
    memory = HashMemory(tmp_path / "cache")
    memory._remember(path, store_module_stamp(path), sha256(b"the wrong bytes"))

    with pytest.raises(WeightsDamaged):
        Store([tmp_path], manifest(NET), memory=memory).find("net.onnx")


def store_module_stamp(path: Path) -> tuple[int, int, int, int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def test_a_made_file_is_checked_against_the_record_beside_it(tmp_path: Path) -> None:
    path = put(tmp_path / "below", "made.onnx")
    files = store(tmp_path, MADE)
    record(tmp_path / "below", "made.onnx", sha256(BYTES))

    assert files.find("made.onnx") == path

    record(tmp_path / "below", "made.onnx", "0" * 64)
    with pytest.raises(WeightsDamaged, match=r"where its making recorded 000000000000…; delete it and run `.*conv"):
        files.find("made.onnx")


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        (MADE, "bring recorded_hashes.toml from the folder it was made in"),
        (
            weights("net.onnx", url="https://weights.test/net.onnx"),
            "if you trust it, record it: python -m predictor weights pull net.onnx --trust-first",
        ),
    ],
)
def test_a_file_of_which_no_sha256_is_known_is_not_run(tmp_path: Path, file: object, remedy: str) -> None:
    known = MADE if file is MADE else weights("net.onnx", url="https://weights.test/net.onnx")
    put(tmp_path, known.name)

    with pytest.raises(WeightsUnknown) as raised:
        store(tmp_path, known).find(known.name)

    assert remedy in raised.value.sentence
    assert raised.value.sentence.endswith("or name its sha256 in a manifest of your own (PREDICTOR_WEIGHTS_MANIFEST)")


def test_a_record_cannot_overrule_the_manifest(tmp_path: Path) -> None:
    put(tmp_path, data=b"the wrong bytes")
    record(tmp_path, "net.onnx", sha256(b"the wrong bytes"))

    with pytest.raises(WeightsDamaged):
        store(tmp_path, NET).find("net.onnx")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path)

    def refused(_memory: HashMemory, _path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(HashMemory, "sha256_of", refused)  # the tests may run as root, whom nothing is forbidden

    with pytest.raises(WeightsMissing, match=f"^{path} cannot be read: Permission denied$"):
        store(tmp_path, NET).find("net.onnx")


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(WeightsMissing, match=rf"none of {tmp_path} \(may not be read\);"):
        store(tmp_path, NET).find("net.onnx")


# ── whether it may be used ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_whose_licence_was_not_accepted_is_not_run_though_it_is_there(tmp_path: Path) -> None:
    put(tmp_path, "strict.onnx")

    with pytest.raises(LicenceNotAccepted, match=r"^strict\.onnx is under strict "):
        store(tmp_path, STRICT).find("strict.onnx")
    assert store(tmp_path, STRICT, accepted=["strict"]).find("strict.onnx") == tmp_path / "strict.onnx"


def test_a_second_choice_that_may_be_used_is_taken_before_a_first_that_may_not(tmp_path: Path) -> None:
    put(tmp_path, "strict.onnx")
    put(tmp_path)

    assert store(tmp_path, STRICT, NET).find("strict.onnx", "net.onnx") == tmp_path / "net.onnx"


def test_settings_say_what_is_accepted_and_which_profile() -> None:
    asked = Settings(accepted_licences=("insightface-non-commercial",))

    assert store_of(asked, ["gfpgan"]).licences.accepted == {"insightface-non-commercial", "gfpgan"}
    assert store_of(Settings(profile="permissive")).licences.only_commercial
    with pytest.raises(StartupError, match="there is no licence 'all'"):
        store_of(Settings(accepted_licences=("all",)))


# ── and never downloads ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_found_is_remembered_with_its_hash_and_its_licence(tmp_path: Path) -> None:
    put(tmp_path)
    put(tmp_path, "made.onnx")
    record(tmp_path, "made.onnx", sha256(BYTES), ["net.onnx"])
    files = store(tmp_path, NET, MADE)

    files.find("net.onnx")
    files.find("made.onnx")
    files.locate("strict.onnx")

    assert list(files.loaded.values()) == [
        LoadedWeights("net.onnx", sha256(BYTES), NET.weights_licence),
        LoadedWeights("made.onnx", sha256(BYTES), MADE.weights_licence),
    ]


def test_what_a_server_loads_cannot_download() -> None:
    words = "import sys, predictor.loader; print([name for name in sys.modules if 'weights' in name])"

    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True, text=True).stdout

    assert "predictor.weights.store" in loaded
    assert "download" not in loaded
    assert "pull" not in loaded
