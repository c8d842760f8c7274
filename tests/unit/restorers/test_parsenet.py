from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from predictor.errors import StageFailed
from predictor.faces import Image
from predictor.resources import Resources
from predictor.restorers.parsenet import ParseNet, open_parsenet, soft_mask
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Network, Session, Tensor
from predictor.stand_ins import write

_SIDE = 512


@dataclass(frozen=True)
class _Node:
    name: str
    shape: Sequence[int | str | None] = (1, 3, _SIDE, _SIDE)


@dataclass
class FakeSession:
    """Gives an answer, whatever it sees."""

    answer: Tensor
    seen: list[Tensor] = field(default_factory=list)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names is None
        (crop,) = input_feed.values()
        self.seen.append(crop)
        return [self.answer, crop]  # facexlib's has a second output

    def get_inputs(self) -> Sequence[_Node]:
        return [_Node("face")]

    def get_outputs(self) -> Sequence[_Node]:
        return [_Node("classes"), _Node("picture")]


def _answer(classes: Tensor) -> Tensor:
    """How much each class fits, where these fit best."""
    fits: Tensor = (np.arange(19)[None, :, None, None] == classes).astype(np.float32)
    return fits


def _square(inside: int, outside: int = 0) -> Tensor:
    classes = np.full((_SIDE, _SIDE), outside)
    classes[150:362, 150:362] = inside
    return classes


def _crop() -> Image:
    return np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)


@pytest.mark.parametrize("number", range(19))
def test_the_classes_that_count_as_face_are_facexlibs(number: int) -> None:
    mask = soft_mask(_square(number))

    # Source: MASK_COLORMAP in facexlib's face_restoration_helper.py
    counts = [0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 255, 0, 0, 0]
    assert mask[256, 256] == pytest.approx(counts[number] / 255, abs=1e-5)
    assert mask[60, 60] == 0.0


def test_the_mask_is_soft_as_facexlibs() -> None:
    hard = (_square(1) * 255.0).astype(np.float64)
    for _ in range(2):
        hard = np.asarray(cv2.GaussianBlur(hard, (101, 101), 11))

    mask = soft_mask(_square(1))

    np.testing.assert_allclose(mask, hard / 255, atol=1e-3)
    np.testing.assert_allclose(mask[mask > 0], (hard / 255)[mask > 0], atol=1e-5)
    assert mask[256, 150] == pytest.approx(0.5, abs=0.02)
    assert mask.dtype == np.float32


def test_a_face_that_fills_the_crop_counts_up_to_ten_pixels_from_its_border() -> None:
    mask = soft_mask(np.ones((_SIDE, _SIDE), int))

    assert (mask[10:-10, 10:-10] > 0.999).all()
    mask[10:-10, 10:-10] = 0.0
    assert not mask.any()


def test_each_crop_is_parsed_by_the_class_that_fits_best() -> None:
    session = FakeSession(_answer(_square(10)))

    masks = ParseNet(session).parse([_crop(), _crop()])

    assert [seen.shape for seen in session.seen] == [(1, 3, _SIDE, _SIDE)] * 2
    assert -1.0 <= session.seen[0].min() < -0.9
    for mask in masks:
        np.testing.assert_array_equal(mask, soft_mask(_square(10)))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (np.full((1, 19, _SIDE, _SIDE), np.nan, np.float32), "is not finite"),
        (np.zeros((1, 19, _SIDE, _SIDE), np.float32), "is constant"),
        (np.zeros((1, 3, _SIDE, _SIDE), np.float32), "has shape"),
    ],
)
def test_an_answer_that_cannot_be_right_fails_the_stage(answer: Tensor, reason: str) -> None:
    with pytest.raises(StageFailed, match=f"^restore: the network's answer {reason}"):
        ParseNet(FakeSession(answer)).parse([_crop()])


def test_the_file_is_opened_by_its_name_and_parses_crops_of_the_restorers_layout(
    tmp_path: Path, astronaut: Image
) -> None:
    write(tmp_path, "tiny", ["parsenet.onnx"])
    opened: list[Network] = []

    class Folder:
        def find(self, *names: str) -> Path:
            assert names == ("parsenet.onnx",)
            return tmp_path / names[0]

    def open_session(network: Network) -> Session:
        opened.append(network)
        return session_opener("cpu", threads=1)(network)

    (mask,) = open_parsenet(Resources(open_session, Folder())).parse([astronaut])

    assert mask.shape == (_SIDE, _SIDE)
    assert 0.0 <= mask.min() < mask.max() <= 1.0
    ((network),) = opened
    assert network.name == "parsenet"
    assert network.probe["input"].shape == (1, 3, _SIDE, _SIDE)
