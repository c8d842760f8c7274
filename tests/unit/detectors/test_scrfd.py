"""SCRFD finds what its network says, where insightface's own class finds it; no answer is trusted that cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from insightface.model_zoo.scrfd import SCRFD

from predictor.detectors.ladder import LADDER
from predictor.detectors.scrfd import Scrfd, scrfd_network
from predictor.errors import StageFailed, StartupError
from predictor.faces import Box, Face, Image, Landmarks
from predictor.imaging.alignment import FFHQ_512
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Node, Session, Tensor
from predictor.stand_ins import mark, write

_STRIDES = (8, 16, 32)
_WIDTHS = (1, 4, 10)
_FACE = FFHQ_512.scaled(75)
"""Landmarks about 75 pixels of face, as the second look shows them."""


def _face(x: float, y: float, size: float, score: float = 0.9) -> Face:
    """An upright face, its centre at a point."""
    points = (_FACE.points - (37, 37)) * (size / 75) + (x, y)
    box = Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Face(box, points.astype(np.float32), score)


@dataclass
class _Network:
    """Answers as SCRFD does, faces planted in its nine outputs; `plant` gives them in pixels of what it sees."""

    plant: Callable[[int], Sequence[Face]] = lambda _: ()
    stride: int = 16
    spoil: Callable[[list[Tensor]], None] = lambda _: None
    outputs: int = 9
    fed: list[Tensor] = field(default_factory=list)

    @property
    def sides(self) -> list[int]:
        return [pixels.shape[3] for pixels in self.fed]

    def get_inputs(self) -> Sequence[Node]:
        return [SimpleNamespace(name="input.1", shape=[1, 3, "?", "?"])]

    def get_outputs(self) -> Sequence[Node]:
        return [SimpleNamespace(name=str(number), shape=["n", 1]) for number in range(self.outputs)]

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names == [str(number) for number in range(9)]
        (pixels,) = input_feed.values()
        self.fed.append(pixels)
        side = pixels.shape[3]
        rng = np.random.default_rng(0)  # as nothing in a real answer is constant
        answers = [
            rng.uniform(0.01, 0.02, ((side // stride) ** 2 * 2, width)).astype(np.float32)
            for width in _WIDTHS
            for stride in _STRIDES
        ]
        for number, face in enumerate(self.plant(side)):
            self._put(answers, face, side, number)
        self.spoil(answers)
        return answers

    def _put(self, answers: list[Tensor], face: Face, side: int, number: int) -> None:
        level = _STRIDES.index(self.stride)
        cells = side // self.stride
        column, row = (min(round(float(x) / self.stride), cells - 1) for x in face.landmarks.mean(axis=0))
        anchor = np.array([column, row]) * self.stride
        cell = (row * cells + column) * 2 + number % 2  # two anchors: two faces may share a cell
        corners = np.array([(face.box.left, face.box.top), (face.box.right, face.box.bottom)])
        answers[level][cell] = face.score
        answers[level + 3][cell] = np.concatenate([anchor - corners[0], corners[1] - anchor]) / self.stride
        answers[level + 6][cell] = (face.landmarks - anchor).ravel() / self.stride


def _scaled(face: Face, scale: float) -> Face:
    box = Box(*(side * scale for side in (face.box.left, face.box.top, face.box.right, face.box.bottom)))
    return Face(box, (face.landmarks * scale).astype(np.float32), face.score)


def _in_sizes(faces: Mapping[int, Sequence[Face]], long_side: int) -> Callable[[int], Sequence[Face]]:
    """Plant faces of a picture in what the network sees of it at certain sizes."""
    return lambda side: [_scaled(face, side / long_side) for face in faces.get(side, ())]


def _assert_same(found: Face, face: Face) -> None:
    found_box, box = ((one.box.left, one.box.top, one.box.right, one.box.bottom) for one in (found, face))
    np.testing.assert_allclose(found_box, box, atol=0.01)
    np.testing.assert_allclose(found.landmarks, face.landmarks, atol=0.01)
    assert found.score == pytest.approx(face.score)


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(1).integers(0, 256, (960, 1280, 3), np.uint8)


@pytest.mark.parametrize("stride", _STRIDES)
@pytest.mark.parametrize("side", [128, 640])
def test_a_face_is_found_at_its_pixel_at_every_stride_in_both_sizes(picture: Image, stride: int, side: int) -> None:
    face = _face(700.3, 411.7, 260)
    network = _Network(_in_sizes({side: [face]}, 1280), stride)

    (found,) = Scrfd(network).detect(picture)

    _assert_same(found, face)
    assert found.detected_by == "plain"
    assert network.sides == [128, 640]


def test_a_picture_higher_than_wide_is_scaled_by_its_height(picture: Image) -> None:
    face = _face(411.7, 700.3, 260)

    (found,) = Scrfd(_Network(_in_sizes({640: [face]}, 1280))).detect(picture.transpose(1, 0, 2))

    _assert_same(found, face)


def test_what_both_sizes_see_is_one_face_the_surer_one(picture: Image) -> None:
    sure, unsure = _face(700, 410, 260, 0.95), _face(712, 400, 250, 0.7)

    (found,) = Scrfd(_Network(_in_sizes({128: [unsure], 640: [sure]}, 1280))).detect(picture)

    _assert_same(found, sure)


def test_faces_that_overlap_by_less_than_two_fifths_are_two(picture: Image) -> None:
    left, right = _face(600, 410, 260, 0.9), _face(720, 410, 260, 0.8)  # 0.37 of their union

    found = Scrfd(_Network(_in_sizes({640: [left, right]}, 1280))).detect(picture)

    assert [face.score for face in found] == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize(("score", "count"), [(0.49, 0), (0.5, 1)])
def test_a_face_counts_from_half_sure_on(picture: Image, score: float, count: int) -> None:
    network = _Network(lambda side: [_scaled(_face(700, 410, 260, score), side / 1280)] if side == 640 else [])

    assert len(Scrfd(network).detect(picture)) == count


@pytest.mark.parametrize(
    ("size", "step"), [(1280, "larger"), (320, "padded")], ids=["a larger canvas", "a padded canvas"]
)
def test_where_the_plain_picture_shows_nothing_the_ladder_is_climbed(picture: Image, size: int, step: str) -> None:
    def plant(side: int) -> list[Face]:
        middle = side / 2 if side == 128 else 0.45 * side  # the second look has what it looks at in its middle
        return [_face(middle - 0.5, middle - 0.5, 75)] if side == size or size in network.sides else []

    network = _Network(plant)

    (found,) = Scrfd(network).detect(picture)

    assert found.detected_by == step
    assert network.sides[-1] == 128
    assert [side for side in network.sides if side != 128][-1] == size


def test_every_view_is_tried_in_squares_of_four_sizes_before_there_is_no_face(picture: Image) -> None:
    network = _Network()

    assert Scrfd(network).detect(picture) == []
    assert network.sides == [128, 640, *(view.long_side for view in LADDER[1:])]
    assert {pixels.shape[2:] for pixels in network.fed} == {(side, side) for side in (128, 320, 640, 1280)}


@pytest.mark.parametrize("size", [(64, 64), (37, 301), (500, 4000), (4000, 400)])
def test_pictures_of_any_size_are_seen_in_the_same_two_sizes(size: tuple[int, int]) -> None:
    network = _Network(lambda side: [_face(side / 20, side / 20, side / 12)])

    Scrfd(network).detect(np.zeros((*size, 3), np.uint8))

    assert {pixels.shape for pixels in network.fed} == {(1, 3, 128, 128), (1, 3, 640, 640)}


def test_a_picture_too_narrow_to_be_shrunk_is_padded_instead() -> None:
    network = _Network()

    assert Scrfd(network).detect(np.zeros((3, 700, 3), np.uint8)) == []
    assert network.sides == [view.long_side for view in LADDER[1:]]


def _turned_inside_out(face: Face) -> Face:
    return Face(Box(face.box.right, face.box.bottom, face.box.left, face.box.top), face.landmarks, face.score)


def _without_area(face: Face) -> Face:
    return Face(Box(face.box.left, face.box.top, face.box.left, face.box.top), face.landmarks, face.score)


def _beyond(face: Face) -> Face:
    return Face(Box(1300, face.box.top, 1400, face.box.bottom), face.landmarks, face.score)


def _on_one_spot(face: Face) -> Face:
    return Face(face.box, np.full((5, 2), 700, np.float32), face.score)


@pytest.mark.parametrize("degenerate", [_turned_inside_out, _without_area, _beyond, _on_one_spot])
def test_what_cannot_be_a_face_is_left_out_and_the_others_are_found(
    picture: Image, degenerate: Callable[[Face], Face]
) -> None:
    face, other = _face(300, 300, 200), degenerate(_face(700, 410, 260, 0.99))

    (found,) = Scrfd(_Network(_in_sizes({640: [face, other]}, 1280))).detect(picture)

    _assert_same(found, face)


def test_boxes_that_have_no_area_even_together_are_no_failure(picture: Image) -> None:
    face = _face(700, 410, 260)
    # insightface counts a pixel more than a box is wide, so this is the width that divides by 0
    nothing = Face(Box(600, 300, 599, 400), face.landmarks, 0.9)

    assert Scrfd(_Network(_in_sizes({640: [nothing, nothing]}, 1280))).detect(picture) == []


def test_a_thousand_boxes_of_nonsense_are_no_failure(picture: Image) -> None:
    def nonsense(answers: list[Tensor]) -> None:
        rng = np.random.default_rng(len(answers[0]))
        for answer in answers[:3]:
            answer[:] = rng.uniform(0.3, 0.7, answer.shape)
        for answer in answers[3:]:
            answer[:] = np.rint(rng.normal(0, 2, answer.shape))  # whole: some boxes have no area

    for face in Scrfd(_Network(spoil=nonsense)).detect(picture):
        seen = face.box.clipped(1280, 960)
        assert seen.width > 0
        assert seen.height > 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("output", range(9))
def test_an_answer_that_is_not_finite_fails_the_stage(picture: Image, output: int, value: float) -> None:
    def spoil(answers: list[Tensor]) -> None:
        answers[output][3] = value

    with pytest.raises(StageFailed, match=r"scrfd: .* not finite"):
        Scrfd(_Network(spoil=spoil)).detect(picture)


@pytest.mark.parametrize("output", range(3, 9))
def test_boxes_or_landmarks_that_are_all_the_same_fail_the_stage(picture: Image, output: int) -> None:
    def spoil(answers: list[Tensor]) -> None:
        answers[output][:] = 0.25

    with pytest.raises(StageFailed, match=r"scrfd: .* constant"):
        Scrfd(_Network(spoil=spoil)).detect(picture)


def test_scores_that_are_all_0_mean_no_face(picture: Image) -> None:
    def spoil(answers: list[Tensor]) -> None:
        for answer in answers[:3]:
            answer[:] = 0.0

    assert Scrfd(_Network(spoil=spoil)).detect(picture) == []


def test_the_network_is_given_red_first_in_values_of_about_1() -> None:
    network = _Network()

    Scrfd(network).detect(np.full((640, 640, 3), (200, 100, 50), np.uint8))

    expected = (np.array([200, 100, 50]) - 127.5) / 128
    for pixels in network.fed[:2]:
        np.testing.assert_allclose(pixels[0, :, 60, 60], expected, atol=1e-6)


@pytest.mark.parametrize("outputs", [3, 6, 15])
def test_a_network_without_landmarks_at_three_strides_is_refused(outputs: int) -> None:
    with pytest.raises(StartupError, match=f"a network of {outputs} outputs"):
        Scrfd(_Network(outputs=outputs))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = write(tmp_path_factory.mktemp("weights"), "tiny", ["det_10g.onnx"])
    return path


@pytest.mark.parametrize("shape", [(512, 512), (886, 1280), (1280, 720), (97, 61)])
def test_faces_are_those_of_insightface_s_own_class(path: Path, astronaut: Image, shape: tuple[int, int]) -> None:
    picture = np.asarray(cv2.resize(astronaut, shape[::-1]), np.uint8)
    picture = mark(mark(picture, 0.3 * shape[1], 0.3 * shape[0]), 0.7 * shape[1], 0.6 * shape[0])
    session: Session = session_opener("cpu")(scrfd_network(path))

    found = Scrfd(session).detect(picture)
    boxes, landmarks = SCRFD(session=session).detect(np.ascontiguousarray(picture[..., ::-1]))

    assert len(found) == 2
    ours = [(face.box.left, face.box.top, face.box.right, face.box.bottom, face.score) for face in found]
    np.testing.assert_array_equal(np.array(ours, np.float32), boxes)
    np.testing.assert_array_equal(np.array([face.landmarks for face in found]), landmarks)


def test_its_probe_is_what_the_network_takes(path: Path) -> None:
    network = scrfd_network(path)

    assert {name: tensor.shape for name, tensor in network.probe.items()} == {"input.1": (1, 3, 640, 640)}
    assert len(session_opener("cpu")(network).run(None, network.probe)) == 9


def test_landmarks_are_in_single_precision(path: Path, astronaut: Image) -> None:
    (face,) = Scrfd(session_opener("cpu")(scrfd_network(path))).detect(mark(astronaut, 200, 200))

    landmarks: Landmarks = face.landmarks
    assert landmarks.dtype == np.float32


def test_the_package_is_not_imported_before_it_is_needed_and_then_in_silence(path: Path, tmp_path: Path) -> None:
    program = f"""
import socket, sys
from pathlib import Path
import numpy as np
from predictor.detectors import DETECTORS
from predictor.embedders import EMBEDDERS
assert not any(name.partition(".")[0] == "insightface" for name in sys.modules)
def refuse(*_):
    raise AssertionError("nothing may be looked up or called")
socket.socket.connect = socket.getaddrinfo = refuse
from predictor.detectors.scrfd import Scrfd, scrfd_network
from predictor.runtime.providers import session_opener
Scrfd(session_opener("cpu")(scrfd_network(Path({str(path)!r})))).detect(np.zeros((50, 60, 3), np.uint8))
assert "insightface" in sys.modules
"""

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / ".insightface").exists()
