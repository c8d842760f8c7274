from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from predictor import service as service_module
from predictor.destinations import Destination, Destinations
from predictor.errors import (
    DeadlineExceeded,
    DegenerateFace,
    FaceIndexOutOfRange,
    ImageTooLarge,
    InvalidField,
    InvalidRequest,
    NoFaceFound,
    OutputTooLarge,
    TooManyFaces,
    UndecodableImage,
    UnknownDestination,
    UnsupportedImage,
    UnsupportedOption,
)
from predictor.faces import Face, Image
from predictor.imaging.codec import decode
from predictor.job import Job
from predictor.options import EnhanceOptions, OutputFormat, OutputOptions, Pair, RestoreOptions, SwapOptions, Upscale
from predictor.policy.provenance import read_mark
from predictor.requests import DetectRequest, EncodedPicture, EnhanceRequest, Skipped, SwapAnswer, SwapRequest
from predictor.service import Service, Subjects
from predictor.settings import Settings
from tests.unit.fakes import (
    FakeDetector,
    FakeEmbedder,
    FakeRestorer,
    Fakes,
    FakeSwapper,
    degenerate_face,
    face_at,
    plain,
)

# The fake detector tells pictures apart by the red of their first pixel.
NOBODY, ONE, TWO, SPOT, SOURCE = 10, 20, 30, 40, 200
FACES: dict[int, Sequence[Face]] = {
    NOBODY: [],
    ONE: [face_at(10, 20)],
    TWO: [face_at(10, 20), face_at(120, 20)],
    SPOT: [degenerate_face()],
    SOURCE: [face_at(10, 20)],
}


def png(red: int, width: int = 200, height: int = 100) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(plain((red, 0, 0), height, width)).save(buffer, "png")
    return buffer.getvalue()


def source(field: str = "image", red: int = SOURCE, **size: int) -> EncodedPicture:
    return EncodedPicture("image", png(red, **size), field)


def destination(name: str, red: int = ONE, field: str = "destinations[0].image", **size: int) -> EncodedPicture:
    return EncodedPicture(name, png(red, **size), field)


def preloaded(**reds: int) -> dict[str, Destination]:
    return {
        f"{name}.png": Destination(f"{name}.png", decode(png(red), name, 10**6), FACES[red])
        for name, red in reds.items()
    }


class Bench:
    """A service over fakes, that remembers what was decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fakes = Fakes(FakeDetector(FACES))
        self.decoded: list[str] = []
        monkeypatch.setattr(service_module, "decode", self._decode)

    def _decode(self, data: bytes, field: str, max_pixels: int) -> object:
        self.decoded.append(field)
        return decode(data, field, max_pixels)

    def service(
        self,
        loaded: dict[str, Destination] | None = None,
        rejected: dict[str, InvalidRequest] | None = None,
        max_faces: int = 100,
        **limits: int,
    ) -> Service:
        pipeline = self.fakes.pipeline(max_faces)
        return Service(pipeline, Destinations(loaded or {}, rejected or {}), Settings.model_validate(limits))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def swap(service: Service, *requests: SwapRequest, subjects: Subjects | None = None) -> list[SwapAnswer]:
    job = Job()
    return service.swap_all(service.read_swaps(requests, job, subjects), job)


def names(answer: SwapAnswer) -> list[str]:
    return [altered.name for altered in answer.pictures]


def red_at(image: Image, x: int, y: int) -> int:
    return int(image[y, x, 0])


# ── what is swapped ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_destination_that_was_sent_is_swapped_in_order(bench: Bench) -> None:
    (answer,) = swap(bench.service(), SwapRequest([source()], [destination("b"), destination("a")]))

    assert names(answer) == ["b", "a"]
    assert all(red_at(one.picture.image, 40, 50) == SOURCE for one in answer.pictures)
    assert (answer.faces_in_source, answer.skipped) == (1, [])


def test_without_destinations_every_preloaded_one_is_swapped_in_name_order(bench: Bench) -> None:
    (answer,) = swap(bench.service(preloaded(b=ONE, a=TWO)), SwapRequest([source()]))

    assert names(answer) == ["a.png", "b.png"]


def test_a_preloaded_picture_is_swapped_by_name_and_stays_as_it_was(bench: Bench) -> None:
    loaded = preloaded(a=ONE, b=ONE)

    (answer,) = swap(bench.service(loaded), SwapRequest([source()], ["b.png"]))

    assert names(answer) == ["b.png"]
    assert red_at(loaded["b.png"].picture.image, 40, 50) == ONE


def test_faces_of_preloaded_pictures_are_not_looked_for_again(bench: Bench) -> None:
    swap(bench.service(preloaded(a=ONE)), SwapRequest([source()]))

    assert [red_at(image, 0, 0) for image in bench.fakes.detector.seen] == [SOURCE]


def test_pictures_that_requests_share_are_decoded_and_analysed_once(bench: Bench) -> None:
    shared = [destination("a"), destination("b", field="destinations[1].image")]
    first, second = source("image[0]"), source("image[1]")

    answers = swap(bench.service(), SwapRequest([first], shared), SwapRequest([second], shared))

    assert sorted(bench.decoded) == ["destinations[0].image", "destinations[1].image", "image[0]", "image[1]"]
    assert len(bench.fakes.detector.seen) == 4
    assert [names(answer) for answer in answers] == [["a", "b"], ["a", "b"]]


def test_what_is_decoded_already_can_be_handed_in(bench: Bench) -> None:
    service, one, known = bench.service(), source(), dict[EncodedPicture, Any]()

    swap(service, SwapRequest([one], [destination("a")]), subjects=known)
    swap(service, SwapRequest([one], [destination("b")]), subjects=known)

    assert bench.decoded.count("image") == 1
    assert len(bench.fakes.detector.seen) == 3


def test_several_sources_are_told_apart_by_their_names(bench: Bench) -> None:
    me, you = EncodedPicture("me", png(SOURCE), "sources[0].image"), EncodedPicture("you", png(ONE), "sources[1].image")
    options = SwapOptions((Pair("you", 1, 1), Pair("me", 1, 2)))

    (answer,) = swap(bench.service(), SwapRequest([me, you], [destination("a", TWO)], options))

    image = answer.pictures[0].picture.image
    assert (red_at(image, 40, 50), red_at(image, 150, 50)) == (ONE, SOURCE)


def test_the_faces_of_the_first_source_are_counted(bench: Bench) -> None:
    couple = EncodedPicture("couple", png(TWO), "sources[0].image")

    (answer,) = swap(bench.service(), SwapRequest([couple, source("sources[1].image")], [destination("a")]))

    assert answer.faces_in_source == 2


@pytest.mark.parametrize("report", [True, False])
def test_faces_are_compared_with_their_source_only_where_the_request_asks_for_a_report(
    bench: Bench, *, report: bool
) -> None:
    bench.fakes.embedder = FakeEmbedder()
    request = SwapRequest([source()], [destination("a")], SwapOptions(report=report))

    (answer,) = swap(bench.service(), request)

    (face,) = answer.pictures[0].faces
    assert request.report is report
    assert (face.similarity_before is not None, face.similarity_after is not None) == (report, report)
    assert len(bench.fakes.embedder.seen) == (3 if report else 1)


def test_a_source_that_requests_share_is_recognised_once_for_the_same_pairs(bench: Bench) -> None:
    bench.fakes.embedder = FakeEmbedder()
    service, one, known = bench.service(), source(red=TWO), Subjects()

    for pairs in [(Pair(None, 1, 1),), (Pair(None, 1, 1),), (Pair(None, 2, 1),)]:
        swap(service, SwapRequest([one], [destination("a")], SwapOptions(pairs)), subjects=known)

    assert len(bench.fakes.embedder.seen) == 2


def test_a_source_read_ahead_is_not_analysed_again(bench: Bench) -> None:
    bench.fakes.embedder = FakeEmbedder()
    service, one, options = bench.service(), source(), SwapOptions()

    known = service.read_source(one, options, Job())
    for name in ("a", "b"):
        swap(service, SwapRequest([one], [destination(name)], options), subjects=known)

    assert bench.decoded.count("image") == 1
    assert len(bench.fakes.detector.seen) == 3
    assert len(bench.fakes.embedder.seen) == 1


@pytest.mark.parametrize(
    ("red", "options", "limit", "error"),
    [
        (NOBODY, SwapOptions(), 10**6, NoFaceFound),
        (ONE, SwapOptions((Pair(None, 2, 1),)), 10**6, FaceIndexOutOfRange),
        (ONE, SwapOptions(restore=RestoreOptions("other")), 10**6, UnsupportedOption),
        (ONE, SwapOptions(), 100, ImageTooLarge),
    ],
)
def test_a_source_that_cannot_give_a_face_is_refused_when_it_is_read_ahead(
    bench: Bench, red: int, options: SwapOptions, limit: int, error: type[InvalidRequest]
) -> None:
    with pytest.raises(error):
        bench.service(limit_pixels=limit).read_source(source(red=red), options, Job())


# ── skipped or an error ───────────────────────────────────────────────────────────────────────────────────────────────

SECOND = SwapOptions((Pair(destination_face_id=2),))


def test_a_preloaded_picture_without_the_asked_face_is_skipped(bench: Bench) -> None:
    service = bench.service(preloaded(a=NOBODY, b=ONE, c=TWO, d=SPOT))

    (answer,) = swap(service, SwapRequest([source()], None, SECOND))

    assert names(answer) == ["c.png"]
    assert [(one.name, one.error.code) for one in answer.skipped] == [
        ("a.png", "no_face_found"),
        ("b.png", "face_index_out_of_range"),
        ("d.png", "face_index_out_of_range"),
    ]


def test_a_preloaded_picture_with_a_face_that_cannot_be_aligned_is_skipped(bench: Bench) -> None:
    (answer,) = swap(bench.service(preloaded(a=SPOT, b=ONE)), SwapRequest([source()]))

    assert [(one.name, type(one.error)) for one in answer.skipped] == [("a.png", DegenerateFace)]


def test_a_skipped_picture_keeps_no_frame_of_the_request_alive(bench: Bench) -> None:
    (answer,) = swap(bench.service(preloaded(a=SPOT, b=ONE)), SwapRequest([source()]))

    error = answer.skipped[0].error
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


@pytest.mark.parametrize("asked", [["a.png"], ["c.png", "a.png"]])
def test_a_picture_that_the_client_named_is_an_error_and_not_skipped(bench: Bench, asked: list[str]) -> None:
    service = bench.service(preloaded(a=ONE, c=TWO))

    with pytest.raises(FaceIndexOutOfRange) as caught:
        swap(service, SwapRequest([source()], asked, SECOND))

    assert caught.value.details == {"picture": "a.png", "faces": 1}


def test_a_picture_that_the_client_sent_is_an_error_and_not_skipped(bench: Bench) -> None:
    with pytest.raises(NoFaceFound) as caught:
        swap(bench.service(), SwapRequest([source()], [destination("a", NOBODY)]))

    assert caught.value.details == {"picture": "a", "faces": 0}


def test_all_skipped_is_the_error_of_the_first_one_not_of_a_broken_file(bench: Bench) -> None:
    service = bench.service(preloaded(b=ONE, c=NOBODY), {"a.png": UndecodableImage("a.png")})

    with pytest.raises(FaceIndexOutOfRange) as caught:
        swap(service, SwapRequest([source()], None, SECOND))

    assert caught.value.details == {"picture": "b.png", "faces": 1}


def test_files_that_could_not_be_loaded_are_listed_under_every_preloaded_one(bench: Bench) -> None:
    broken = UndecodableImage("broken.png")
    service = bench.service(preloaded(a=ONE), {"broken.png": broken})

    (every,) = swap(service, SwapRequest([source()]))
    (named,) = swap(service, SwapRequest([source()], ["a.png"]))

    assert every.skipped == [Skipped("broken.png", broken)]
    assert named.skipped == []


def test_a_source_without_the_asked_face_is_an_error_even_with_preloaded_pictures(bench: Bench) -> None:
    with pytest.raises(NoFaceFound) as caught:
        swap(bench.service(preloaded(a=ONE)), SwapRequest([source(red=NOBODY)]))

    assert caught.value.details == {"picture": "image", "faces": 0}


def test_too_many_faces_on_a_picture_is_an_error(bench: Bench) -> None:
    with pytest.raises(TooManyFaces):
        swap(bench.service(max_faces=1), SwapRequest([source()], [destination("a", TWO)]))


# ── what is wrong is named, with its instance ─────────────────────────────────────────────────────────────────────────


def test_a_face_that_is_missing_is_named_with_its_instance(bench: Bench) -> None:
    fine = SwapRequest([source()], [destination("a")], field="instances[0].")
    bad = SwapRequest([source()], [destination("a", NOBODY)], field="instances[1].")

    with pytest.raises(NoFaceFound) as caught:
        swap(bench.service(), fine, bad)

    assert caught.value.details["picture"] == "instances[1].a"


def test_an_option_that_is_not_supported_is_named_with_its_instance(bench: Bench) -> None:
    options = SwapOptions(restore=RestoreOptions("gfpgan_1.4"))

    with pytest.raises(UnsupportedOption) as caught:
        swap(bench.service(), SwapRequest([source()], [destination("a")], options, field="instances[1]."))
    request = EnhanceRequest(source(), EnhanceOptions(RestoreOptions("gfpgan_1.4")), field="instances[2].")
    with pytest.raises(UnsupportedOption) as enhancing:
        bench.service().read_enhances([request], Job())

    assert caught.value.details["field"] == "instances[1].restore.model"
    assert enhancing.value.details["field"] == "instances[2].restore.model"


def test_no_destinations_at_all_are_missing(bench: Bench) -> None:
    with pytest.raises(InvalidField) as caught:
        swap(bench.service(), SwapRequest([source()], field="instances[1]."))

    assert caught.value.details == {"field": "instances[1].destinations"}


def test_a_name_that_is_not_preloaded_is_unknown_before_anything_is_decoded(bench: Bench) -> None:
    with pytest.raises(UnknownDestination, match=r"^instances\[2\]\.destinations: .*b\.png") as caught:
        swap(bench.service(preloaded(a=ONE)), SwapRequest([source()], ["b.png"], field="instances[2]."))

    assert caught.value.details == {"destination": "b.png"}
    assert bench.decoded == []


@pytest.mark.parametrize(
    ("data", "kind"), [(b"no picture", UndecodableImage), (b"8BPS\x00\x01" + bytes(40), UnsupportedImage)]
)
def test_a_picture_that_is_none_is_named_by_its_field(bench: Bench, data: bytes, kind: type[InvalidRequest]) -> None:
    bad = EncodedPicture("a", data, "instances[2].destinations[0].image")

    with pytest.raises(kind) as caught:
        swap(bench.service(), SwapRequest([source()], [bad]))

    assert caught.value.details["field"] == "instances[2].destinations[0].image"
    assert bench.decoded == []


# ── limits, from headers alone ────────────────────────────────────────────────────────────────────────────────────────


def test_a_picture_with_too_many_pixels_is_refused_before_anything_is_decoded(bench: Bench) -> None:
    request = SwapRequest([source()], [destination("a", width=201)])

    with pytest.raises(ImageTooLarge) as caught:
        swap(bench.service(limit_pixels=20_000), request)

    assert caught.value.details == {"field": "destinations[0].image", "limit": 20_000, "actual": 20_100}
    assert bench.decoded == []


def test_all_pictures_of_a_request_count_together(bench: Bench) -> None:
    requests = [SwapRequest([source()], [destination("a")]), SwapRequest([source()], [destination("b")])]

    with pytest.raises(ImageTooLarge) as caught:
        swap(bench.service(limit_pixels_per_request=79_999), *requests)

    assert (caught.value.details["limit"], caught.value.details["actual"]) == (79_999, 80_000)
    assert bench.decoded == []
    assert len(swap(bench.service(limit_pixels_per_request=80_000), *requests)) == 2


def test_pixels_of_16_bits_count_twice(bench: Bench) -> None:
    deep = cv2.imencode(".png", np.full((100, 200, 3), 257 * ONE, np.uint16))[1].tobytes()
    request = SwapRequest([source()], [EncodedPicture("deep", deep, "destinations[0].image")])

    with pytest.raises(ImageTooLarge, match="16 bits counted twice") as caught:
        swap(bench.service(limit_pixels_per_request=59_999), request)

    assert caught.value.details["actual"] == 60_000
    assert bench.decoded == []


def test_a_picture_that_requests_share_counts_once(bench: Bench) -> None:
    shared = [destination("a")]

    answers = swap(
        bench.service(limit_pixels_per_request=60_000), SwapRequest([source()], shared), SwapRequest([source()], shared)
    )

    assert len(answers) == 2


@pytest.mark.parametrize(
    ("requests", "pixels"),
    [
        ([SwapRequest([source()], [destination("a")], SwapOptions(upscale=2))], 80_000),
        ([SwapRequest([source()], [destination("a")], SwapOptions(upscale=4))], 320_000),
        ([SwapRequest([source()], [destination("a"), destination("b")])], 40_000),
        ([SwapRequest([source()], [destination("a")])] * 3, 60_000),
        ([SwapRequest([source()], ["one.png"], SwapOptions(upscale=2))], 80_000),
        ([SwapRequest([source()], None)], 40_000),
    ],
    ids=["upscale 2", "upscale 4", "two destinations", "three instances", "a preloaded one", "every preloaded one"],
)
def test_the_pixels_of_the_answer_are_bounded_before_anything_is_decoded(
    bench: Bench, requests: list[SwapRequest], pixels: int
) -> None:
    loaded = preloaded(one=ONE, two=TWO)

    with pytest.raises(OutputTooLarge) as caught:
        swap(bench.service(loaded, limit_output_pixels=pixels - 1), *requests)

    assert (caught.value.details["limit"], caught.value.details["actual"]) == (pixels - 1, pixels)
    assert bench.decoded == []
    assert len(swap(bench.service(loaded, limit_output_pixels=pixels), *requests)) == len(requests)


@pytest.mark.parametrize(("kind", "fits"), [("webp", False), ("png", True), ("same", True)])
def test_a_side_that_the_format_cannot_hold_is_refused_before_anything_is_decoded(
    bench: Bench,
    kind: OutputFormat,
    *,
    fits: bool,
) -> None:
    request = SwapRequest(
        [source()], [destination("a", width=8200, height=100)], SwapOptions(upscale=2), OutputOptions(kind)
    )
    service = bench.service()

    if fits:
        service.read_swaps([request], Job())
        return
    with pytest.raises(OutputTooLarge) as caught:
        service.read_swaps([request], Job())
    assert caught.value.details == {"limit": 16_383, "actual": 16_400}
    assert bench.decoded == []


def enhances(*pictures: EncodedPicture, upscale: Upscale = 2) -> list[EnhanceRequest]:
    return [EnhanceRequest(picture, EnhanceOptions(None, upscale)) for picture in pictures]


@pytest.mark.parametrize(
    ("limits", "kind", "actual"),
    [
        ({"limit_pixels": 19_999}, ImageTooLarge, 20_000),
        ({"limit_pixels_per_request": 39_999}, ImageTooLarge, 40_000),
        ({"limit_output_pixels": 159_999}, OutputTooLarge, 160_000),
        ({"limit_pixels": 19_999, "limit_output_pixels": 1}, ImageTooLarge, 20_000),
    ],
)
def test_enhances_have_the_same_limits(
    bench: Bench, limits: dict[str, int], kind: type[InvalidRequest], actual: int
) -> None:
    with pytest.raises(kind) as caught:
        bench.service(None, None, **limits).read_enhances(enhances(source(), source()), Job())

    assert caught.value.details["actual"] == actual
    assert bench.decoded == []


def test_detects_have_the_limits_of_their_pictures(bench: Bench) -> None:
    with pytest.raises(ImageTooLarge):
        bench.service(limit_pixels=19_999).read_pictures([source()], Job())

    assert bench.decoded == []


# ── enhance, detect, encode ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_enhance_restores_and_enlarges(bench: Bench) -> None:
    service, job = bench.service(), Job()
    request = EnhanceRequest(source(red=TWO))

    (picture,) = service.read_enhances([request], job)
    altered = service.enhance(request, picture, job)

    assert altered.picture.image.shape == (200, 400, 3)
    assert [report.restored for report in altered.faces] == [True, True]
    assert red_at(altered.picture.image, 80, 100) == 250


def test_a_detect_lists_faces_and_size(bench: Bench) -> None:
    service, job = bench.service(), Job()
    request = DetectRequest(source(red=TWO))

    (picture,) = service.read_pictures([request.picture], job)
    answer = service.detect(request, picture, job)

    assert (len(answer.faces), answer.width, answer.height) == (2, 200, 100)


def test_too_many_faces_in_a_detect_are_named(bench: Bench) -> None:
    service, job = bench.service(max_faces=1), Job()
    request = DetectRequest(EncodedPicture("instances[1].image", png(TWO), "instances[1].image"))
    (picture,) = service.read_pictures([request.picture], job)

    with pytest.raises(TooManyFaces) as caught:
        service.detect(request, picture, job)

    assert caught.value.details["picture"] == "instances[1].image"


TRAINED, CAPTURED = "compositeWithTrainedAlgorithmicMedia", "compositeCapture"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "same"])
@pytest.mark.parametrize(("swapper", "term"), [(FakeSwapper(), CAPTURED), (FakeSwapper(trained=True), TRAINED)])
def test_every_picture_made_says_that_it_was_altered_and_how(
    bench: Bench,
    kind: OutputFormat,
    swapper: FakeSwapper,
    term: str,
) -> None:
    bench.fakes.swapper = swapper
    service, job = bench.service(), Job()
    (answer,) = swap(service, SwapRequest([source()], [destination("a")]))

    data = service.encode(answer.pictures[0], OutputOptions(kind), job)

    assert (read_mark(data) or "").endswith("/" + term)


def test_an_enhance_without_any_effect_is_marked_as_well(bench: Bench) -> None:
    bench.fakes.restorer = FakeRestorer(trained=True)
    service, job = bench.service(), Job()
    request = EnhanceRequest(source(red=NOBODY), EnhanceOptions(RestoreOptions(), 1))
    (picture,) = service.read_enhances([request], job)

    data = service.encode(service.enhance(request, picture, job), OutputOptions(), job)

    assert (read_mark(data) or "").endswith("/" + CAPTURED)


def test_the_same_request_gives_the_same_bytes(bench: Bench) -> None:
    service = bench.service()

    def once() -> bytes:
        (answer,) = swap(service, SwapRequest([source()], [destination("a")]))
        return service.encode(answer.pictures[0], OutputOptions("jpeg"), Job())

    assert once() == once()


# ── giving up ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(service: Service) -> Iterable[Callable[[Job], object]]:
    (answer,) = swap(service, SwapRequest([source()], [destination("a")]))
    works = service.read_swaps([SwapRequest([source()], [destination("a")])], Job())
    yield lambda job: service.read_swaps([SwapRequest([source()], [destination("a")])], job)
    yield lambda job: service.read_pictures([source()], job)
    yield lambda job: service.read_enhances(enhances(source()), job)
    yield lambda job: service.swap_all(works, job)
    yield lambda job: service.encode(answer.pictures[0], OutputOptions(), job)


def test_no_step_works_for_nobody(bench: Bench) -> None:
    abandoned = Job()
    abandoned.abandon()

    for step in _steps(bench.service()):
        bench.decoded.clear()
        with pytest.raises(DeadlineExceeded):
            step(abandoned)
        assert bench.decoded == []


def test_the_time_of_every_step_is_accounted_for(bench: Bench) -> None:
    service, job = bench.service(), Job()
    works = service.read_swaps([SwapRequest([source()], [destination("a")], SwapOptions(upscale=2))], job)
    (answer,) = service.swap_all(works, job)
    service.encode(answer.pictures[0], OutputOptions(), job)

    assert list(job.stage_seconds) == ["decode", "detect", "identify", "swap", "paste_back", "upsample", "encode"]


# ── the account ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_swap_has_done_is_counted(bench: Bench) -> None:
    service, job = bench.service(), Job()
    options = SwapOptions(restore=RestoreOptions("fake"), upscale=2)
    request = SwapRequest([source(red=TWO)], [destination("a"), destination("b", TWO)], options)

    (answer,) = service.swap_all(service.read_swaps([request], job), job)
    for altered in answer.pictures:
        service.encode(altered, OutputOptions(), job)

    assert job.counts == {
        ("pixels_decoded", ""): 3 * 20_000,
        ("faces_found", ""): 2 + 1 + 2,
        ("faces_swapped", ""): 2,
        ("faces_restored", ""): 2,
        ("pixels_encoded", ""): 2 * 80_000,
    }


def test_skipped_pictures_are_counted_by_their_reasons_even_if_none_is_left(bench: Bench) -> None:
    service, job = bench.service(preloaded(a=NOBODY, b=SPOT), {"c.png": UndecodableImage("c.png")}), Job()

    with pytest.raises(NoFaceFound):
        service.swap_all(service.read_swaps([SwapRequest([source()])], job), job)

    skipped = {label: count for (what, label), count in job.counts.items() if what == "pictures_skipped"}
    assert skipped == {"no_face_found": 1, "degenerate_face": 1, "undecodable_image": 1}


@pytest.mark.parametrize(("restore", "skipped"), [(RestoreOptions("fake"), 1), (None, 0)])
def test_a_face_that_cannot_be_restored_is_counted_with_its_reason(
    bench: Bench, restore: RestoreOptions | None, skipped: int
) -> None:
    service, job = bench.service(), Job()
    request = EnhanceRequest(source(red=SPOT), EnhanceOptions(restore, 2))

    (picture,) = service.read_enhances([request], job)
    service.enhance(request, picture, job)

    assert job.counts.get(("faces_skipped", "degenerate_face"), 0) == skipped
    assert job.counts["faces_found", ""] == 1


def test_a_picture_with_transparency_keeps_it(bench: Bench) -> None:
    rgba = np.dstack([plain((ONE, 0, 0)), np.full((100, 200), 77, np.uint8)])
    buffer = io.BytesIO()
    PillowImage.fromarray(rgba).save(buffer, "png")
    service = bench.service()

    (answer,) = swap(service, SwapRequest([source()], [EncodedPicture("a", buffer.getvalue(), "a")]))
    data = service.encode(answer.pictures[0], OutputOptions(), Job())

    alpha = decode(data, "a", 10**6).alpha
    assert alpha is not None
    assert (alpha == 77).all()
