from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor.destinations import Destinations, load_destinations
from predictor.errors import StartupError, UnknownDestination
from tests.unit.fakes import FakeDetector, Fakes, face_at

FACES = [face_at(30, 0, 20), face_at(0, 0, 20)]


def png(width: int = 20, height: int = 10) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def loaded(
    folder: Path | None, limit_bytes: int = 10**6, max_pixels: int = 10**6, fakes: Fakes | None = None
) -> Destinations:
    return load_destinations(folder, limit_bytes, max_pixels, (fakes or Fakes(FakeDetector(FACES))).pipeline())


def test_without_a_folder_nothing_is_loaded() -> None:
    destinations = loaded(None)

    assert (destinations.names, destinations.rejected) == ([], {})


def test_pictures_come_in_name_order_with_their_faces_left_to_right(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "B.png", "10.png"):
        (tmp_path / name).write_bytes(png())

    destinations = loaded(tmp_path)

    assert destinations.names == ["10.png", "B.png", "a.png", "b.png"]
    destination = destinations.get("a.png")
    assert (destination.name, destination.picture.image.shape) == ("a.png", (10, 20, 3))
    assert [face.box.left for face in destination.faces] == [0, 30]


def test_each_picture_is_analysed_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    fakes = Fakes()

    destinations = loaded(tmp_path, fakes=fakes)

    assert len(fakes.detector.seen) == 1
    assert destinations.get("a.png") is destinations.get("a.png")
    assert destinations.get("a.png").faces == []


def test_a_bad_file_is_named_in_the_log_and_listed_and_the_others_are_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "b.png").write_bytes(png()[:-20])
    (tmp_path / "c.png").write_bytes(png())
    (tmp_path / "d.psd").write_bytes(b"8BPS" + bytes(50))
    (tmp_path / "e.png").write_bytes(b"")

    with caplog.at_level(logging.WARNING):
        destinations = loaded(tmp_path)

    assert destinations.names == ["c.png"]
    assert {name: error.code for name, error in destinations.rejected.items()} == {
        "a.png": "undecodable_image",
        "b.png": "undecodable_image",
        "d.psd": "unsupported_image",
        "e.png": "undecodable_image",
    }
    for name in destinations.rejected:
        assert name in caplog.text
    assert str(tmp_path) not in " ".join(error.sentence for error in destinations.rejected.values())


def test_a_rejected_file_keeps_no_bytes_in_memory(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png()[:-20])
    (tmp_path / "b.png").write_bytes(png())

    for error in loaded(tmp_path, limit_bytes=1).rejected.values():
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_a_file_that_cannot_be_read_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png())

    def refuse(_self: Path) -> bytes:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    assert loaded(tmp_path).rejected["a.png"].code == "undecodable_image"


def test_a_picture_with_too_many_pixels_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(20, 10))

    assert loaded(tmp_path, max_pixels=199).rejected["a.png"].code == "image_too_large"
    assert loaded(tmp_path, max_pixels=200).names == ["a.png"]


def test_a_picture_with_too_many_faces_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())

    destinations = load_destinations(tmp_path, 10**6, 10**6, Fakes(FakeDetector(FACES)).pipeline(max_faces=1))

    assert destinations.rejected["a.png"].code == "too_many_faces"


def test_memory_is_bounded_in_name_order_and_what_still_fits_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(20, 10))  # 600 bytes decoded
    (tmp_path / "b.png").write_bytes(png(20, 20))  # 1,200
    (tmp_path / "c.png").write_bytes(png(10, 10))  # 300

    destinations = loaded(tmp_path, limit_bytes=1000)

    assert destinations.names == ["a.png", "c.png"]
    error = destinations.rejected["b.png"]
    assert error.details == {"limit": 1000, "actual": 1800}
    assert error.code == "image_too_large"
    assert "1,200" in error.sentence


def test_a_picture_there_is_no_room_for_is_not_searched_for_faces(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    fakes = Fakes()

    loaded(tmp_path, limit_bytes=1, fakes=fakes)

    assert fakes.detector.seen == []


def test_a_file_larger_than_all_pictures_may_be_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2001)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path.name} was read"))

    error = loaded(tmp_path, limit_bytes=2000).rejected["huge.png"]

    assert (error.code, error.details["limit"], error.details["actual"]) == ("image_too_large", 2000, 2001)


def test_a_limit_that_is_just_met_is_met(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(20, 10))

    assert loaded(tmp_path, limit_bytes=600).names == ["a.png"]
    assert loaded(tmp_path, limit_bytes=599).names == []


def test_hidden_files_and_folders_are_left_out_without_a_word(tmp_path: Path) -> None:
    (tmp_path / ".hidden.png").write_bytes(png())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep.png").write_bytes(png())

    destinations = loaded(tmp_path)

    assert (destinations.names, destinations.rejected) == ([], {})


def test_links_are_followed_as_kubernetes_mounts_its_files(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.png").write_bytes(png())
    (tmp_path / "a.png").symlink_to(Path("..data") / "a.png")
    (tmp_path / "broken.png").symlink_to(Path("..data") / "gone.png")

    assert loaded(tmp_path).names == ["a.png"]


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_that_is_none_stops_the_start(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "pictures"
    if kind == "a file":
        folder.write_bytes(png())

    with pytest.raises(StartupError, match=r"^PREDICTOR_DESTINATIONS_DIR: "):
        loaded(folder)


def test_a_name_that_is_no_unicode_is_shown_as_well_as_it_can_be(tmp_path: Path) -> None:
    """Answers are JSON, which has no place for the bytes of such a name."""
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))).write_bytes(png())
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))).write_bytes(b"no picture")

    destinations = loaded(tmp_path)

    assert destinations.names == ["caf\ufffd.png"]
    assert destinations.get("caf\ufffd.png").name == "caf\ufffd.png"
    assert list(destinations.rejected) == ["\ufffd.png"]
    destinations.rejected["\ufffd.png"].sentence.encode()


def test_a_name_that_was_not_loaded_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")

    for name in ("a.png", "../a.png", ""):
        with pytest.raises(UnknownDestination) as caught:
            loaded(tmp_path).get(name)
        assert caught.value.details == {"destination": name}
