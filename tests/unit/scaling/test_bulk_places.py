from __future__ import annotations

import errno
import os
from pathlib import Path

import fsspec
import pytest

from predictor.errors import StartupError
from predictor.scaling import bulk_places
from predictor.scaling.bulk_places import Place, PlaceFailed, PlaceFull
from tests.unit.scaling.bulk_bench import bucket


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://bucket/in", "s3://bucket/in: a package for such addresses is not installed here: Install s3fs"),
        ("gs://user:secret@bucket/in", "gs://bucket/in: a package for such addresses is not installed here: "),
        ("nowhere://bucket", "nowhere://bucket: no address of a folder or a bucket: ValueError"),
    ],
)
def test_an_address_that_nobody_here_knows_is_told_without_its_secrets(address: str, sentence: str) -> None:
    with pytest.raises(StartupError) as caught:
        Place(address)

    assert caught.value.sentence.startswith(sentence)
    assert "secret" not in caught.value.sentence


def test_a_path_and_its_address_are_the_same_place(tmp_path: Path) -> None:
    path, address = Place(str(tmp_path)), Place(f"file://{tmp_path}")

    assert path.address == address.address == str(tmp_path)
    assert path.overlaps(address)


def test_a_place_is_the_same_from_another_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Place("in").address == str(tmp_path / "in")


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a", "ab", False),
        ("a/b", "a/c", False),
        ("a", "link", True),
        ("a", "a/../a/b/", True),
    ],
)
def test_folders_overlap_where_one_lies_in_the_other(tmp_path: Path, one: str, other: str, overlap: bool) -> None:  # noqa: FBT001
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a/b")

    assert Place(f"{tmp_path}/{one}").overlaps(Place(f"{tmp_path}/{other}")) is overlap


def test_buckets_overlap_alike_and_never_with_folders(tmp_path: Path) -> None:
    assert Place("memory://bucket/in").overlaps(Place("memory://bucket/in/out"))
    assert not Place("memory://bucket/in").overlaps(Place("memory://bucket/input"))
    assert not Place("memory://bucket").overlaps(Place(str(tmp_path)))


def test_only_memory_is_of_one_process(tmp_path: Path) -> None:
    assert Place("memory://bucket").is_of_one_process
    assert not Place(str(tmp_path)).is_of_one_process


def test_a_file_is_renamed_into_a_folder_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(str(tmp_path))
    place.make()
    place.write("sub/deep/a.png", b"old")
    seen = list[bytes]()
    real = Path.replace

    def replace(partial: Path, target: Path) -> Path:
        seen.append((tmp_path / "sub/deep/a.png").read_bytes())
        return real(partial, target)

    monkeypatch.setattr(Path, "replace", replace)
    place.write("sub/deep/a.png", b"new")

    assert seen == [b"old"]
    assert place.read("sub/deep/a.png", 100) == b"new"
    assert list((tmp_path / ".bulk/partial").iterdir()) == []


def test_a_file_system_with_folders_that_are_not_made_yet_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bucket()
    real, made = type(bench.output._fs).pipe_file, list[str]()

    def pipe_file(self: object, path: str, data: bytes) -> None:
        if not made:
            raise FileNotFoundError(path)
        real(self, path, data)

    monkeypatch.setattr(type(bench.output._fs), "pipe_file", pipe_file)
    monkeypatch.setattr(type(bench.output._fs), "makedirs", lambda _self, path, **_: made.append(path))

    bench.output.write("sub/a.png", b"x")

    assert [path.rpartition("/")[2] for path in made] == ["sub"]
    assert bench.output.read("sub/a.png", 9) == b"x"


def test_no_more_than_the_limit_and_one_byte_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")

    assert Place(str(tmp_path)).read("a", 4) == b"01234"


def test_what_is_not_there_is_none_or_an_error_with_its_name(tmp_path: Path) -> None:
    place = Place(str(tmp_path))

    assert (place.read_if_there("a"), place.size("a")) == (None, None)
    place.remove("a")
    with pytest.raises(PlaceFailed, match=r"^a cannot be read: No such file or directory$"):
        place.read("a", 9)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_disk_is_no_fault_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    place = Place(str(tmp_path))
    place.make()

    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(PlaceFull, match="nothing can be written any more: "):
        place.write("a", b"x")


def test_a_foreign_error_becomes_ours_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class ClientError(Exception):
        pass

    place = bucket().output

    def fail(*_: object, **__: object) -> bytes:
        raise ClientError("key AKIA…")

    monkeypatch.setattr(type(place._fs), "cat_file", fail)

    with pytest.raises(PlaceFailed, match=r"^a cannot be read: ClientError$"):
        place.read("a", 9)


def test_what_cannot_be_made_keeps_the_run_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StartupError, match=r"file/out: the folder cannot be made or written: Not a directory"):
        Place(str(tmp_path / "file/out")).make()


def test_an_address_with_a_password_is_shown_without() -> None:
    assert bulk_places._without_secrets("ftp://me:secret@host/in") == "ftp://host/in"
    assert bulk_places._without_secrets("/a@b/c") == "/a@b/c"


def test_only_folders_with_something_to_list_are_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    fsspec.filesystem("memory").pipe_file("/is-there/a", b"x")

    assert Place(str(tmp_path)).is_folder()
    assert not Place(str(tmp_path / "file")).is_folder()
    assert not Place(str(tmp_path / "gone")).is_folder()
    assert Place("memory://is-there").is_folder()
