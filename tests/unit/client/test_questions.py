"""The same answer in the same words, whichever protocol carried it."""

from __future__ import annotations

import base64
import json
from typing import Any, cast

import pytest

from predictor.client.failures import UnreadableAnswer
from predictor.client.questions import Answer, Picture, Question, Task, from_v1, from_v2
from predictor.client.wire import Inferred

RESULT, FACES = b"\xff\x00result", [{"id": 1, "swapped": True}]
TEXT = base64.b64encode(RESULT).decode()
REPORT = json.dumps({"faces": FACES}).encode()
SKIPPED = [{"destination_name": "b.jpg", "code": "no_face_found", "reason": "no face"}]


def test_v1_carries_pictures_as_base64_beside_the_options() -> None:
    question = Question("swap", "faceswap", b"me", [b"a", b"b"], {"upscale": 2})

    assert question.v1() == {
        "image": "bWU=",
        "upscale": 2,
        "destinations": [{"name": "destination_1", "image": "YQ=="}, {"name": "destination_2", "image": "Yg=="}],
    }


def test_without_destinations_none_are_sent() -> None:
    question = Question("detect", "faceswap-detect", b"me")

    assert question.v1() == {"image": "bWU="}
    assert dict(question.v2().pictures) == {"image": [b"me"]}


def test_v2_carries_pictures_as_they_are() -> None:
    inference = Question("swap", "other", b"me", [b"a"], {"upscale": 2}).v2()

    assert (inference.model, dict(inference.pictures)) == ("other", {"image": [b"me"], "destination": [b"a"]})
    assert inference.options == {"upscale": 2}


@pytest.mark.parametrize(
    ("task", "body", "inferred", "expected"),
    [
        (
            "swap",
            {
                "success": True,
                "message": "Successfully",
                "swapped_images": [
                    {"destination_name": "a.jpg", "image_data": TEXT, "altered": True, "faces": FACES},
                ],
                "skipped": SKIPPED,
            },
            Inferred(
                {"destination_name": [b"a.jpg"], "image": [RESULT], "source_index": [0], "report": [REPORT]},
                {"skipped": json.dumps(SKIPPED)},
            ),
            Answer([Picture("a.jpg", RESULT, FACES)], {"skipped": SKIPPED}),
        ),
        (
            "enhance",
            {
                "success": True,
                "image_data": TEXT,
                "width": 2,
                "height": 4,
                "faces_restored": 1,
                "altered": True,
                "faces": FACES,
            },
            Inferred({"image": [RESULT], "width": [2], "height": [4], "faces_restored": [1], "report": [REPORT]}, {}),
            Answer([Picture("", RESULT, FACES)], {"width": 2, "height": 4, "faces_restored": 1}),
        ),
        (
            "detect",
            {"faces": FACES, "width": 2, "height": 4},
            Inferred({"faces": [json.dumps(FACES).encode()], "width": [2], "height": [4]}, {}),
            Answer([], {"faces": FACES, "width": 2, "height": 4}),
        ),
    ],
    ids=["swap", "enhance", "detect"],
)
def test_an_answer_is_the_same_on_v1_and_v2(
    task: Task, body: dict[str, Any], inferred: Inferred, expected: Answer
) -> None:
    assert from_v1(task, body) == expected
    assert from_v2(task, inferred) == expected


def test_without_a_report_a_picture_has_no_faces() -> None:
    swapped = from_v2("swap", Inferred({"destination_name": [b"a"], "image": [RESULT]}, {}))
    enhanced = from_v1("enhance", {"image_data": TEXT, "width": 2, "height": 4, "faces_restored": 0})

    assert [picture.faces for picture in (*swapped.pictures, *enhanced.pictures)] == [None, None]


def test_answers_are_told_apart_by_their_pictures_and_without_any_by_their_facts() -> None:
    one, same = (Answer([Picture(name, RESULT)], {}) for name in "ab")
    other = Answer([Picture("a", b"other")], {})
    halves = [Answer([Picture("", b"ab"), Picture("", b"c")], {}), Answer([Picture("", b"a"), Picture("", b"bc")], {})]
    faces = [Answer([], {"faces": [{"id": number}]}) for number in (1, 2)]

    assert one.digest == same.digest
    assert len({answer.digest for answer in (one, other, *halves, *faces)}) == 6


@pytest.mark.parametrize("task", ["swap", "enhance", "detect"])
@pytest.mark.parametrize(
    "body", [{}, [], None, "text", {"swapped_images": 7}, {"swapped_images": [{}]}, {"image_data": "%"}]
)
def test_what_is_no_answer_is_told_so(task: Task, body: object) -> None:
    with pytest.raises(UnreadableAnswer):
        from_v1(task, cast("dict[str, Any]", body))


@pytest.mark.parametrize("task", ["swap", "enhance", "detect"])
@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"destination_name": [b"a", b"b"], "image": [RESULT]},
        {"image": [], "width": [], "height": [], "faces_restored": []},
        {"faces": [b"{"], "width": [1], "height": [1]},
    ],
)
def test_what_are_no_tensors_of_the_model_is_told_so(task: Task, outputs: dict[str, list[Any]]) -> None:
    with pytest.raises(UnreadableAnswer):
        from_v2(task, Inferred(outputs, {}))
