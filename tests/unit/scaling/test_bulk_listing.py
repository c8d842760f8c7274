from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from predictor.imaging.picture import OutputKind
from predictor.scaling import bulk_listing
from predictor.scaling.bulk_listing import Item, listed
from predictor.scaling.bulk_places import Place, PlaceFailed
from tests.unit.scaling.bulk_bench import bucket, touch_later


def write(folder: Path, *names: str) -> Place:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return Place(str(folder))


def names(place: Place) -> list[str]:
    return [item.name for item in listed(place)]


def test_files_come_in_order_of_names_before_folders_at_every_depth(tmp_path: Path) -> None:
    place = write(tmp_path, "b.png", "a.png", "z/b.png", "z/deep/er/a.png", "c/a.png")

    assert names(place) == ["a.png", "b.png", "c/a.png", "z/b.png", "z/deep/er/a.png"]


def test_a_bucket_is_listed_as_a_folder_is() -> None:
    bench = bucket()
    for name in ("b.png", "z/deep/a.png", "c/a.png", ".hidden/a.png"):
        bench.file(name, b"x")

    assert names(bench.input) == ["b.png", "c/a.png", "z/deep/a.png"]


def test_what_is_hidden_is_left_out(tmp_path: Path) -> None:
    assert names(write(tmp_path, ".a.png", ".bulk/a.png", "sub/.b/c.png", "sub/a.png")) == ["sub/a.png"]


def test_links_are_followed_to_files_and_not_to_folders(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "real.png")
    place = write(tmp_path / "in", "a.png")
    (tmp_path / "in/link.png").symlink_to(tmp_path / "outside/real.png")
    (tmp_path / "in/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "in/round").symlink_to(tmp_path / "in")
    (tmp_path / "in/broken.png").symlink_to(tmp_path / "gone.png")

    assert names(outside) == ["real.png"]
    assert names(place) == ["a.png", "broken.png", "link.png"]


def test_a_link_changes_when_what_it_leads_to_does(tmp_path: Path) -> None:
    target, place = tmp_path / "outside.png", write(tmp_path / "in")
    target.write_bytes(b"x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.png").symlink_to(target)

    (before,) = listed(place)
    touch_later(target)
    (after,) = listed(place)

    assert before.version != after.version
    assert after.size == 1


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    assert names(write(tmp_path, "a.png")) == ["a.png"]


def test_the_version_of_a_file_changes_with_it_and_only_then(tmp_path: Path) -> None:
    place = write(tmp_path, "a.png")

    (first,) = listed(place)
    (second,) = listed(place)
    touch_later(tmp_path / "a.png")
    (third,) = listed(place)

    assert first == second
    assert third.version != first.version


class Entries(Place):
    """A place that tells what it is told to."""

    def __init__(self, **entries: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("/in")
        self._entries = entries

    def entries(self, folder: str) -> list[Mapping[str, Any]]:
        if folder not in self._entries:
            raise PlaceFailed(f"{folder} cannot be listed: no")
        return list(self._entries[folder])


def test_a_file_system_that_tells_no_times_has_no_versions() -> None:
    (item,) = listed(Entries(**{"": [{"name": "/in/a.png", "type": "file", "size": 3, "mode": 33188}]}))

    assert (item.version, item.size) == (None, 3)


@pytest.mark.parametrize("name", ["../up.png", "sub/../../up.png", "./a.png", "a//b.png", "/rooted.png", "nul\0.png"])
def test_a_key_that_would_lead_elsewhere_is_refused_with_its_reason(name: str) -> None:
    (item,) = listed(Entries(**{"": [{"name": f"/in/{name}", "type": "file", "size": 3}]}))

    assert item.refused is not None
    assert repr(name) in item.refused
    assert item.name == name


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_go_on() -> None:
    folders = [{"name": f"/in/{name}", "type": "directory", "size": 0} for name in ("bad", "good")]
    files = [{"name": "/in/good/a.png", "type": "file", "size": 3}]

    bad, good = listed(Entries(**{"": folders, "good": files}))

    assert (bad.name, bad.refused) == ("bad", "bad cannot be listed: no")
    assert (good.name, good.refused) == ("good/a.png", None)


def test_a_place_that_cannot_be_listed_at_all_is_an_error() -> None:
    with pytest.raises(PlaceFailed):
        list(listed(Entries()))


def test_the_marker_of_a_folder_in_a_bucket_is_no_file() -> None:
    marker = {"name": "/in/", "type": "file", "size": 0}

    assert names(Entries(**{"": [marker]})) == []


@pytest.mark.parametrize(
    ("there", "name", "kind", "result"),
    [
        (["a.jpg"], "a.jpg", "jpeg", "a.jpg"),
        (["a.JPEG"], "a.JPEG", "jpeg", "a.JPEG"),
        (["a.jfif"], "a.jfif", "jpeg", "a.jfif"),
        (["sub/a.b.bmp"], "sub/a.b.bmp", "png", "sub/a.b.png"),
        (["a.jpg"], "a.jpg", "png", "a.png"),
        (["a.png"], "a.png", "jpeg", "a.jpg"),
        (["a"], "a", "webp", "a.webp"),
        (["a.bmp", "a.gif"], "a.bmp", "png", "a.bmp.png"),
        (["a.bmp", "a.gif"], "a.gif", "png", "a.gif.png"),
        (["a.bmp", "b/a.gif"], "a.bmp", "png", "a.png"),
        (["a.jpg", "a.png"], "a.jpg", "png", "a.jpg.png"),
        (["a.jpg", "a.png"], "a.png", "png", "a.png"),
        (["a.bmp", "a.png", "a.bmp.png"], "a.bmp", "png", "a.bmp-2.png"),
        (["a.bmp", "a.bmp.gif", "a.tiff"], "a.bmp", "png", "a.bmp.png"),
        (["a.bmp", "a.bmp.gif", "a.tiff"], "a.bmp.gif", "png", "a.bmp-2.png"),
    ],
)
def test_a_result_keeps_the_name_or_gets_one_that_says_its_kind(
    tmp_path: Path, there: Sequence[str], name: str, kind: OutputKind, result: str
) -> None:
    items = {item.name: item for item in listed(write(tmp_path, *there))}

    assert items[name].result(kind) == result


def test_no_two_files_of_a_folder_have_one_result_whatever_they_hold(tmp_path: Path) -> None:
    stems = ("a", "a.bmp", "a.bmp-2", "a-2", "b")
    there = [stem + suffix for stem in stems for suffix in ("", ".bmp", ".png", ".jpg", ".webp", ".jpeg", ".png.png")]
    items = list(listed(write(tmp_path, *there)))

    kinds: Sequence[OutputKind] = ("jpeg", "png", "webp")
    owners: dict[str, set[str]] = {}
    for item in items:
        for kind in kinds:
            owners.setdefault(item.result(kind), set()).add(item.name)

    assert len(items) == len(set(there))
    assert [(result, who) for result, who in owners.items() if len(who) > 1] == []


@pytest.mark.timeout(30)
def test_a_folder_may_hold_very_many_files() -> None:
    there = [f"{number:06}.{kind}" for number in range(50_000) for kind in ("jpg", "png")]

    assert bulk_listing._bases(there) == {name: name for name in there}


def test_an_item_travels_as_ascii_whatever_its_name() -> None:
    item = Item("h\udcff/\u00e4\n.png", "\u00e4", 3, "v", None)

    text = item.as_text()

    assert text.isascii()
    assert Item.of_text(text) == item
    assert json.loads(text)["size"] == 3
