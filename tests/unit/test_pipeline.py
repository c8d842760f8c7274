from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from predictor.errors import (
    DeadlineExceeded,
    DegenerateFace,
    FaceIndexOutOfRange,
    InvalidField,
    NoFaceFound,
    StageFailed,
    TooManyFaces,
    UnsupportedOption,
)
from predictor.faces import Box, Face, Image
from predictor.job import Job, StageRun
from predictor.options import EnhanceOptions, Pair, RestoreOptions, SwapOptions, Upscale
from predictor.pipeline import Altered, Pipeline
from predictor.selection import Scene, Source
from tests.unit.fakes import (
    LARGE,
    SMALL,
    FakeDetector,
    FakeEmbedder,
    FakeRestorer,
    Fakes,
    FakeSwapper,
    FakeUpsampler,
    degenerate_face,
    face_at,
    plain,
)

RED, GREEN, BLUE, GREY = (200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 90, 90)
LEFT, RIGHT = face_at(10, 20), face_at(120, 20)


def source(name: str, colour: tuple[int, int, int], faces: Sequence[Face] = (LEFT,)) -> Source:
    return Source(name, Scene(f"the {name}", plain(colour), faces))


def party(faces: Sequence[Face], image: Image | None = None) -> Scene:
    return Scene("party.jpg", plain(GREY) if image is None else image, faces)


def two_coloured(left: tuple[int, int, int], right: tuple[int, int, int]) -> Image:
    image = plain(left)
    image[:, 100:] = right
    return image


def swap(
    pipeline: Pipeline,
    options: SwapOptions,
    faces: Sequence[Face] = (LEFT, RIGHT),
    sources: Sequence[Source] = (source("red", RED),),
    image: Image | None = None,
) -> Altered:
    job = Job()
    givers = pipeline.identify_all(sources, options.pairs, job)
    return pipeline.swap(party(faces, image), givers, options, job)


def centre(image: Image, face: Face, scale: int = 1) -> list[int]:
    """The colour in the middle of a face."""
    box = face.box
    pixel: list[int] = image[int((box.top + box.bottom) / 2) * scale, int((box.left + box.right) / 2) * scale].tolist()
    return pixel


# ── finding faces ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_faces_come_left_to_right_then_top_to_bottom() -> None:
    lower, upper = face_at(50, 40, 30), face_at(50, 5, 30)
    pipeline = Fakes(FakeDetector([RIGHT, lower, LEFT, upper])).pipeline()

    found = pipeline.find_faces(plain(GREY), "party.jpg", Job())

    assert found == [LEFT, upper, lower, RIGHT]


def test_left_is_where_the_box_meets_the_picture() -> None:
    far_out, less_far_out_but_higher = face_at(-40, 30), face_at(-5, 10)
    pipeline = Fakes(FakeDetector([far_out, less_far_out_but_higher])).pipeline()

    found = pipeline.find_faces(plain(GREY), "party.jpg", Job())

    assert found == [less_far_out_but_higher, far_out]


def test_more_faces_than_allowed_are_too_many() -> None:
    pipeline = Fakes(FakeDetector([LEFT, RIGHT])).pipeline(max_faces=1)

    with pytest.raises(TooManyFaces) as caught:
        pipeline.find_faces(plain(GREY), "party.jpg", Job())

    assert caught.value.details == {"limit": 1, "actual": 2, "picture": "party.jpg"}


def test_as_many_faces_as_allowed_are_taken() -> None:
    pipeline = Fakes(FakeDetector([LEFT, RIGHT])).pipeline(max_faces=2)

    assert len(pipeline.find_faces(plain(GREY), "party.jpg", Job())) == 2


# ── who goes where ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_by_default_the_first_face_receives_the_sources_first_face() -> None:
    altered = swap(Fakes().pipeline(), SwapOptions())

    assert centre(altered.image, LEFT) == list(RED)
    assert centre(altered.image, RIGHT) == list(GREY)
    assert [(one.id, one.swapped, one.source, one.source_face_id) for one in altered.faces] == [
        (1, True, "red", 1),
        (2, False, None, None),
    ]


def test_all_gives_every_face_the_same_source() -> None:
    altered = swap(Fakes().pipeline(), SwapOptions((Pair(destination_face_id="all"),)))

    assert [centre(altered.image, face) for face in (LEFT, RIGHT)] == [list(RED), list(RED)]


def test_a_pair_takes_the_face_of_the_source_that_it_names_by_id() -> None:
    couple = Source("couple", Scene("the couple", two_coloured(RED, BLUE), [face_at(10, 20), face_at(120, 20)]))

    altered = swap(Fakes().pipeline(), SwapOptions((Pair(source_face_id=2),)), sources=[couple])

    assert centre(altered.image, LEFT) == list(BLUE)


def test_pairs_bring_faces_of_several_sources_to_the_faces_they_name() -> None:
    pairs = (Pair("green", 1, 2), Pair("red", 1, 1))

    altered = swap(Fakes().pipeline(), SwapOptions(pairs), sources=[source("red", RED), source("green", GREEN)])

    assert [centre(altered.image, face) for face in (LEFT, RIGHT)] == [list(RED), list(GREEN)]


def test_a_pair_without_a_source_takes_the_first_source_even_after_a_pair_that_names_another() -> None:
    pairs = (Pair("green", 1, 1), Pair(None, 1, 2))

    altered = swap(Fakes().pipeline(), SwapOptions(pairs), sources=[source("red", RED), source("green", GREEN)])

    assert [centre(altered.image, face) for face in (LEFT, RIGHT)] == [list(GREEN), list(RED)]
    assert [one.source for one in altered.faces] == ["green", "red"]


def test_a_source_face_is_identified_once_however_many_pairs_name_it() -> None:
    fakes = Fakes(embedder=FakeEmbedder())

    swap(fakes.pipeline(), SwapOptions((Pair(None, 1, 1), Pair(None, 1, 2))))

    assert fakes.embedder is not None
    assert len(fakes.embedder.seen) == 1


def test_all_crops_go_through_the_swapper_in_one_call() -> None:
    fakes = Fakes()

    swap(fakes.pipeline(), SwapOptions((Pair(destination_face_id="all"),)))

    assert [len(crops) for crops, _ in fakes.swapper.calls] == [2]


@pytest.mark.parametrize(
    ("ids", "number"),
    [((1, 1), 1), ((2, 1, 2), 2), (("all", 1), 1), ((1, "all"), 1), (("all", "all"), 1)],
)
def test_two_pairs_for_one_face_are_refused_before_anything_runs(
    ids: tuple[int | Literal["all"], ...], number: int
) -> None:
    options = SwapOptions(tuple(Pair(None, 1, one) for one in ids))

    with pytest.raises(InvalidField) as caught:
        Fakes().pipeline().check(options, "instances[2].")

    assert caught.value.details == {"field": f"instances[2].pairs[{number}].destination_face_id"}


def test_pairs_for_different_faces_are_fine() -> None:
    Fakes().pipeline().check(SwapOptions((Pair(None, 1, 1), Pair(None, 1, 2))))


def test_a_destination_face_that_does_not_exist_is_out_of_range() -> None:
    with pytest.raises(FaceIndexOutOfRange) as caught:
        swap(Fakes().pipeline(), SwapOptions((Pair(destination_face_id=3),)))

    assert caught.value.details == {"picture": "party.jpg", "faces": 2}


def test_a_source_face_that_does_not_exist_is_out_of_range() -> None:
    with pytest.raises(FaceIndexOutOfRange) as caught:
        swap(Fakes().pipeline(), SwapOptions((Pair(source_face_id=2),)))

    assert caught.value.details == {"picture": "the red", "faces": 1}


@pytest.mark.parametrize("face_id", [1, 5, "all"])
def test_a_destination_without_faces_is_named(face_id: int | Literal["all"]) -> None:
    with pytest.raises(NoFaceFound) as caught:
        swap(Fakes().pipeline(), SwapOptions((Pair(destination_face_id=face_id),)), faces=[])

    assert caught.value.details == {"picture": "party.jpg", "faces": 0}


def test_a_source_without_faces_is_named() -> None:
    with pytest.raises(NoFaceFound) as caught:
        swap(Fakes().pipeline(), SwapOptions(), sources=[source("empty", RED, faces=())])

    assert caught.value.details == {"picture": "the empty", "faces": 0}


def test_a_destination_face_that_cannot_be_aligned_is_degenerate() -> None:
    with pytest.raises(DegenerateFace) as caught:
        swap(Fakes().pipeline(), SwapOptions(), faces=[degenerate_face(), RIGHT])

    assert caught.value.details == {"picture": "party.jpg", "faces": 2}


def test_a_source_face_that_cannot_be_aligned_is_degenerate() -> None:
    with pytest.raises(DegenerateFace) as caught:
        swap(Fakes().pipeline(), SwapOptions(), sources=[source("red", RED, [degenerate_face(), RIGHT])])

    assert caught.value.details == {"picture": "the red", "faces": 2}


def test_a_face_that_nobody_asked_for_may_be_degenerate() -> None:
    altered = swap(Fakes().pipeline(), SwapOptions((Pair(destination_face_id=2),)), faces=[degenerate_face(), RIGHT])

    assert centre(altered.image, RIGHT) == list(RED)


# ── pixels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_destination_itself_is_not_written_to(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (100, 200, 3), np.uint8)
    before = image.copy()

    swap(Fakes().pipeline(), SwapOptions(restore=RestoreOptions()), image=image)

    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("restore", [None, RestoreOptions(), RestoreOptions(blend=0.5)])
def test_outside_the_swapped_face_every_pixel_stays(rng: np.random.Generator, restore: RestoreOptions | None) -> None:
    image = rng.integers(0, 256, (100, 200, 3), np.uint8)

    altered = swap(Fakes().pipeline(), SwapOptions(restore=restore), image=image)

    np.testing.assert_array_equal(altered.image[:, 100:], image[:, 100:])
    assert (altered.image[:, :100] != image[:, :100]).any()


def test_small_faces_take_the_small_template_and_large_ones_the_large() -> None:
    fakes = Fakes()

    swap(
        fakes.pipeline(), SwapOptions((Pair(destination_face_id="all"),)), faces=[face_at(5, 5, 60), face_at(90, 0, 95)]
    )

    ((crops, _),) = fakes.swapper.calls
    assert [crop.image.shape[0] for crop in crops] == [SMALL.size, LARGE.size]


def test_the_identity_holds_an_embedding_only_where_there_is_an_embedder() -> None:
    with_embedder, without = Fakes(embedder=FakeEmbedder()), Fakes()

    (told,) = with_embedder.pipeline().identify_all([source("red", RED)], [Pair()], Job())
    (untold,) = without.pipeline().identify_all([source("red", RED)], [Pair()], Job())

    assert told.identity.embedding is not None
    assert untold.identity.embedding is None


def test_restoring_touches_swapped_faces_only() -> None:
    fakes = Fakes()

    altered = swap(fakes.pipeline(), SwapOptions(restore=RestoreOptions()))

    assert centre(altered.image, LEFT) == [250, 250, 250]
    assert centre(altered.image, RIGHT) == list(GREY)
    assert [one.restored for one in altered.faces] == [True, False]


def test_the_restorer_sees_the_face_swapped_already() -> None:
    fakes = Fakes()

    swap(fakes.pipeline(), SwapOptions(restore=RestoreOptions()))

    assert fakes.restorer is not None
    (crop,) = fakes.restorer.seen
    np.testing.assert_allclose(crop[48, 48], RED, atol=1)


def test_a_restored_swap_is_composited_once_with_the_swaps_own_mask() -> None:
    """Nothing of what the restorer painted shows beyond the swapper's mask, although its crop is wider."""
    swapped = swap(Fakes().pipeline(), SwapOptions())
    restored = swap(Fakes().pipeline(), SwapOptions(restore=RestoreOptions()))

    changed_by_swap = (swapped.image != GREY).any(axis=2)
    changed_by_both = (restored.image != GREY).any(axis=2)
    rows, columns = np.nonzero(changed_by_swap)
    beyond = changed_by_both.copy()
    beyond[rows.min() - 2 : rows.max() + 3, columns.min() - 2 : columns.max() + 3] = False
    assert changed_by_both.any()
    assert not beyond.any()


@pytest.mark.parametrize(("blend", "expected"), [(0.0, 200), (0.5, 225), (1.0, 250)])
def test_blend_lies_between_the_swap_and_the_restorers_answer(blend: float, expected: int) -> None:
    altered = swap(Fakes().pipeline(), SwapOptions(restore=RestoreOptions(blend=blend)))

    assert abs(centre(altered.image, LEFT)[0] - expected) <= 1


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_upscale_enlarges_the_whole_picture(scale: Upscale) -> None:
    altered = swap(Fakes().pipeline(), SwapOptions(upscale=scale))

    assert altered.image.shape == (100 * scale, 200 * scale, 3)
    assert centre(altered.image, LEFT, scale) == list(RED)


def test_the_picture_is_enlarged_after_all_faces_are_done() -> None:
    fakes = Fakes()

    swap(fakes.pipeline(), SwapOptions(restore=RestoreOptions(), upscale=2))

    assert fakes.upsampler is not None
    (seen,) = fakes.upsampler.seen
    assert centre(seen, LEFT) == [250, 250, 250]


def test_each_swapped_face_reports_its_stages_and_its_fit() -> None:
    altered = swap(Fakes().pipeline(), SwapOptions(restore=RestoreOptions()))

    assert list(altered.faces[0].stage_seconds) == ["swap", "restore", "paste_back"]
    assert altered.faces[0].fit == "network"
    assert altered.faces[1].stage_seconds == {}


def test_the_time_of_one_picture_does_not_count_for_the_next_picture_of_the_request() -> None:
    pipeline, job, options = Fakes().pipeline(), Job(), SwapOptions()
    job.add(StageRun("swap", 0.0, 1000.0))
    givers = pipeline.identify_all([source("red", RED)], options.pairs, job)

    altered = pipeline.swap(party([LEFT]), givers, options, job)

    assert altered.faces[0].stage_seconds["swap"] < 1000.0


# ── how alike ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_tells_how_alike_each_swapped_face_was_to_its_source_and_is_now() -> None:
    fakes = Fakes(embedder=FakeEmbedder())
    pairs = (Pair("red", 1, 1), Pair("blue", 1, 2))

    altered = swap(
        fakes.pipeline(),
        SwapOptions(pairs, report=True),
        sources=[source("red", RED), source("blue", BLUE)],
        image=two_coloured(GREEN, BLUE),
    )

    similarities = [(one.similarity_before, one.similarity_after) for one in altered.faces]
    np.testing.assert_allclose(similarities, [(0.0, 1.0), (1.0, 1.0)], atol=1e-3)  # type: ignore[arg-type]
    assert list(altered.faces[0].stage_seconds) == ["swap", "paste_back", "identify"]


def test_a_face_that_was_not_swapped_is_not_compared() -> None:
    fakes = Fakes(embedder=FakeEmbedder())

    altered = swap(fakes.pipeline(), SwapOptions((Pair(destination_face_id=2),), report=True))

    similarities = [(one.similarity_before is None, one.similarity_after is None) for one in altered.faces]
    assert similarities == [(True, True), (False, False)]
    assert fakes.embedder is not None
    assert len(fakes.embedder.seen) == 3  # the source, and the face before and after


def test_the_finished_face_is_compared_restored_but_not_yet_enlarged() -> None:
    fakes = Fakes(embedder=FakeEmbedder(), restorer=FakeRestorer(paint=lambda crop: np.full_like(crop, GREEN)))

    altered = swap(fakes.pipeline(), SwapOptions(restore=RestoreOptions(), upscale=2, report=True), image=plain(RED))

    face = altered.faces[0]
    assert face.similarity_before == pytest.approx(1.0)
    assert face.similarity_after == pytest.approx(0.0, abs=1e-3)


def test_faces_are_compared_on_the_finished_picture_when_a_neighbour_covers_them() -> None:
    fakes = Fakes(embedder=FakeEmbedder())
    pairs = (Pair("red", 1, 1), Pair("blue", 1, 2))

    altered = swap(
        fakes.pipeline(),
        SwapOptions(pairs, report=True),
        faces=[face_at(40, 20), face_at(44, 20)],
        sources=[source("red", RED), source("blue", BLUE)],
    )

    covered = altered.faces[0].similarity_after
    assert covered is not None
    assert covered < 0.2


@pytest.mark.parametrize(
    ("embedder", "report", "runs"), [(FakeEmbedder(), False, 1), (None, True, 0)], ids=["not_asked", "no_embedder"]
)
def test_nothing_is_compared_where_nobody_asks_or_nothing_can_tell(
    embedder: FakeEmbedder | None, *, report: bool, runs: int
) -> None:
    altered = swap(Fakes(embedder=embedder).pipeline(), SwapOptions(report=report))

    assert [(one.similarity_before, one.similarity_after) for one in altered.faces] == [(None, None)] * 2
    assert "identify" not in altered.faces[0].stage_seconds
    assert len(embedder.seen if embedder else []) == runs


def test_comparing_is_accounted_as_identifying() -> None:
    pipeline, job, options = Fakes(embedder=FakeEmbedder()).pipeline(), Job(), SwapOptions(report=True)
    givers = pipeline.identify_all([source("red", RED)], options.pairs, job)
    before = job.stage_seconds["identify"]

    pipeline.swap(party([LEFT]), givers, options, job)

    assert job.stage_seconds["identify"] > before


# ── enhance ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_enhance_restores_every_face_and_enlarges() -> None:
    altered = Fakes().pipeline().enhance(party([LEFT, RIGHT]), EnhanceOptions(), Job())

    assert altered.image.shape == (200, 400, 3)
    assert [centre(altered.image, face, 2) for face in (LEFT, RIGHT)] == [[250] * 3, [250] * 3]
    assert altered.image[0, 0].tolist() == list(GREY)
    assert [(one.id, one.restored, one.swapped) for one in altered.faces] == [(1, True, False), (2, True, False)]


def test_enhance_without_restoring_leaves_faces_alone() -> None:
    fakes = Fakes()

    altered = fakes.pipeline().enhance(party([LEFT]), EnhanceOptions(None, 1), Job())

    np.testing.assert_array_equal(altered.image, plain(GREY))
    assert [one.restored for one in altered.faces] == [False]


def test_enhance_with_blend_zero_keeps_the_picture() -> None:
    altered = Fakes().pipeline().enhance(party([LEFT]), EnhanceOptions(RestoreOptions(blend=0.0), 1), Job())

    np.testing.assert_array_equal(altered.image, plain(GREY))


def test_a_face_too_small_to_align_is_not_counted_as_restored() -> None:
    altered = Fakes().pipeline().enhance(party([degenerate_face(), RIGHT]), EnhanceOptions(), Job())

    assert [one.restored for one in altered.faces] == [False, True]


# ── what a recipe cannot do ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fakes", "options", "field", "available"),
    [
        (Fakes(restorer=None), SwapOptions(restore=RestoreOptions()), "restore", []),
        (Fakes(restorer=None), EnhanceOptions(), "restore", []),
        (Fakes(), SwapOptions(restore=RestoreOptions("gfpgan_1.4")), "restore.model", ["fake"]),
        (Fakes(upsampler=None), SwapOptions(upscale=2), "upscale", ["1"]),
        (Fakes(upsampler=FakeUpsampler(scales=(2,))), EnhanceOptions(upscale=4), "upscale", ["1", "2"]),
    ],
)
def test_what_the_recipe_lacks_is_an_unsupported_option(
    fakes: Fakes, options: SwapOptions | EnhanceOptions, field: str, available: list[str]
) -> None:
    with pytest.raises(UnsupportedOption) as caught:
        fakes.pipeline().check(options, "instances[1].")

    assert caught.value.details == {"field": f"instances[1].{field}", "available": available}


@pytest.mark.parametrize("model", [None, "fake"])
def test_the_recipes_own_restorer_may_be_named(model: str | None) -> None:
    Fakes().pipeline().check(SwapOptions(restore=RestoreOptions(model), upscale=4))


# ── whether a trained network had a hand in it ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fakes", "options", "trained"),
    [
        (Fakes(), SwapOptions(restore=RestoreOptions(), upscale=2), False),
        (Fakes(swapper=FakeSwapper(trained=True)), SwapOptions(), True),
        (Fakes(restorer=FakeRestorer(trained=True)), SwapOptions(), False),
        (Fakes(restorer=FakeRestorer(trained=True)), SwapOptions(restore=RestoreOptions()), True),
        (Fakes(upsampler=FakeUpsampler(trained=True)), SwapOptions(), False),
        (Fakes(upsampler=FakeUpsampler(trained=True)), SwapOptions(upscale=2), True),
    ],
)
def test_a_swap_is_trained_where_a_trained_stage_made_pixels(
    fakes: Fakes, options: SwapOptions, *, trained: bool
) -> None:
    assert swap(fakes.pipeline(), options).trained is trained


@pytest.mark.parametrize(
    ("fakes", "faces", "upscale", "trained"),
    [
        (Fakes(swapper=FakeSwapper(trained=True)), [LEFT], 2, False),
        (Fakes(restorer=FakeRestorer(trained=True)), [LEFT], 1, True),
        (Fakes(restorer=FakeRestorer(trained=True)), [], 1, False),
        (Fakes(restorer=FakeRestorer(trained=True)), [degenerate_face()], 1, False),
        (Fakes(upsampler=FakeUpsampler(trained=True)), [], 2, True),
    ],
)
def test_an_enhancement_is_trained_where_a_trained_stage_made_pixels(
    fakes: Fakes, faces: list[Face], upscale: Upscale, *, trained: bool
) -> None:
    options = EnhanceOptions(RestoreOptions(), upscale)

    assert fakes.pipeline().enhance(party(faces), options, Job()).trained is trained


# ── answers that cannot be right ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fakes", "stage"),
    [
        (Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop[:-1])), "swap"),
        (Fakes(swapper=FakeSwapper(paint=lambda crop, _: crop.astype(np.float32))), "swap"),
        (Fakes(swapper=FakeSwapper(mask=lambda size: np.full((size, size), np.nan, np.float32))), "swap"),
        (Fakes(swapper=FakeSwapper(mask=lambda size: np.ones((size, size - 1), np.float32))), "swap"),
        (Fakes(restorer=FakeRestorer(paint=lambda crop: crop[..., :1])), "restore"),
        (Fakes(upsampler=FakeUpsampler(enlarge=lambda image, _: image)), "upsample"),
    ],
)
def test_an_answer_that_cannot_be_right_fails_the_stage_that_gave_it(fakes: Fakes, stage: str) -> None:
    with pytest.raises(StageFailed, match=f"^{stage}: "):
        swap(fakes.pipeline(), SwapOptions(restore=RestoreOptions(), upscale=2))


# ── giving up ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_work_is_dropped_between_stages_once_nobody_waits() -> None:
    job = Job()

    def abandoning(crop: Image, _: object) -> Image:
        job.abandon()
        return crop

    fakes = Fakes(swapper=FakeSwapper(paint=abandoning))
    pipeline, options = fakes.pipeline(), SwapOptions(restore=RestoreOptions(), upscale=2)
    givers = pipeline.identify_all([source("red", RED)], options.pairs, job)

    with pytest.raises(DeadlineExceeded):
        pipeline.swap(party([LEFT]), givers, options, job)

    assert fakes.restorer is not None
    assert fakes.upsampler is not None
    assert (len(fakes.swapper.calls), fakes.restorer.seen, fakes.upsampler.seen) == (1, [], [])


def test_an_enlargement_is_dropped_between_its_parts_once_nobody_waits() -> None:
    job = Job()

    def abandoning(image: Image, scale: int) -> Image:
        job.abandon()
        return image.repeat(scale, axis=0).repeat(scale, axis=1)

    pipeline = Fakes(upsampler=FakeUpsampler(enlarge=abandoning)).pipeline()

    with pytest.raises(DeadlineExceeded):
        pipeline.enhance(party([LEFT]), EnhanceOptions(None, 2), job)


def test_nothing_is_detected_for_nobody() -> None:
    fakes, job = Fakes(), Job()
    job.abandon()

    with pytest.raises(DeadlineExceeded):
        fakes.pipeline().find_faces(plain(GREY), "party.jpg", job)

    assert fakes.detector.seen == []


def test_a_face_beyond_the_pictures_edge_is_swapped_where_it_shows() -> None:
    cut = face_at(-20, 20)

    altered = swap(Fakes().pipeline(), SwapOptions(), faces=[cut, RIGHT])

    assert altered.image[50, 10].tolist() == list(RED)
    assert cut.box == Box(-20, 20, 40, 80)
