from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import orjson

from predictor.errors import NoFaceFound, StageFailed
from predictor.faces import Box, Face, FaceReport
from predictor.imaging.picture import Picture
from predictor.requests import AlteredPicture, FacesAnswer, Skipped, SwapAnswer
from predictor.serving.answers import detect_answer, enhance_answer, face_reports, faces_list, skipped_list, swap_answer

# Detectors give NumPy's numbers.
BOX = Box(*np.array([1.234567, 2, 30, 40], np.float32))
FACE = Face(BOX, np.full((5, 2), 7.125, np.float32), np.float32(0.98765), "padded")  # type: ignore[arg-type]
FACE_JSON = {"id": 1, "box": [1.23, 2.0, 30.0, 40.0], "landmarks": [[7.12, 7.12]] * 5, "score": 0.9876}
REPORT = FaceReport(
    1, FACE, swapped=True, restored=True, source="me", source_face_id=2, fit="warp", stage_seconds={"swap": 0.0041}
)


def altered(name: str = "a.jpg", reports: tuple[FaceReport, ...] = (REPORT,)) -> AlteredPicture:
    return AlteredPicture(name, Picture(np.zeros((4, 6, 3), np.uint8), "png"), reports, trained=False)


def test_a_swap_answers_with_the_four_fields_its_clients_know() -> None:
    body = swap_answer(SwapAnswer([altered("a.jpg"), altered("b.jpg")], [], 3), [b"one", b"two"], report=False)

    assert body == {
        "success": True,
        "message": "Successfully swapped face onto 2 images",
        "swapped_images": [
            {"image_data": base64.b64encode(b"one").decode(), "destination_name": "a.jpg", "altered": True},
            {"image_data": base64.b64encode(b"two").decode(), "destination_name": "b.jpg", "altered": True},
        ],
        "faces_detected_in_source": 3,
    }


def test_one_image_is_counted_in_the_singular() -> None:
    body = swap_answer(SwapAnswer([altered()], [], 1), [b"one"], report=False)

    assert body["message"] == "Successfully swapped face onto 1 image"


def test_skipped_is_there_when_it_is_not_empty() -> None:
    skipped = [Skipped("b.jpg", NoFaceFound("b.jpg"))]

    body = swap_answer(SwapAnswer([altered()], skipped, 1), [b"one"], report=False)

    assert body["skipped"] == [
        {"destination_name": "b.jpg", "code": "no_face_found", "reason": "no face was found in b.jpg"}
    ]


def test_what_is_skipped_for_a_failure_of_ours_says_nothing_of_it() -> None:
    (entry,) = skipped_list([Skipped("b.jpg", StageFailed("swap", "at /home/me"))])

    assert entry["code"] == "internal"
    assert "/home" not in str(entry["reason"])


def test_a_report_tells_what_happened_to_each_face() -> None:
    body = swap_answer(SwapAnswer([altered()], [], 1), [b"one"], report=True)

    assert body["swapped_images"][0]["faces"] == [  # type: ignore[index]
        {
            **FACE_JSON,
            "detected_by": "padded",
            "swapped": True,
            "restored": True,
            "source": "me",
            "source_face_id": 2,
            "fit": "warp",
            "similarity_before": None,
            "similarity_after": None,
            "stages_ms": {"swap": 4.1},
        }
    ]


def test_similarity_is_told_with_four_digits_and_as_null_where_it_is_not_known() -> None:
    known = replace(REPORT, similarity_before=0.123456, similarity_after=-1.0)

    first, second = face_reports([known, REPORT])

    assert (first["similarity_before"], first["similarity_after"]) == (0.1235, -1.0)
    assert (second["similarity_before"], second["similarity_after"]) == (None, None)


def test_an_enhance_answers_with_its_size_and_how_many_faces_were_restored() -> None:
    untouched = FaceReport(2, FACE)

    body = enhance_answer(altered(reports=(REPORT, untouched)), b"one", report=False)

    assert body == {
        "success": True,
        "image_data": base64.b64encode(b"one").decode(),
        "width": 6,
        "height": 4,
        "faces_restored": 1,
        "altered": True,
    }
    assert len(enhance_answer(altered(reports=(REPORT, untouched)), b"one", report=True)["faces"]) == 2  # type: ignore[arg-type]


def test_a_detect_lists_the_faces_by_their_ids() -> None:
    body = detect_answer(FacesAnswer([FACE, FACE], 60, 40))

    assert (body["width"], body["height"]) == (60, 40)
    assert [face["id"] for face in body["faces"]] == [1, 2]  # type: ignore[attr-defined]
    assert set(body["faces"][0]) == {"id", "box", "landmarks", "score", "detected_by"}  # type: ignore[index]


def test_answers_are_plain_enough_for_json() -> None:
    assert orjson.loads(orjson.dumps(faces_list([FACE]))) == [{**FACE_JSON, "detected_by": "padded"}]
