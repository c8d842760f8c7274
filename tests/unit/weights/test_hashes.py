from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.weights import hashes
from predictor.weights.hashes import HashMemory, sha256_of
from tests.unit.weights.shelf import sha256

LONG_AGO = 1_700_000_000


def settled(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HashMemory:
    monkeypatch.setattr(hashes, "_SETTLED_NS", -1)  # the inode's time cannot be set back, so no file is ever settled
    return HashMemory(tmp_path / "cache" / "deeper")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    seen: list[Path] = []

    def counting(path: Path, advanced: Callable[[int], object] | None = None) -> str:
        seen.append(path)
        return sha256_of(path, advanced)

    monkeypatch.setattr(hashes, "sha256_of", counting)
    return seen


def test_a_file_is_hashed_in_pieces_and_each_is_told(tmp_path: Path) -> None:
    data = b"x" * (5 * 1024 * 1024)
    path = settled(tmp_path / "a", data)
    pieces: list[int] = []

    assert sha256_of(path, pieces.append) == sha256(data)
    assert sum(pieces) == len(data)
    assert len(pieces) == 2


def test_a_file_that_did_not_change_is_hashed_once(tmp_path: Path, memory: HashMemory, hashed: list[Path]) -> None:
    path = settled(tmp_path / "a", b"one")

    assert memory.sha256_of(path) == HashMemory(memory.folder).sha256_of(path) == sha256(b"one")
    assert hashed == [path]
    assert memory.known(path) == sha256(b"one")


def test_a_file_can_be_hashed_afresh_and_what_came_out_is_remembered(
    tmp_path: Path, memory: HashMemory, hashed: list[Path]
) -> None:
    path = settled(tmp_path / "a", b"one")
    memory.sha256_of(path)

    memory.computed(path)
    memory.sha256_of(path)

    assert len(hashed) == 2


def test_a_file_that_was_written_a_moment_ago_is_not_remembered(tmp_path: Path, hashed: list[Path]) -> None:
    memory = HashMemory(tmp_path)
    path = tmp_path / "a"
    path.write_bytes(b"one")

    memory.sha256_of(path)
    memory.sha256_of(path)

    assert len(hashed) == 2


def test_another_file_of_the_same_path_size_and_time_is_hashed_again(
    tmp_path: Path, memory: HashMemory, hashed: list[Path]
) -> None:
    path = settled(tmp_path / "a", b"one")
    memory.sha256_of(path)

    settled(tmp_path / "b", b"two").replace(path)

    assert memory.known(path) is None
    assert memory.sha256_of(path) == sha256(b"two")
    assert len(hashed) == 2


def test_a_file_changed_in_place_with_its_time_set_back_is_hashed_again(tmp_path: Path, memory: HashMemory) -> None:
    path = settled(tmp_path / "a", b"one")
    memory.sha256_of(path)

    settled(path, b"two")

    assert memory.sha256_of(path) == sha256(b"two")


def test_a_file_that_changes_while_it_is_hashed_is_not_remembered(
    tmp_path: Path, memory: HashMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settled(tmp_path / "a", b"one")

    def meddled(path: Path, _advanced: object) -> str:
        digest = sha256_of(path)
        path.write_bytes(b"three")
        return digest

    monkeypatch.setattr(hashes, "sha256_of", meddled)
    memory.sha256_of(path)

    assert memory.known(path) is None


def test_files_that_are_gone_are_forgotten(tmp_path: Path, memory: HashMemory) -> None:
    gone, kept = settled(tmp_path / "gone", b"one"), settled(tmp_path / "kept", b"two")
    memory.sha256_of(gone)
    gone.unlink()
    memory.sha256_of(kept)

    assert memory.folder
    (file,) = memory.folder.iterdir()
    assert list(json.loads(file.read_text())) == [str(kept)]


@pytest.mark.parametrize("content", ["", "[]", "nonsense", '{"PATH": 3}', '{"PATH": {"stamp": 3}}'])
def test_a_broken_memory_is_no_memory(tmp_path: Path, memory: HashMemory, content: str) -> None:
    path = settled(tmp_path / "a", b"one")
    assert memory.folder
    memory.folder.mkdir(parents=True)
    (memory.folder / "known-hashes.json").write_text(content.replace("PATH", str(path)))

    assert memory.known(path) is None
    assert memory.sha256_of(path) == sha256(b"one")


@pytest.mark.usefixtures("memory")
def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    path = settled(tmp_path / "a", b"one")
    in_a_file = HashMemory(path / "cache")

    assert in_a_file.sha256_of(path) == HashMemory().sha256_of(path) == sha256(b"one")
    assert in_a_file.known(path) is None
