from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.errors import DegenerateFace, StageFailed, TooManyFaces, UnsupportedOption
from predictor.faces import Box, Face, Image
from predictor.job import Job
from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions
from predictor.reference.analysis import FoundFace, insightface_of
from predictor.reference.pipeline import Packages, ReferencePipeline
from predictor.selection import Scene, Source
from tests.unit.fakes import degenerate_face, face_at, plain

ALL = SwapOptions((Pair(destination_face_id="all"),))


class FakeRestorer:
    """Says which boxes it restored, and writes the scale it was asked for into the first pixel."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = list(boxes)
        self.upsamplers: list[object] = []

    def enhance(self, image: Image, upscale: int, upsampler: object) -> tuple[Image, list[Box]]:
        self.upsamplers.append(upsampler)
        restored = image.repeat(upscale, axis=0).repeat(upscale, axis=1)
        restored[0, 0] = (1, 2, 3)
        return restored, self.boxes


class FakeUpsampler:
    scales = (2, 4)

    def enhance(self, image: Image, scale: int) -> Image:
        return image.repeat(scale, axis=0).repeat(scale, axis=1)


def with_fakes(packages: Packages, restorer: FakeRestorer) -> ReferencePipeline:
    return ReferencePipeline(
        Packages(packages.analysis, packages.swapper, restorer, "gfpgan_1.4", FakeUpsampler())  # type: ignore[arg-type]
    )


def bgr(image: Image) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def test_faces_are_found_by_face_analysis_and_ordered_left_to_right(packages: Packages, two_faces: Image) -> None:
    found = {tuple(one.bbox): one for one in packages.analysis.get(bgr(two_faces))}

    faces = ReferencePipeline(packages).find_faces(two_faces, "a.png", Job())

    assert len(faces) == len(found) == 2
    assert faces[0].box.left < faces[1].box.left
    for face in faces:
        theirs = found[face.box.left, face.box.top, face.box.right, face.box.bottom]
        assert isinstance(face, FoundFace)
        assert np.array_equal(face.landmarks, theirs.kps)
        assert np.array_equal(face.embedding, theirs.embedding)
        assert face.score == theirs.det_score


def test_more_faces_than_allowed_are_refused(packages: Packages, two_faces: Image) -> None:
    with pytest.raises(TooManyFaces):
        ReferencePipeline(packages, max_faces=1).find_faces(two_faces, "a.png", Job())


def test_each_face_is_swapped_by_inswapper_onto_what_the_one_before_left(packages: Packages, two_faces: Image) -> None:
    pipeline = ReferencePipeline(packages)
    scene = Scene("a.png", two_faces, pipeline.find_faces(two_faces, "a.png", Job()))
    givers = pipeline.identify_all([Source("me", scene)], [Pair(source_face_id=2)], Job())

    altered = pipeline.swap(scene, givers, ALL, Job())

    canvas = bgr(two_faces)
    second = packages.analysis.get(canvas)
    source = max(second, key=lambda face: face.bbox[0])
    for face in scene.faces:
        canvas = packages.swapper.get(canvas, insightface_of(face), source, paste_back=True)
    assert np.array_equal(altered.image, bgr(canvas))
    assert not np.array_equal(altered.image, two_faces)
    assert [(one.id, one.swapped, one.source, one.source_face_id, one.fit) for one in altered.faces] == [
        (1, True, "me", 2, "network"),
        (2, True, "me", 2, "network"),
    ]
    assert all(one.stage_seconds["swap"] > 0 for one in altered.faces)
    assert altered.trained


def test_a_face_that_face_analysis_did_not_find_is_embedded_where_it_is_needed(
    packages: Packages, two_faces: Image
) -> None:
    pipeline = ReferencePipeline(packages)
    found = pipeline.find_faces(two_faces, "a.png", Job())[0]
    assert isinstance(found, FoundFace)
    drawn = Face(found.box, found.landmarks, found.score)

    (giver,) = pipeline.identify_all([Source("me", Scene("a.png", two_faces, [drawn]))], [Pair()], Job())

    assert giver.identity.embedding is not None
    assert np.allclose(giver.identity.embedding, found.embedding, rtol=1e-4, atol=1e-5)


def test_only_the_face_that_is_named_changes(packages: Packages, astronaut: Image) -> None:
    pipeline = ReferencePipeline(packages)
    faces = [face_at(60, 60, 100), face_at(320, 320, 100)]
    scene = Scene("a.png", astronaut, faces)
    givers = pipeline.identify_all([Source("me", scene)], [Pair()], Job())

    altered = pipeline.swap(scene, givers, SwapOptions((Pair(destination_face_id=2),)), Job())

    changed = np.argwhere((altered.image != astronaut).any(axis=2))
    assert [one.swapped for one in altered.faces] == [False, True]
    assert changed.min() > 240  # insightface's crop reaches half a face beyond the box


def test_degenerate_landmarks_are_told_in_our_words(packages: Packages) -> None:
    pipeline = ReferencePipeline(packages)
    scene = Scene("a.png", plain((1, 2, 3)), [degenerate_face()])

    with pytest.raises(DegenerateFace):
        pipeline.identify_all([Source("me", scene)], [Pair()], Job())


def test_a_face_that_lies_outside_the_picture_fails_in_our_words(packages: Packages, astronaut: Image) -> None:
    pipeline = ReferencePipeline(packages)
    scene = Scene("a.png", astronaut, [face_at(100, 100), face_at(5000, 5000)])
    givers = pipeline.identify_all([Source("me", scene)], [Pair()], Job())

    with pytest.raises(StageFailed, match="swap: insightface"):
        pipeline.swap(scene, givers, ALL, Job())


def test_the_report_says_which_faces_gfpganer_restored(packages: Packages, astronaut: Image) -> None:
    faces = [face_at(60, 60), face_at(300, 300)]
    pipeline = with_fakes(packages, FakeRestorer(Box(290, 290, 370, 370)))

    altered = pipeline.enhance(Scene("a.png", astronaut, faces), EnhanceOptions(RestoreOptions(), 1), Job())

    assert [one.restored for one in altered.faces] == [False, True]
    assert altered.image[0, 0].tolist() == [3, 2, 1]
    assert altered.trained


def test_where_gfpganer_finds_no_face_nothing_was_trained(packages: Packages, astronaut: Image) -> None:
    pipeline = with_fakes(packages, FakeRestorer())

    altered = pipeline.enhance(Scene("a.png", astronaut, []), EnhanceOptions(RestoreOptions(), 1), Job())

    assert not altered.trained


def test_restoring_and_enlarging_is_gfpganers_work_alone(packages: Packages, astronaut: Image) -> None:
    restorer = FakeRestorer()
    pipeline = with_fakes(packages, restorer)

    altered = pipeline.enhance(Scene("a.png", astronaut, []), EnhanceOptions(RestoreOptions(), 2), Job())

    assert altered.image.shape == (1024, 1024, 3)
    assert [type(one) for one in restorer.upsamplers] == [FakeUpsampler]
    assert altered.trained


def test_without_restoring_only_the_upsampler_works(packages: Packages, astronaut: Image) -> None:
    restorer = FakeRestorer()
    pipeline = with_fakes(packages, restorer)

    altered = pipeline.enhance(Scene("a.png", astronaut, []), EnhanceOptions(None, 4), Job())

    assert np.array_equal(altered.image[::4, ::4], astronaut)
    assert not restorer.upsamplers
    assert altered.trained


def test_a_swap_is_restored_as_a_whole_picture(packages: Packages, astronaut: Image) -> None:
    pipeline = with_fakes(packages, FakeRestorer(Box(0, 0, 512, 512)))
    scene = Scene("a.png", astronaut, [face_at(60, 60, 100), face_at(320, 320, 100)])
    givers = pipeline.identify_all([Source("me", scene)], [Pair()], Job())

    altered = pipeline.swap(scene, givers, SwapOptions(restore=RestoreOptions()), Job())

    assert [(one.swapped, one.restored) for one in altered.faces] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (SwapOptions(restore=RestoreOptions(blend=0.5)), "restore.blend"),
        (SwapOptions(restore=RestoreOptions(model="sharpen")), "restore.model"),
        (EnhanceOptions(RestoreOptions(), 3), "upscale"),  # type: ignore[arg-type]
    ],
)
def test_what_the_packages_cannot_do_is_refused(
    packages: Packages, options: SwapOptions | EnhanceOptions, field: str
) -> None:
    with pytest.raises(UnsupportedOption) as caught:
        with_fakes(packages, FakeRestorer()).check(options, "instances[1].")

    assert caught.value.details["field"] == f"instances[1].{field}"


def test_without_gfpganer_and_realesrganer_their_work_is_refused(packages: Packages) -> None:
    pipeline = ReferencePipeline(packages)

    with pytest.raises(UnsupportedOption):
        pipeline.check(SwapOptions(restore=RestoreOptions()))
    with pytest.raises(UnsupportedOption):
        pipeline.check(EnhanceOptions(None, 2))
    assert not pipeline.can_restore
    assert list(pipeline.scales) == []


def test_what_the_packages_can_do_is_allowed(packages: Packages) -> None:
    pipeline = with_fakes(packages, FakeRestorer())

    pipeline.check(SwapOptions(restore=RestoreOptions("gfpgan_1.4"), upscale=4))

    assert pipeline.can_restore
    assert list(pipeline.scales) == [2, 4]


def test_a_picture_keeps_its_colours(packages: Packages) -> None:
    red = plain((200, 10, 20))

    altered = with_fakes(packages, FakeRestorer()).enhance(Scene("a.png", red, []), EnhanceOptions(None, 1), Job())

    assert np.array_equal(altered.image, red)
    assert altered.image.dtype == np.uint8
    assert not np.shares_memory(altered.image, red)
    assert cv2.mean(altered.image)[0] == 200
