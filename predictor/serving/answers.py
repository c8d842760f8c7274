"""Answers as plain dicts: what V1 sends whole and V2 sends as reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pybase64

from predictor.serving.statuses import sentence_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from predictor.faces import Face, FaceReport
    from predictor.requests import AlteredPicture, FacesAnswer, Skipped, SwapAnswer

Json = dict[str, object]


def swap_answer(answer: SwapAnswer, encoded: Sequence[bytes], *, report: bool) -> Json:
    """Return the V1 answer to one swap; the first four fields are those swaparoony's clients know."""
    pictures = [
        _swapped_image(altered, data, report=report) for altered, data in zip(answer.pictures, encoded, strict=True)
    ]
    count = len(pictures)
    body: Json = {
        "success": True,
        "message": f"Successfully swapped face onto {count} {'image' if count == 1 else 'images'}",
        "swapped_images": pictures,
        "faces_detected_in_source": answer.faces_in_source,
    }
    if answer.skipped:
        body["skipped"] = skipped_list(answer.skipped)
    return body


def skipped_list(skipped: Sequence[Skipped]) -> list[Json]:
    """Return which preloaded destinations were left out, and why."""
    return [{"destination_name": one.name, "code": one.error.code, "reason": sentence_of(one.error)} for one in skipped]


def enhance_answer(altered: AlteredPicture, encoded: bytes, *, report: bool) -> Json:
    """Return the V1 answer to an enhance."""
    height, width = altered.picture.image.shape[:2]
    body: Json = {
        "success": True,
        "image_data": base64_text(encoded),
        "width": width,
        "height": height,
        "faces_restored": faces_restored(altered),
        "altered": True,
    }
    if report:
        body["faces"] = face_reports(altered.faces)
    return body


def detect_answer(answer: FacesAnswer) -> Json:
    """Return the V1 answer to a detect."""
    return {"faces": faces_list(answer.faces), "width": answer.width, "height": answer.height}


def faces_list(faces: Sequence[Face]) -> list[Json]:
    """Return faces as clients see them, numbered from 1, left to right."""
    return [_face(index, face) for index, face in enumerate(faces, start=1)]


def face_reports(reports: Sequence[FaceReport]) -> list[Json]:
    """Return what happened to each face."""
    return [
        {
            **_face(report.id, report.face),
            "swapped": report.swapped,
            "restored": report.restored,
            "source": report.source,
            "source_face_id": report.source_face_id,
            "fit": report.fit,
            "similarity_before": _rounded(report.similarity_before),
            "similarity_after": _rounded(report.similarity_after),
            "stages_ms": {stage: round(seconds * 1000, 3) for stage, seconds in report.stage_seconds.items()},
        }
        for report in reports
    ]


def faces_restored(altered: AlteredPicture) -> int:
    """Return how many faces a restorer has worked on."""
    return sum(report.restored for report in altered.faces)


def base64_text(data: bytes) -> str:
    """Return bytes as base64."""
    return pybase64.b64encode_as_string(data)


def _swapped_image(altered: AlteredPicture, data: bytes, *, report: bool) -> Json:
    body: Json = {"image_data": base64_text(data), "destination_name": altered.name, "altered": True}
    if report:
        body["faces"] = face_reports(altered.faces)
    return body


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)


def _face(face_id: int, face: Face) -> Json:
    box = face.box
    return {
        "id": face_id,
        "box": [round(float(edge), 2) for edge in (box.left, box.top, box.right, box.bottom)],
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        "score": round(float(face.score), 4),
        "detected_by": face.detected_by,
    }
