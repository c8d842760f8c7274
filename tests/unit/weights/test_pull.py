from __future__ import annotations

import errno
import io
import os
import resource
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.errors import LicenceNotAccepted, PullFailed, StartupError, WeightsDamaged, WeightsUnknown
from predictor.weights.download import Downloader, Patience
from predictor.weights.licences import Licences
from predictor.weights.locks import locked
from predictor.weights.manifest import Archive, WeightFile
from predictor.weights.pull import Puller
from predictor.weights.records import RECORDS_NAME, record, recorded
from predictor.weights.store import Store
from tests.unit.weights.shelf import (
    Notes,
    Shelf,
    chunked,
    cut,
    knows_no_range,
    manifest,
    sha256,
    stalls,
    status,
    store,
    weights,
    whole,
)

BYTES = bytes(range(256)) * 40
OTHER = b"other bytes" * 100
HASTY = Patience(connect_seconds=0.5, stall_seconds=0.2, least_bytes=100, tries=3, pause_seconds=0.001)

PullerOf = Callable[..., Puller]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@pytest.fixture
def puller(folder: Path, notes: Notes) -> PullerOf:
    def of(*files: WeightFile, trust_first: bool = False, accepted: tuple[str, ...] = ()) -> Puller:
        return Puller(store(folder, *files, accepted=accepted), folder, notes, trust_first, HASTY)

    return of


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ── a file ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_was_pulled_is_found_and_nothing_else_is_left(
    shelf: Shelf, puller: PullerOf, folder: Path, notes: Notes
) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES, ETag='"1"')))

    path = puller(net).pull("net.onnx")

    assert path == folder / "net.onnx"
    assert store(folder, net).find("net.onnx") == path
    assert names_in(folder) == {"net.onnx"}
    assert notes.lines == [f"net.onnx: from {shelf.address}/net", f"net.onnx: saved as {path}"]


def test_a_file_that_is_there_is_not_pulled_again_wherever_it_is(
    shelf: Shelf, folder: Path, tmp_path: Path, notes: Notes
) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))
    (tmp_path / "net.onnx").write_bytes(BYTES)

    path = Puller(store([folder, tmp_path], net), folder, notes).pull("net.onnx")

    assert path == tmp_path / "net.onnx"
    assert shelf.asked == []
    assert notes.lines == [f"net.onnx: already there, {path}"]


def test_a_damaged_file_in_the_folder_is_replaced(shelf: Shelf, puller: PullerOf, folder: Path, notes: Notes) -> None:
    folder.mkdir()
    (folder / "net.onnx").write_bytes(BYTES[:-1])

    path = puller(weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))).pull("net.onnx")

    assert path.read_bytes() == BYTES
    assert notes.lines[0] == f"{path} is damaged: it has 10,239 bytes, not 10,240; it is replaced"


def test_a_damaged_file_elsewhere_would_be_found_first_and_is_told(
    shelf: Shelf, folder: Path, tmp_path: Path, notes: Notes
) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))
    (tmp_path / "net.onnx").write_bytes(BYTES[:-1])

    with pytest.raises(WeightsDamaged):
        Puller(store([tmp_path, folder], net), folder, notes).pull("net.onnx")

    assert shelf.asked == []


def test_the_mirrors_are_tried_in_order_until_one_gives_the_right_bytes(
    shelf: Shelf, puller: PullerOf, folder: Path, notes: Notes
) -> None:
    mirrors = (
        shelf.put("/wrong", whole(BYTES[::-1])),
        shelf.put("/short", whole(BYTES[:-1])),
        shelf.put("/stalls", stalls(BYTES, 100)),
        shelf.put("/good", whole(BYTES)),
        shelf.put("/never", whole(BYTES)),
    )
    net = weights("net.onnx", BYTES, shelf.put("/gone", status(404)), mirrors=mirrors)

    assert puller(net).pull("net.onnx").read_bytes() == BYTES

    assert names_in(folder) == {"net.onnx"}
    assert "/never" not in [path for path, _ in shelf.asked]
    assert f"net.onnx: it sent other bytes: {sha256(BYTES[::-1])[:12]}… instead of {sha256(BYTES)[:12]}…" in notes.lines


def test_if_no_address_gives_it_each_is_told_with_its_reason(shelf: Shelf, puller: PullerOf, folder: Path) -> None:
    wrong = shelf.put("/wrong", whole(BYTES[::-1]))
    net = weights("net.onnx", BYTES, shelf.put("/gone", status(404)), mirrors=(wrong,))

    with pytest.raises(PullFailed) as raised:
        puller(net).pull("net.onnx")

    assert raised.value.sentence == (
        f"net.onnx could not be had: {shelf.address}/gone: it answered 404 Not Found; {wrong}: it sent other bytes: "
        f"{sha256(BYTES[::-1])[:12]}… instead of {sha256(BYTES)[:12]}…"
    )
    assert names_in(folder) == set()


def test_a_mismatch_with_a_pin_of_a_single_source_may_be_the_pins_fault(shelf: Shelf, puller: PullerOf) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/wrong", whole(BYTES[::-1])), pin="single")

    with pytest.raises(PullFailed, match="; the manifest's sha256 of it rests on a single source and may itself be"):
        puller(net).pull("net.onnx")


def test_a_pull_that_was_stopped_is_gone_on_with(shelf: Shelf, puller: PullerOf, folder: Path) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", cut(BYTES, 1000), status(404), whole(BYTES)))

    with pytest.raises(PullFailed):
        puller(net).pull("net.onnx")
    assert not (folder / "net.onnx").exists()
    puller(net).pull("net.onnx")

    assert (folder / "net.onnx").read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == [None, "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize("answer", [whole(BYTES), knows_no_range(BYTES)], ids=["ranges", "no ranges"])
def test_what_was_left_of_another_file_costs_a_second_try_and_nothing_else(
    shelf: Shelf, puller: PullerOf, folder: Path, answer: object
) -> None:
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(b"y" * 5000)
    net = weights("net.onnx", BYTES, shelf.put("/net", answer))  # type: ignore[arg-type]  # a parameter is an object

    assert puller(net).pull("net.onnx").read_bytes() == BYTES


def test_a_whole_partial_file_of_the_wrong_bytes_is_pulled_anew(
    shelf: Shelf, puller: PullerOf, folder: Path, notes: Notes
) -> None:
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(BYTES[::-1])
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))

    assert puller(net).pull("net.onnx").read_bytes() == BYTES
    assert "net.onnx: what was here before was of another file; from the start" in notes.lines


def test_a_name_and_password_in_an_address_are_not_shown(shelf: Shelf, puller: PullerOf, notes: Notes) -> None:
    shelf.put("/net", status(404))
    net = weights("net.onnx", BYTES, f"http://user:secret@127.0.0.1:{shelf.server_port}/net")

    with pytest.raises(PullFailed) as raised:
        puller(net).pull("net.onnx")

    assert "secret" not in raised.value.sentence + "".join(notes.lines)
    assert shelf.headers_of_requests("Authorization") == ["Basic dXNlcjpzZWNyZXQ="]


# ── what may not be pulled ────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_asked_of_anybody_before_the_licence_is_accepted(shelf: Shelf, puller: PullerOf) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)), weights_licence="strict")

    with pytest.raises(LicenceNotAccepted):
        puller(net).pull("net.onnx")
    assert shelf.asked == []

    assert puller(net, accepted=("strict",)).pull("net.onnx").exists()


def test_the_permissive_profile_does_not_pull_what_it_leaves_out(shelf: Shelf, folder: Path, notes: Notes) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)), commercial_use="check")
    files = Store([folder], manifest(net), Licences(only_commercial=True))

    with pytest.raises(LicenceNotAccepted, match="left out by PREDICTOR_PROFILE=permissive"):
        Puller(files, folder, notes).pull("net.onnx")


def test_a_file_of_no_known_sha256_is_refused_unless_the_first_is_trusted(
    shelf: Shelf, puller: PullerOf, folder: Path, notes: Notes
) -> None:
    net = weights("net.onnx", url=shelf.put("/net", whole(BYTES)))

    with pytest.raises(
        WeightsUnknown, match=r"^net\.onnx: no sha256 of it is known, .* --trust-first takes what comes"
    ):
        puller(net).pull("net.onnx")
    assert shelf.asked == []

    puller(net, trust_first=True).pull("net.onnx")
    assert recorded(folder)["net.onnx"].sha256 == sha256(BYTES)
    assert f"net.onnx: recorded its sha256, {sha256(BYTES)}" in notes.lines
    assert store(folder, net).find("net.onnx") == folder / "net.onnx"
    assert names_in(folder) == {"net.onnx", RECORDS_NAME}


def test_a_known_sha256_is_not_given_up_for_trust(shelf: Shelf, puller: PullerOf) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES[::-1])))

    with pytest.raises(PullFailed):
        puller(net, trust_first=True).pull("net.onnx")


def test_a_file_that_was_put_there_by_hand_is_recorded_if_it_is_trusted(
    shelf: Shelf, puller: PullerOf, folder: Path
) -> None:
    net = weights("net.onnx", url=shelf.put("/net", whole(BYTES)))
    folder.mkdir()
    (folder / "net.onnx").write_bytes(BYTES)

    with pytest.raises(WeightsUnknown):
        puller(net).pull("net.onnx")
    assert puller(net, trust_first=True).pull("net.onnx") == folder / "net.onnx"

    assert recorded(folder)["net.onnx"].sha256 == sha256(BYTES)
    assert shelf.asked == []


def test_a_sha256_that_cannot_be_recorded_is_told_with_what_to_do(
    puller: PullerOf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("predictor.weights.pull.record", refused)  # the tests may run as root, whom nothing is refused
    folder.mkdir()
    (folder / "net.onnx").write_bytes(BYTES)

    with pytest.raises(PullFailed) as raised:
        puller(weights("net.onnx"), trust_first=True).pull("net.onnx")

    assert raised.value.sentence == (
        f"{folder} cannot be written (Read-only file system), so the sha256 of net.onnx cannot be recorded there; "
        f'name it in a manifest of your own (PREDICTOR_WEIGHTS_MANIFEST): sha256 = "{sha256(BYTES)}"'
    )


def test_a_file_that_is_made_is_not_pulled(puller: PullerOf, folder: Path) -> None:
    made = weights("made.onnx", made_from=("net.pth", "other.pth"))

    with pytest.raises(PullFailed, match=r"^made\.onnx is not downloaded but made: .* from net\.pth and other\.pth$"):
        puller(made).pull("made.onnx")

    (folder / "made.onnx").write_bytes(OTHER)
    record(folder, "made.onnx", sha256(BYTES))
    with pytest.raises(WeightsDamaged):
        puller(made).pull("made.onnx")


def test_a_file_nobody_offers_is_not_pulled(puller: PullerOf) -> None:
    with pytest.raises(PullFailed, match=r"^net\.onnx: the manifest has no address for it; put the file into"):
        puller(weights("net.onnx", BYTES)).pull("net.onnx")
    with pytest.raises(StartupError, match="the manifest of weights has no such file"):
        puller().pull("net.onnx")


# ── archives ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in members.items():
            opened.writestr(name.replace("_", "."), data)
        opened.writestr("../evil.onnx", b"evil")
    return buffer.getvalue()


ZIP = zipped(one_onnx=BYTES, two_onnx=OTHER, three_onnx=b"3")


def packed(name: str, data: bytes | None, **fields: object) -> WeightFile:
    return weights(f"{name}.onnx", data, None, archive="pack.zip", member=f"{name}.onnx", **fields)


ONE, TWO, THREE = packed("one", BYTES), packed("two", OTHER), packed("three", b"3")


@pytest.fixture
def pack(shelf: Shelf, folder: Path, notes: Notes) -> PullerOf:
    def of(*files: WeightFile, data: bytes = ZIP, offered: bytes | None = None, trust_first: bool = False) -> Puller:
        url = shelf.put("/pack.zip", whole(offered or data))
        archive = Archive(name="pack.zip", size=len(data), sha256=sha256(data), url=url)
        files_there = Store([folder], manifest(*files, archives=[archive]))
        return Puller(files_there, folder, notes, trust_first, HASTY)

    return of


def test_a_member_is_unpacked_and_the_archive_is_gone(pack: PullerOf, folder: Path) -> None:
    assert pack(ONE, TWO).pull("one.onnx").read_bytes() == BYTES

    assert names_in(folder) == {"one.onnx"}
    assert names_in(folder.parent) == {"weights"}


def test_an_archive_is_downloaded_once_for_all_members_that_are_asked_for(
    shelf: Shelf, pack: PullerOf, folder: Path
) -> None:
    puller = pack(ONE, TWO, THREE)

    for name in ("one.onnx", "two.onnx"):
        puller.pull(name, frozenset({"one.onnx", "two.onnx"}))

    assert names_in(folder) == {"one.onnx", "two.onnx"}
    assert len(shelf.asked) == 1


def test_a_member_that_may_not_be_used_or_trusted_is_not_unpacked_with_another(pack: PullerOf, folder: Path) -> None:
    strict, unknown = packed("two", OTHER, weights_licence="strict"), packed("three", None)

    pack(ONE, strict, unknown).pull("one.onnx", frozenset({"one.onnx", "two.onnx", "three.onnx"}))

    assert names_in(folder) == {"one.onnx"}


def test_a_member_of_no_known_sha256_is_recorded_if_the_first_is_trusted(pack: PullerOf, folder: Path) -> None:
    pack(ONE, packed("three", None), trust_first=True).pull("one.onnx", frozenset({"three.onnx"}))

    assert recorded(folder)["three.onnx"].sha256 == sha256(b"3")


def test_an_archive_of_other_bytes_is_not_opened_and_the_members_own_mirrors_are_tried(
    shelf: Shelf, pack: PullerOf, folder: Path
) -> None:
    mirror = shelf.put("/one", whole(BYTES))
    other = ZIP[:-1] + bytes([ZIP[-1] ^ 1])

    assert pack(packed("one", BYTES, mirrors=(mirror,)), offered=other).pull("one.onnx").read_bytes() == BYTES
    assert names_in(folder) == {"one.onnx"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"<html>not found</html>", "pack.zip: it is no whole zip: File is not a zip file"),
        (zipped(two_onnx=OTHER), "pack.zip: it has no one.onnx"),
        (zipped(one_onnx=OTHER), "pack.zip: one.onnx in it has 1,100 bytes, not 10,240"),
        (zipped(one_onnx=BYTES[::-1]), "pack.zip: one.onnx in it has another sha256: "),
    ],
)
def test_a_member_that_is_missing_or_wrong_is_told(pack: PullerOf, folder: Path, data: bytes, told: str) -> None:
    with pytest.raises(PullFailed) as raised:
        pack(ONE, data=data).pull("one.onnx")

    assert raised.value.sentence.startswith(f"one.onnx could not be had: {told}")
    assert names_in(folder) == set()


# ── two at once ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_pulls_at_once_download_once(shelf: Shelf, folder: Path) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))
    told = [Notes(), Notes()]

    def work(notes: Notes) -> None:
        Puller(store(folder, net), folder, notes, patience=HASTY).pull("net.onnx")

    with locked(folder_of(folder) / "net.onnx"):
        threads = [threading.Thread(target=work, args=(notes,)) for notes in told]
        for thread in threads:
            thread.start()
        while not all(notes.lines for notes in told):
            assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(30)

    assert len(shelf.asked) == 1
    assert names_in(folder) == {"net.onnx"}
    assert {notes.lines[0] for notes in told} == {"net.onnx: another pull is at it; waiting"}
    assert sorted(notes.lines[-1].split()[1] for notes in told) == ["already", "saved"]


def folder_of(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_a_pull_that_was_killed_locks_nobody_out(shelf: Shelf, puller: PullerOf, folder: Path) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", stalls(BYTES, 10_000), whole(BYTES)))
    words = f"""
from pathlib import Path
from tests.unit.weights.shelf import Notes, store, weights
from predictor.weights.pull import Puller
net = weights("net.onnx", bytes(range(256)) * 40, {net.url!r})
folder = Path({str(folder)!r})
Puller(store(folder, net), folder, Notes()).pull("net.onnx")
"""
    with subprocess.Popen([sys.executable, "-c", words], cwd=Path(__file__).parents[3]) as process:
        while not (folder / "net.onnx.part").exists() or (folder / "net.onnx.part").stat().st_size == 0:
            assert process.poll() is None
        process.kill()

    assert puller(net).pull("net.onnx").read_bytes() == BYTES
    assert shelf.headers_of_requests("Range")[-1] is not None
    assert names_in(folder) == {"net.onnx"}


# ── the disk ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_disk_without_room_for_a_file_is_told_before_it_is_filled(
    shelf: Shelf, puller: PullerOf, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=5000))
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))

    with pytest.raises(PullFailed) as raised:
        puller(net).pull("net.onnx")

    assert raised.value.sentence == (
        f"net.onnx needs 10,240 bytes more and {folder} has 5,000 free; "
        "make room, or choose another folder with --to or PREDICTOR_WEIGHTS_DIR"
    )
    assert shelf.asked == []


def test_a_disk_that_is_full_is_told_and_what_came_is_kept(
    shelf: Shelf, puller: PullerOf, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", chunked(BYTES)))

    def full(_self: Downloader, _url: str, partial: Path, _wanted: object) -> bool:
        partial.write_bytes(BYTES[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Downloader, "fetch", full)

    with pytest.raises(PullFailed, match=f"^{folder} is full; make room and pull again: it goes on where it stopped$"):
        puller(net).pull("net.onnx")
    assert names_in(folder) == {"net.onnx.part"}


def test_a_write_that_fails_half_way_is_told_and_what_came_is_kept(
    shelf: Shelf, puller: PullerOf, folder: Path
) -> None:
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, hard))  # the kernel refuses what goes beyond

    try:
        with pytest.raises(PullFailed, match=f"^{folder} cannot be written: File too large; choose another folder"):
            puller(net).pull("net.onnx")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert names_in(folder) == {"net.onnx.part"}
    assert puller(net).pull("net.onnx").read_bytes() == BYTES


def test_a_folder_that_cannot_be_written_is_told(shelf: Shelf, notes: Notes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "weights"
    net = weights("net.onnx", BYTES, shelf.put("/net", whole(BYTES)))

    with pytest.raises(PullFailed) as raised:
        Puller(store(folder, net), folder, notes).pull("net.onnx")

    assert raised.value.sentence == (
        f"{folder} cannot be written: Not a directory; choose another folder with --to or PREDICTOR_WEIGHTS_DIR"
    )
