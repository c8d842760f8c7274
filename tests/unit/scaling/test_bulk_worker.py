from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.errors import StartupError
from predictor.options import EnhanceOptions, OutputOptions, Pair, RestoreOptions
from predictor.policy.provenance import read_mark
from predictor.scaling.bulk_listing import Item
from predictor.scaling.bulk_places import Place, PlaceFailed, PlaceFull
from predictor.scaling.bulk_records import Records
from predictor.scaling.bulk_tasks import DetectTask, EnhanceTask
from predictor.scaling.bulk_worker import MOST_ATTEMPTS, RUN_FILE, BulkJob
from predictor.settings import Settings
from tests.unit.scaling.bulk_bench import (
    NOBODY,
    TWO,
    Bench,
    bucket,
    encoded,
    folder,
    swap,
    touch_later,
)


@pytest.fixture(params=["folder", "bucket"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return folder(tmp_path) if request.param == "folder" else bucket()


@pytest.fixture
def desk(tmp_path: Path) -> Bench:
    return folder(tmp_path)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of inputs that are read from now on."""
    names, real = list[str](), Place.read

    def read(place: Place, name: str, limit: int) -> bytes:
        names.append(name)
        return real(place, name, limit)

    monkeypatch.setattr(Place, "read", read)
    return names


# ── what a picture becomes ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_picture_gets_a_marked_result_under_its_own_name(bench: Bench) -> None:
    bench.picture("a.png")
    bench.picture("sub/deep/b.jpg", kind="jpeg")

    done = bench.run()

    assert {name: state for name, (state, _) in done.items()} == {"a.png": "done", "sub/deep/b.jpg": "done"}
    assert bench.results() == {"a.png", "sub/deep/b.jpg"}
    assert all(read_mark(bench.output.read(name, 10**6)) for name in bench.results())


def test_its_record_tells_what_became_of_it(bench: Bench) -> None:
    bench.picture("a.bmp", TWO, "bmp")

    ((_, record),) = bench.run(swap(pairs=(Pair(None, 1, 2),))).values()

    assert (record.input, record.output, record.altered) == ("a.bmp", "a.png", True)
    assert record.output_bytes == bench.output.size("a.png")
    assert [face["swapped"] for face in record.faces] == [False, True]
    assert record.faces[0]["box"] == [10.0, 20.0, 70.0, 80.0]
    assert record.worker.endswith(f"/{os.getpid()}")
    assert record.seconds > 0.0
    assert (record.code, record.reason, record.again) == (None, None, False)


def test_enhance_makes_pictures_too_and_detect_only_tells(bench: Bench) -> None:
    bench.picture("a.png")

    ((_, found),) = bench.run(DetectTask()).values()
    assert (found.output, found.altered, [face["id"] for face in found.faces]) == (None, False, [1])
    assert bench.results() == set()

    ((_, made),) = bench.run(EnhanceTask(EnhanceOptions(), OutputOptions("webp"))).values()
    assert (made.output, made.altered, made.faces[0]["restored"]) == ("a.webp", True, True)
    assert bench.results() == {"a.webp"}


@pytest.mark.parametrize("task", [DetectTask(), EnhanceTask(EnhanceOptions(), OutputOptions())])
def test_what_is_no_swap_is_not_done_twice_either(bench: Bench, task: DetectTask | EnhanceTask) -> None:
    bench.picture("a.png")

    assert [bench.states(task), bench.states(task)] == [{"a.png": "done"}, {"a.png": "before"}]


def test_the_source_is_analysed_once_for_all_pictures(bench: Bench) -> None:
    for name in ("a.png", "b.png", "c.png"):
        bench.picture(name)

    bench.run()

    assert len(bench.fakes.detector.seen) == 1 + 3
    assert bench.fakes.embedder is not None
    assert len(bench.fakes.embedder.seen) == 1


# ── set aside ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bad_file_is_set_aside_with_its_reason_and_stays_as_it_is(bench: Bench) -> None:
    bench.file("broken.png", encoded()[:60])
    bench.file("empty.jpg", b"")
    bench.picture("nobody.png", NOBODY)
    bench.picture("good.png")
    before = {item.name: bench.input.read(item.name, 10**6) for item in bench.items()}

    done = bench.run()

    assert {name: (state, record.code) for name, (state, record) in done.items()} == {
        "broken.png": ("set_aside", "undecodable_image"),
        "empty.jpg": ("set_aside", "undecodable_image"),
        "nobody.png": ("set_aside", "no_face_found"),
        "good.png": ("done", None),
    }
    assert done["nobody.png"][1].reason == "no face was found in nobody.png"
    assert bench.results() == {"good.png"}
    assert {item.name: bench.input.read(item.name, 10**6) for item in bench.items()} == before


def test_a_file_over_the_limit_of_bytes_is_not_read(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    data, read = desk.picture("a.png"), reads(monkeypatch)

    ((state, record),) = desk.run(settings=Settings(limit_request_bytes=len(data) - 1)).values()

    assert (state, record.code, read) == ("set_aside", "request_too_large", [])
    assert record.reason == f"a.png: {len(data)} bytes; at most {len(data) - 1} are read"


def test_a_file_that_grew_is_read_to_the_limit_only(bench: Bench) -> None:
    data = bench.picture("a.png")
    worker = bench.worker(settings=Settings(limit_request_bytes=len(data) - 1))

    state, record = worker.do(Item("a.png", "a", None))

    assert (state, record.code) == ("set_aside", "request_too_large")
    assert len(bench.input.read("a.png", 10)) == 11


def test_a_picture_over_the_limit_of_pixels_is_set_aside(bench: Bench) -> None:
    bench.file("a.png", encoded(width=201))

    ((state, record),) = bench.run(settings=Settings(limit_pixels=20_000)).values()

    assert (state, record.code) == ("set_aside", "image_too_large")


def test_a_name_that_leads_elsewhere_is_set_aside_and_nothing_is_written(bench: Bench) -> None:
    state, record = bench.worker().do(Item("../a.png", refused="'../a.png' is no name"))

    assert (state, record.code, record.reason) == ("set_aside", "refused", "'../a.png' is no name")
    assert bench.results() == set()


def test_a_fault_of_ours_is_one_pictures_and_is_tried_again(bench: Bench) -> None:
    bench.picture("a.png")
    bench.picture("b.png", TWO)
    paint = bench.fakes.swapper.paint

    def stumble(*_: object) -> None:
        raise MemoryError

    bench.fakes.swapper.paint = stumble  # type: ignore[assignment]
    first = bench.run()
    bench.fakes.swapper.paint = paint
    second = bench.states()

    assert {record.code for _, record in first.values()} == {"internal"}
    assert all(record.again for _, record in first.values())
    assert first["a.png"][1].reason == "a.png: MemoryError"
    assert second == {"a.png": "done", "b.png": "done"}


def test_a_picture_that_cannot_be_read_now_is_tried_again(desk: Bench, tmp_path: Path) -> None:
    (tmp_path / "in/a.png").symlink_to(tmp_path / "later.png")

    ((state, record),) = desk.run().values()
    (tmp_path / "later.png").write_bytes(encoded())

    assert (state, record.code, record.again) == ("set_aside", "unreadable", True)
    assert record.reason == "a.png cannot be read: No such file or directory"
    assert desk.states() == {"a.png": "done"}


def test_a_picture_over_which_workers_die_is_set_aside_in_the_end(bench: Bench) -> None:
    bench.picture("a.png")
    for _ in range(MOST_ATTEMPTS):
        bench.attempts.begin("a.png")

    ((state, record),) = bench.run().values()

    assert (state, record.code, record.again) == ("set_aside", "worker_died", True)
    assert bench.attempts.begun == {}
    assert bench.states() == {"a.png": "done"}


def test_attempts_of_finished_pictures_are_forgotten(bench: Bench) -> None:
    bench.picture("a.png")
    bench.picture("nobody.png", NOBODY)

    bench.run()

    assert bench.attempts.begun == {}


# ── again ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_done_is_not_done_again_and_not_even_read(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.picture("a.png")
    desk.picture("nobody.png", NOBODY)
    first = desk.run()
    read = reads(monkeypatch)

    second = desk.run()

    assert {name: state for name, (state, _) in second.items()} == {"a.png": "before", "nobody.png": "set_aside"}
    assert [record.as_text() for _, record in second.values()] == [record.as_text() for _, record in first.values()]
    assert read == []


def _new_bytes(bench: Bench) -> None:
    bench.picture("a.png", TWO)


def _result_gone(bench: Bench) -> None:
    bench.output.remove("a.png")


def _result_cut(bench: Bench) -> None:
    bench.output.write("a.png", b"half")


def _record_gone(bench: Bench) -> None:
    Records(bench.output).forget("a.png")


def _record_cut(bench: Bench) -> None:
    for path in _work_files(bench):
        if "/records/" in path and b'"a.png"' in (data := bench.output.read(path, 10**6)):
            bench.output.write(path, data[:30])


def _work_files(bench: Bench) -> list[str]:
    return [path.removeprefix(bench.output._root + "/") for path in bench.output._fs.find(bench.output._root)]


@pytest.mark.parametrize("spoil", [_new_bytes, _result_gone, _result_cut, _record_gone, _record_cut])
def test_what_is_not_whole_or_has_changed_is_done_again_and_only_that(
    bench: Bench, spoil: Callable[[Bench], None]
) -> None:
    bench.picture("a.png")
    bench.picture("b.png")
    bench.run()

    spoil(bench)

    assert bench.states() == {"a.png": "done", "b.png": "before"}
    assert bench.states() == {"a.png": "before", "b.png": "before"}


def test_another_source_or_option_or_setting_of_pixels_does_all_again(bench: Bench) -> None:
    bench.picture("a.png")
    other_source = replace(swap(), source=encoded(TWO))
    restored = swap(restore=RestoreOptions())

    for task, settings in [
        (swap(), Settings()),
        (other_source, Settings()),
        (restored, Settings()),
        (replace(swap(), output=OutputOptions("png", 90)), Settings()),
        (swap(), Settings(precision="fp32")),
    ]:
        assert bench.states(task, settings) == {"a.png": "done"}
        assert bench.states(task, settings) == {"a.png": "before"}


def test_a_setting_that_changes_no_pixel_does_nothing_again(bench: Bench) -> None:
    bench.picture("a.png")
    bench.run()

    assert bench.states(settings=Settings(threads=7, http_port=1, workers=3, limit_faces=50)) == {"a.png": "before"}


def test_higher_limits_try_what_was_set_aside_again_and_nothing_else(bench: Bench) -> None:
    bench.picture("a.png")
    bench.picture("two.png", TWO)
    strict, mild = Settings(limit_faces=1), Settings(limit_faces=2)

    assert bench.states(settings=strict) == {"a.png": "done", "two.png": "set_aside"}
    assert bench.states(settings=mild) == {"a.png": "before", "two.png": "done"}


def test_the_same_bytes_with_a_new_time_are_read_once_and_not_done(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.picture("a.png")
    desk.run()
    touch_later(Path(desk.input.address) / "a.png")
    read = reads(monkeypatch)

    assert [desk.states(), desk.states()] == [{"a.png": "before"}, {"a.png": "before"}]
    assert read == ["a.png"]


def test_where_no_version_is_told_the_bytes_are_compared(bench: Bench) -> None:
    bench.picture("a.png")
    item = replace(bench.items()[0], version=None)

    assert [bench.worker().do(item)[0] for _ in range(2)] == ["done", "before"]


def test_a_result_whose_name_another_input_has_taken_is_made_anew(bench: Bench) -> None:
    bench.picture("a.bmp", kind="bmp")
    assert bench.run()["a.bmp"][1].output == "a.png"

    bench.picture("a.png", TWO)
    second = bench.run()

    assert {name: (state, record.output) for name, (state, record) in second.items()} == {
        "a.bmp": ("done", "a.bmp.png"),
        "a.png": ("done", "a.png"),
    }


def test_what_a_worker_finished_before_it_died_counts_as_done_in_this_run(bench: Bench) -> None:
    bench.picture("a.png")
    bench.run(run="this")

    again, later = bench.run(run="this"), bench.run(run="that")

    assert (again["a.png"][0], later["a.png"][0]) == ("done", "before")


# ── killed ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("step", range(4))
def test_a_kill_at_any_write_leaves_nothing_that_is_taken_for_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    bench.picture("a.png")
    bench.run()
    bench.picture("a.png", TWO)
    worker, steps = bench.worker(swap(restore=RestoreOptions())), iter(range(4))

    def until(name: str) -> Callable[..., object]:
        real = getattr(Place, name)

        def write(self: Place, *arguments: object) -> object:
            if next(steps) == step:
                raise Killed
            return real(self, *arguments)

        return write

    for name in ("write", "remove"):
        monkeypatch.setattr(Place, name, until(name))
    with contextlib.suppress(Killed):
        worker.do(bench.items()[0])
    monkeypatch.undo()

    expected = "done" if step < 3 else "before"  # forget, write, save: after the third it is done
    assert bench.states(swap(restore=RestoreOptions())) == {"a.png": expected}
    bench.picture("a.png")
    assert bench.states() == {"a.png": "done"}


def test_a_file_that_a_kill_left_half_written_is_thrown_away_by_the_next_run(desk: Bench) -> None:
    left = Path(desk.output.address) / ".bulk/partial/left"
    left.write_bytes(b"half a picture")

    desk.output.make()

    assert not left.exists()


# ── cannot start ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (replace(swap(), source=encoded(NOBODY)), "no face was found in me.png"),
        (replace(swap(), source=b"no picture"), "me.png: the bytes are no picture"),
        (swap(pairs=(Pair(None, 2, 1),)), "face 2 was asked for, but me.png has 1 face"),
        (swap(restore=RestoreOptions("other")), "restore.model: other is not available; available: fake"),
    ],
)
def test_a_source_or_option_that_cannot_be_ends_all_before_the_first_picture(
    bench: Bench, task: object, sentence: str
) -> None:
    with pytest.raises(StartupError) as caught:
        bench.worker(task)  # type: ignore[arg-type]

    assert caught.value.sentence == sentence


def test_what_the_recipe_cannot_do_ends_an_enhance_with_its_first_picture(bench: Bench) -> None:
    bench.fakes.upsampler = None
    bench.picture("a.png")

    with pytest.raises(StartupError, match="upscale: 2 is not available"):
        bench.run(EnhanceTask(EnhanceOptions(), OutputOptions()))


def test_a_node_that_cannot_load_its_models_says_so(bench: Bench) -> None:
    def load(_: Settings) -> object:
        raise StartupError("no weights")

    bench.load = load  # type: ignore[assignment]

    with pytest.raises(StartupError, match="no weights"):
        bench.worker()


def test_a_node_with_folders_of_its_own_refuses_to_scatter_results(desk: Bench, tmp_path: Path) -> None:
    job = BulkJob(swap(), desk.input.address, desk.output.address, Settings(), "run", desk.load)
    elsewhere = replace(job, output=str(tmp_path / "elsewhere"))
    no_input = replace(job, input=str(tmp_path / "gone"))
    desk.output.write(RUN_FILE, b"run")

    job.started(desk.attempts)
    for other, place in ((elsewhere, "elsewhere"), (no_input, "gone"), (replace(job, run="older"), "out")):
        with pytest.raises(StartupError, match=f"does not see .*{place}: take a folder that all nodes share"):
            other.started(desk.attempts)


def test_a_place_that_cannot_be_asked_is_told_with_the_node(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Place) -> bool:
        raise PlaceFailed("in cannot be read: no")

    monkeypatch.setattr(Place, "is_folder", fail)

    with pytest.raises(StartupError, match=r"the node .*: in cannot be read: no"):
        desk.worker()


def test_a_full_disk_ends_the_run_and_blames_no_picture(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.picture("a.png")
    worker = desk.worker()

    def full(*_: object) -> None:
        raise PlaceFull("nothing can be written any more")

    monkeypatch.setattr(Place, "write", full)

    with pytest.raises(PlaceFull):
        worker.do(desk.items()[0])


def test_a_result_that_cannot_be_written_is_set_aside_and_tried_again(desk: Bench, tmp_path: Path) -> None:
    desk.picture("sub/a.png")
    (tmp_path / "out/sub").write_bytes(b"a file where a folder has to be")

    ((state, record),) = desk.run().values()
    (tmp_path / "out/sub").unlink()

    assert (state, record.code, record.again) == ("set_aside", "unreadable", True)
    assert record.reason is not None
    assert record.reason.startswith("sub/a.png cannot be written: ")
    assert desk.states() == {"sub/a.png": "done"}


def test_one_picture_done_twice_gives_the_same_bytes(bench: Bench) -> None:
    bench.picture("a.png")
    bench.run()
    first = bench.output.read("a.png", 10**6)
    bench.output.remove("a.png")
    bench.run()

    assert bench.output.read("a.png", 10**6) == first
