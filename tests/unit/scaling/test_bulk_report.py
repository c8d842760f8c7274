from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.scaling.bulk_places import Place, PlaceFailed, PlaceFull
from predictor.scaling.bulk_records import Record
from predictor.scaling.bulk_report import Report, Summary
from tests.unit.scaling.bulk_bench import bucket


def record(name: str, **values: object) -> Record:
    return Record(name, "fingerprint", "limits", "run", "node/1", **values)  # type: ignore[arg-type]


def fill(report: Report) -> None:
    report.add("done", record("a.jpg", output="a.jpg", sha256="12", altered=True, faces=[{"id": 1}], seconds=0.5))
    report.add("before", record("b.jpg", output="b.jpg"))
    report.add("set_aside", record("h\udcff.jpg", code="no_face_found", reason="none", sha256="34"))


def lines(place: Place, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in place.read(name, 10**6).splitlines()]


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_every_picture_is_a_line_and_those_set_aside_are_in_a_list_of_their_own(tmp_path: Path, kind: str) -> None:
    place = Place(str(tmp_path)) if kind == "folder" else bucket().output
    place.make()

    with Report(place) as report:
        fill(report)

    told = lines(place, "report.jsonl")
    assert [(line["input"], line["output"], line["state"]) for line in told] == [
        ("a.jpg", "a.jpg", "done"),
        ("b.jpg", "b.jpg", "before"),
        ("h\udcff.jpg", None, "set_aside"),
    ]
    assert told[0].items() >= {"sha256": "12", "altered": True, "faces": [{"id": 1}], "seconds": 0.5}.items()
    assert told[0]["fingerprint"] == "fingerprint"
    assert lines(place, "rejected.jsonl") == [
        {"input": "h\udcff.jpg", "code": "no_face_found", "reason": "none", "again": False, "sha256": "34"}
    ]
    (summary,) = lines(place, "summary.json")
    assert summary.items() >= {"done": 1, "before": 1, "set_aside": 1, "stopped": False}.items()
    assert not report.summary.complete


def test_in_a_folder_the_report_can_be_read_as_it_grows(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.make()

    with Report(place) as report:
        report.add("done", record("a.jpg"))

        assert len(lines(place, "report.jsonl")) == 1


def stop_after_one(report: Report) -> None:
    report.add("done", record("a.jpg"))
    raise KeyboardInterrupt


def test_a_report_of_a_run_that_was_stopped_says_so(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.make()
    report = Report(place)

    with pytest.raises(KeyboardInterrupt), report:
        stop_after_one(report)

    assert report.summary.stopped
    assert not report.summary.complete
    assert lines(place, "summary.json")[0]["stopped"] is True
    assert len(lines(place, "report.jsonl")) == 1


def test_the_summary_is_read_by_a_person() -> None:
    summary = Summary(10, 1_000, 1, 5.0, stopped=False, output="/out")

    assert summary.as_text().splitlines() == [
        "1,011 pictures: 10 done, 1,000 done before, 1 set aside, in 5.0 s (2.00 a second)",
        "/out: report.jsonl tells of each, rejected.jsonl why some were set aside",
    ]


def test_the_summary_of_a_run_that_was_stopped_says_how_to_go_on() -> None:
    summary = Summary(1, 0, 0, 0.0, stopped=True, output="s3://bucket/out")

    assert summary.as_text().splitlines() == [
        "1 picture: 1 done, 0 done before, 0 set aside, in 0.0 s (0.00 a second)",
        "s3://bucket/out: report.jsonl tells of each",
        "stopped; the same command again goes on from here",
    ]


def test_a_run_is_complete_where_all_is_done(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.make()
    with Report(place) as report:
        report.add("done", record("a.jpg"))
        report.add("before", record("b.jpg"))

    assert report.summary.complete


def test_a_run_that_is_killed_leaves_no_summary_of_an_earlier_one(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.make()
    with Report(place) as report:
        fill(report)

    Report(place).__enter__()  # and nothing more

    assert not (tmp_path / "summary.json").exists()


def test_a_full_disk_is_told_and_the_run_summed_up(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    place.make()
    (tmp_path / "report.jsonl").symlink_to("/dev/full")

    with pytest.raises(PlaceFull), Report(place) as report:
        report.add("done", record("a.jpg"))

    (summary,) = lines(place, "summary.json")
    assert summary.items() >= {"done": 1, "stopped": True}.items()


def test_a_report_that_a_bucket_does_not_take_in_the_end_is_told() -> None:
    place = bucket().output

    with pytest.raises(PlaceFailed, match=r"report\.jsonl cannot be written: ConnectionError"), Report(place) as report:
        report._stack.callback(break_off)

    (summary,) = lines(place, "summary.json")
    assert summary["stopped"] is False


def break_off() -> None:
    raise ConnectionError
