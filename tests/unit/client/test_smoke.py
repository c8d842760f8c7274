"""What is told of the calls, to people and to programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.client.album import Album
from predictor.client.connections import Target
from predictor.client.failures import Failure
from predictor.client.load import Load, Outcome
from predictor.client.questions import Answer, Picture, Question
from predictor.client.smoke import Report, Smoke, saved_in

FACE = {"id": 1, "box": [1.0, 2.0, 3.0, 4.0], "landmarks": [[0, 0]], "swapped": True, "similarity_before": None}
ANSWER = Answer([Picture("destination_1", b"\x89PNG", [FACE]), Picture("destination_2", b"abc")], {"faces_found": 2})
BUSY = Failure("overloaded", "busy for 3 s", 429, "r1")


def smoke(question: Question | None = None, load: Load | None = None, **target: object) -> Smoke:
    return Smoke(
        Target("http://predictor", **target),  # type: ignore[arg-type]  # fields of the target
        question or Question("swap", "faceswap", b"me", [b"a", b"b"]),
        load or Load(),
        ["a.jpg", "b.jpg"],
    )


def outcome(answer: Answer | None = ANSWER, *failures: Failure, calls: int = 1) -> Outcome:
    return Outcome(answer, [0.01] * calls, list(failures), {"d"}, 1.5)


def test_one_call_is_told_with_what_came_back() -> None:
    lines = Report(smoke(), outcome(), []).as_text().splitlines()

    assert lines == [
        "a.jpg: 4 bytes, sha256 0f4636c78f65d363 (not saved: no -o DIR)",
        "  id 1  box [1.0, 2.0, 3.0, 4.0]  swapped True",
        "b.jpg: 3 bytes, sha256 ba7816bf8f01cfea (not saved: no -o DIR)",
        "faces_found: 2",
        "1 call to faceswap over v1 in 1.50 s, one at a time, connections kept",
        "answered 1, failed 0",
        "ms  min 10.0  p50 10.0  p90 10.0  p95 10.0  p99 10.0  max 10.0",
    ]


def test_failures_are_told_by_code_the_most_frequent_first_in_the_words_of_the_first() -> None:
    lost = Failure("timeout", "no answer within 5 s")
    later = Failure("overloaded", "busy for 9 s", 429, "r2")

    lines = Report(smoke(kept=False, protocol="grpc"), outcome(None, lost, BUSY, later, calls=0), []).as_text()

    assert lines.splitlines() == [
        "3 calls to faceswap over grpc in 1.50 s, one at a time, a new connection each",
        "answered 0, failed 3",
        "  2 × overloaded (429): busy for 3 s [request r1]",
        "  1 × timeout: no answer within 5 s",
    ]


@pytest.mark.parametrize(
    ("digests", "line"), [({"d"}, "all answers alike"), ({"d", "e", "f"}, "3 different answers")], ids=["alike", "not"]
)
def test_several_answers_are_compared(digests: set[str], line: str) -> None:
    several = Outcome(ANSWER, [0.01, 0.02, 0.03], [], digests, 1.5, stopped=True)

    lines = Report(smoke(load=Load(100, 2)), several, []).as_text().splitlines()

    assert lines[-1] == line
    assert "2 at a time" in lines[4]
    assert lines[4].endswith("(stopped before the end)")


def test_faces_that_were_found_are_listed() -> None:
    found = Answer([], {"faces": [{"id": 1, "score": 0.9}], "width": 2, "height": 4})

    lines = Report(smoke(Question("detect", "faceswap-detect", b"me")), outcome(found), []).as_text().splitlines()

    assert lines[:3] == ["width: 2", "height: 4", "  id 1  score 0.9"]


def test_a_servers_words_cannot_speak_to_the_terminal() -> None:
    spoken = Failure("http_502", "\x1b[2J\nall is well", 502, "r\x1b1")
    named = Answer([Picture("\x1b[2J", b"abc")], {"\x1b": "\x07"})

    text = Report(smoke(), outcome(named, spoken), []).as_text()

    assert "\x1b" not in text
    assert "\x07" not in text
    assert "?[2J?all is well" in text


@pytest.mark.parametrize(
    ("made", "failed"),
    [(outcome(), False), (outcome(ANSWER, BUSY), True), (Outcome(), True)],
    ids=["all answered", "one failed", "none made"],
)
def test_a_smoke_test_has_failed_if_any_call_has_or_none_was_made(made: Outcome, failed: bool) -> None:  # noqa: FBT001
    assert Report(smoke(), made, []).failed is failed


def test_programs_are_told_all_of_it() -> None:
    made = Outcome(ANSWER, [0.01, 0.03], [BUSY, BUSY], {"d"}, 1.5)

    told = Report(smoke(load=Load(4, 2)), made, [Path("out/a.png"), Path("out/b.bin")]).as_json()

    assert told == {
        "url": "http://predictor",
        "protocol": "v1",
        "model": "faceswap",
        "calls": 4,
        "answered": 2,
        "failed": 2,
        "seconds": 1.5,
        "stopped": False,
        "concurrency": 2,
        "connections": "kept",
        "latency_ms": {"min": 10.0, "p50": 10.0, "p90": 30.0, "p95": 30.0, "p99": 30.0, "max": 30.0},
        "errors": [{"code": "overloaded", "count": 2, "status": 429, "sentence": "busy for 3 s", "request_id": "r1"}],
        "different_answers": 1,
        "pictures": [
            {
                "name": "destination_1",
                "file": "out/a.png",
                "bytes": 4,
                "sha256": "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543",
                "faces": [FACE],
            },
            {
                "name": "destination_2",
                "file": "out/b.bin",
                "bytes": 3,
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "faces": None,
            },
        ],
        "facts": {"faces_found": 2},
    }


def test_programs_are_told_of_calls_that_all_failed() -> None:
    told = Report(smoke(), outcome(None, BUSY, calls=0), []).as_json()

    assert (told["latency_ms"], told["pictures"], told["facts"]) == (None, [], None)


def test_pictures_are_saved_under_the_names_of_the_files_they_were_made_of(tmp_path: Path) -> None:
    saved = saved_in(Album(tmp_path), smoke(), ANSWER)

    assert [path.name for path in saved] == ["a.png", "b.bin"]


def test_preloaded_pictures_are_saved_under_the_servers_names(tmp_path: Path) -> None:
    preloaded = Answer([Picture(name, b"\xff\xd8") for name in ("x.jpg", "y.bmp", "../z.jpg")], {})

    saved = saved_in(Album(tmp_path), smoke(), preloaded)

    assert saved == [tmp_path / "x.jpg", tmp_path / "y.jpg", tmp_path / "z.jpg"]
