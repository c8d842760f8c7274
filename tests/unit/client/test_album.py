from __future__ import annotations

from pathlib import Path

import pytest

from predictor.client.album import Album
from predictor.errors import StartupError

PNG, JPEG, WEBP = b"\x89PNG...", b"\xff\xd8...", b"RIFF....WEBP"


@pytest.mark.parametrize(
    ("name", "picture", "saved"),
    [
        ("party.jpg", JPEG, "party.jpg"),
        ("party.bmp", PNG, "party.png"),
        ("party.tar.gz", WEBP, "party.tar.webp"),
        ("destination_1", PNG, "destination_1.png"),
        ("größe.png", PNG, "größe.png"),
        ("what is this?.png", PNG, "what_is_this.png"),
        ("", PNG, "picture.png"),
        ("...", PNG, "picture.png"),
        (".hidden", PNG, "hidden.png"),
        ("x" * 300, PNG, "x" * 100 + ".png"),
        ("party.jpg", b"GIF89a", "party.bin"),
        ("../../etc/passwd", PNG, "etc_passwd.png"),
        ("../party.png", PNG, "party.png"),
        ("..\\..\\party.png", PNG, "party.png"),
        ("a\x1b[31m\n.png", PNG, "a_31m.png"),
    ],
)
def test_a_picture_is_saved_in_the_folder_under_a_plain_name_and_its_own_ending(
    tmp_path: Path, name: str, picture: bytes, saved: str
) -> None:
    path = Album(tmp_path / "a" / "b").save(name, picture)

    assert path == tmp_path / "a" / "b" / saved
    assert path.read_bytes() == picture


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "party.png").write_bytes(b"yours")
    album = Album(tmp_path)

    paths = [album.save("party.jpg", PNG + bytes([number])) for number in range(3)]

    assert [path.name for path in paths] == ["party-2.png", "party-3.png", "party-4.png"]
    assert [path.read_bytes()[-1] for path in paths] == [0, 1, 2]
    assert (tmp_path / "party.png").read_bytes() == b"yours"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "party.png").symlink_to(tmp_path / "elsewhere.png")

    assert Album(tmp_path).save("party.png", PNG).name == "party-2.png"
    assert not (tmp_path / "elsewhere.png").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartupError, match="the folder cannot be made"):
        Album(tmp_path / "file" / "out")


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    album = Album(tmp_path / "out")
    (tmp_path / "out").rmdir()

    with pytest.raises(StartupError, match=r"party\.png: cannot be written"):
        album.save("party.png", PNG)
