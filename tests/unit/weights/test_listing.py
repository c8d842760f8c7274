from __future__ import annotations

from pathlib import Path

import pytest

from predictor.errors import StartupError, WeightsMissing
from predictor.weights import hashes
from predictor.weights.hashes import HashMemory
from predictor.weights.licences import Licences
from predictor.weights.listing import as_json, as_text, bytes_to_verify, rows, verdicts
from predictor.weights.records import RECORDS_NAME, record
from predictor.weights.store import Store
from tests.unit.weights.shelf import manifest, sha256, weights

BYTES = b"the right bytes" * 100_000
NET = weights("net.onnx", BYTES, "https://weights.test/net.onnx", used_by=("swapper",), pin="single")
SOURCE = weights("net.pth", BYTES, "https://weights.test/net.pth")
MADE = weights("made.onnx", made_from=("net.pth",), used_by=("restorer",))
STRICT = weights("strict.onnx", BYTES, weights_licence="strict", commercial_use="no")


def listed(folder: Path, licences: Licences | None = None) -> Store:
    return Store([folder], manifest(NET, SOURCE, MADE, STRICT), licences or Licences(), HashMemory(folder / "cache"))


def state_of(store: Store, name: str) -> str:
    return next(row.state for row in rows(store) if row.name == name)


def test_the_table_reads_well(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(BYTES)

    assert as_text(listed(tmp_path)).splitlines() == [
        "FILE          MB  FOR              LICENCE  COMMERCIAL  STATE",
        "net.onnx     1.5  swapper          mit      yes         there, sha256 checked at start",
        "net.pth      1.5  makes made.onnx  mit      yes         missing",
        "made.onnx         restorer         mit      yes         missing",
        "strict.onnx  1.5                   strict   no          missing; licence not accepted",
        "",
        "mit     needs no acceptance  MIT, https://licences.test/mit",
        "strict  not accepted         research only, https://licences.test/strict",
        "",
        f"searched, in this order: {tmp_path}",
        "sha256 known from a single source, and not yet seen right here: net.onnx",
    ]


def test_what_was_accepted_and_what_the_profile_leaves_out_is_told(tmp_path: Path) -> None:
    accepted = as_text(listed(tmp_path, Licences(frozenset({"strict"}))))
    permissive = as_text(listed(tmp_path, Licences(only_commercial=True)))

    assert "strict  accepted             research only" in accepted
    assert "not accepted" not in accepted
    assert "strict   no          missing; left out" in permissive
    assert "PREDICTOR_PROFILE=permissive leaves out strict.onnx" in permissive.splitlines()


def test_the_state_of_a_file_is_told_without_hashing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = listed(tmp_path)
    assert state_of(files, "net.onnx") == "missing"

    (tmp_path / "net.onnx").write_bytes(BYTES[1:])
    assert state_of(files, "net.onnx") == "damaged"
    (tmp_path / "net.onnx").write_bytes(BYTES[::-1])
    assert state_of(files, "net.onnx") == "there"
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1)
    files.memory.sha256_of(tmp_path / "net.onnx")
    assert state_of(files, "net.onnx") == "damaged"
    (tmp_path / "net.onnx").write_bytes(BYTES)
    files.memory.sha256_of(tmp_path / "net.onnx")
    assert state_of(files, "net.onnx") == "verified"
    assert "single source" not in as_text(files)

    (tmp_path / "made.onnx").write_bytes(BYTES)
    assert state_of(files, "made.onnx") == "unknown"
    record(tmp_path, "made.onnx", sha256(BYTES))
    assert state_of(files, "made.onnx") == "there"
    (tmp_path / RECORDS_NAME).write_text("nonsense")
    assert state_of(files, "made.onnx") == "unknown"


def test_a_program_is_told_the_same(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(BYTES)

    told = as_json(listed(tmp_path))

    assert told["files"][0] == {  # type: ignore[index]  # JSON
        "name": "net.onnx",
        "size": len(BYTES),
        "used_by": ("swapper",),
        "weights_licence": "mit",
        "commercial_use": "yes",
        "pin": "single",
        "use": "allowed",
        "state": "there",
        "path": str(tmp_path / "net.onnx"),
    }
    assert told["licences"][1]["accepted"] is False  # type: ignore[index]  # JSON
    assert told["searched"] == [str(tmp_path)]


def test_every_copy_of_a_file_is_verified_whatever_is_remembered(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "net.onnx").write_bytes(BYTES)
    (below / "net.onnx").write_bytes(BYTES[::-1])
    (below / "made.onnx").write_bytes(BYTES)
    pieces: list[int] = []

    found = list(verdicts(listed(tmp_path), (), pieces.append))

    assert [(verdict.path, verdict.state) for verdict in found] == [
        (tmp_path / "net.onnx", "OK"),
        (below / "net.onnx", "damaged"),
        (below / "made.onnx", "unknown"),
    ]
    assert found[0].sentence == f"{tmp_path}/net.onnx: sha256 {sha256(BYTES)}"
    assert found[1].sentence.endswith(f"is damaged: its sha256 is {sha256(BYTES[::-1])}, not {sha256(BYTES)}")
    assert "made.onnx has no known sha256" in found[2].sentence
    assert sum(pieces) == 2 * len(BYTES)
    assert bytes_to_verify(listed(tmp_path), ()) == 3 * len(BYTES)
    assert bytes_to_verify(listed(tmp_path), ("made.onnx",)) == len(BYTES)


def test_what_cannot_be_verified_because_it_is_nowhere_is_told_after_the_others(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"^there is no file of weights in {tmp_path}$"):
        list(verdicts(listed(tmp_path), (), print))
    (tmp_path / "net.onnx").write_bytes(BYTES)

    found = verdicts(listed(tmp_path), ("net.pth", "net.onnx"), lambda _: None)

    assert next(found).state == "OK"
    with pytest.raises(WeightsMissing, match=rf"^net\.pth: nothing of that name in {tmp_path}$"):
        next(found)
    with pytest.raises(StartupError, match=r"^typo\.onnx: the manifest of weights has no such file"):
        next(verdicts(listed(tmp_path), ("typo.onnx",), print))


def test_a_file_that_cannot_be_read_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(BYTES)

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashes, "sha256_of", refused)

    (verdict,) = verdicts(listed(tmp_path), (), print)

    assert (verdict.state, verdict.sentence) == ("damaged", f"{tmp_path}/net.onnx cannot be read: Permission denied")
