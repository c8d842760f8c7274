from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from predictor.weights import archives
from predictor.weights.archives import unpack
from predictor.weights.download import SourceFailed

BYTES = b"the right bytes" * 100


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("net.onnx", BYTES)
        opened.writestr("../escaped.onnx", b"evil")
        opened.writestr("/tmp/absolute.onnx", b"evil")  # noqa: S108  # a name in a zip
        link = zipfile.ZipInfo("link.onnx")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("bomb.onnx", b"\0" * 10_000_000)
    return path


def test_only_the_named_member_is_written_and_only_to_the_target(tmp_path: Path, archive: Path) -> None:
    unpack(archive, "net.onnx", tmp_path / "target", len(BYTES))

    assert (tmp_path / "target").read_bytes() == BYTES
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip", "target"}


@pytest.mark.parametrize(("member", "content"), [("../escaped.onnx", b"evil"), ("link.onnx", b"/etc/passwd")])
def test_paths_and_links_in_an_archive_lead_nowhere(tmp_path: Path, archive: Path, member: str, content: bytes) -> None:
    unpack(archive, member, tmp_path / "target", None)

    assert (tmp_path / "target").read_bytes() == content
    assert not (tmp_path / "target").is_symlink()
    assert not (tmp_path.parent / "escaped.onnx").exists()


def test_a_member_of_another_size_is_not_unpacked(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(SourceFailed, match=r"^bomb\.onnx in it has 10,000,000 bytes, not 15$"):
        unpack(archive, "bomb.onnx", tmp_path / "target", 15)

    assert not (tmp_path / "target").exists()


def test_a_member_of_no_known_size_may_not_be_a_bomb(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_LARGEST_BYTES", 5_000_000)

    with pytest.raises(SourceFailed, match=r"^bomb\.onnx in it has 10,000,000 bytes, not 5,000,000$"):
        unpack(archive, "bomb.onnx", tmp_path / "target", None)


def test_a_member_that_is_not_there_is_told(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(SourceFailed, match=r"^it has no other\.onnx$"):
        unpack(archive, "other.onnx", tmp_path / "target", None)


def broken(data: bytes, kind: str) -> bytes:
    local = data.index(b"net.onnx") + len("net.onnx")
    central = data.index(b"net.onnx", local) - 46
    changed = {
        "no zip": b"<html>not found</html>",
        "cut off": data[: len(data) // 2],
        "rotten": data[: local + 3] + b"\xff\xff\xff" + data[local + 6 :],
        "encrypted": data[: central + 8] + b"\x01" + data[central + 9 :],
        "of an unknown method": data[: central + 10] + b"\x63" + data[central + 11 :],
    }
    return changed[kind]


@pytest.mark.parametrize("kind", ["no zip", "cut off", "rotten", "encrypted", "of an unknown method"])
def test_an_archive_that_is_broken_is_told(tmp_path: Path, archive: Path, kind: str) -> None:
    archive.write_bytes(broken(archive.read_bytes(), kind))

    with pytest.raises(SourceFailed, match=r"^it is no whole zip: "):
        unpack(archive, "net.onnx", tmp_path / "target", len(BYTES))
