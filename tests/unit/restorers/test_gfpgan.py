from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import StageFailed, WeightsMissing
from predictor.faces import Image
from predictor.resources import Resources
from predictor.restorers.gfpgan import Gfpgan, open_gfpgan
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Network, Session, Tensor
from predictor.stand_ins import write

_SHAPE = (1, 3, 512, 512)


@dataclass(frozen=True)
class _Node:
    name: str
    shape: Sequence[int | str | None] = _SHAPE


@dataclass
class FakeSession:
    """Does what it is told with the crop; nothing, if not told."""

    change: Callable[[Tensor], Tensor] = lambda crop: crop
    seen: list[Tensor] = field(default_factory=list)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names is None
        assert list(input_feed) == ["face"]
        self.seen.append(input_feed["face"])
        return [self.change(input_feed["face"])]

    def get_inputs(self) -> Sequence[_Node]:
        return [_Node("face")]

    def get_outputs(self) -> Sequence[_Node]:
        return [_Node("restored")]


def _crop(seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (512, 512, 3), np.uint8)


def test_crops_go_through_the_network_one_by_one_and_come_back_in_order() -> None:
    session, crops = FakeSession(), [_crop(0), _crop(1), _crop(2)]

    restored = Gfpgan(session).restore(crops)

    assert [one.shape for one in session.seen] == [_SHAPE] * 3
    for one, crop in zip(restored, crops, strict=True):
        np.testing.assert_array_equal(one, crop)


def test_the_network_sees_colours_in_order_from_minus_1_to_1() -> None:
    session, crop = FakeSession(), _crop()

    Gfpgan(session).restore([crop])

    (seen,) = session.seen
    np.testing.assert_allclose(seen[0], crop.transpose(2, 0, 1) / 127.5 - 1.0, atol=1e-6)
    assert seen.dtype == np.float32


def test_answers_out_of_range_are_cut_off_and_others_rounded_as_the_official_package_rounds() -> None:
    crop = _crop()
    wide = np.random.default_rng(4).normal(0.0, 0.8, _SHAPE).astype(np.float32)

    (restored,) = Gfpgan(FakeSession(change=lambda _: wide)).restore([crop])

    # basicsr's tensor2img with min_max=(-1, 1)
    official = np.rint((np.clip(wide[0], -1, 1) + 1) / 2 * 255).transpose(1, 2, 0)
    np.testing.assert_array_equal(restored, official)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda crop: np.where(crop > 0.99, np.nan, crop), "is not finite"),
        (np.zeros_like, "is constant"),
        (lambda crop: crop[..., ::2], r"has shape \(1, 3, 512, 256\)"),
    ],
)
def test_an_answer_that_cannot_be_right_fails_the_stage(change: Callable[[Tensor], Tensor], reason: str) -> None:
    with pytest.raises(StageFailed, match=rf"^restore: the network's answer {reason}"):
        Gfpgan(FakeSession(change=change)).restore([_crop()])


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Folder:
    path: Path
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def find(self, *names: str) -> Path:
        self.asked.append(names)
        for name in names:
            if (self.path / name).exists():
                return self.path / name
        raise WeightsMissing(names[0])


@dataclass
class Opener:
    opened: list[Network] = field(default_factory=list)

    def __call__(self, network: Network) -> Session:
        self.opened.append(network)
        return session_opener("cpu", threads=1)(network)


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_each_version_has_a_file_of_its_own_and_one_may_be_a_community_export(version: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    with pytest.raises(WeightsMissing):
        open_gfpgan(Resources(Opener(), folder), version)

    exports = ("GFPGANv1.4.onnx",) if version == "1.4" else ()
    assert folder.asked == [(f"gfpgan_{version}.onnx", *exports)]


def test_both_files_of_1_4_restore_alike_whatever_they_call_their_tensors(tmp_path: Path, astronaut: Image) -> None:
    crops = [astronaut, np.ascontiguousarray(astronaut[:, ::-1])]
    restored = []
    for name in ("gfpgan_1.4.onnx", "GFPGANv1.4.onnx"):
        folder = tmp_path / name.removesuffix(".onnx")
        write(folder, "tiny", [name])
        opener = Opener()
        restored.append(open_gfpgan(Resources(opener, Folder(folder)), "1.4").restore(crops))
        assert [network.name for network in opener.opened] == ["gfpgan_1.4"]

    for one, other in zip(*restored, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_the_network_proves_itself_on_a_face(tmp_path: Path) -> None:
    write(tmp_path, "tiny", ["gfpgan_1.4.onnx"])
    opener = Opener()

    open_gfpgan(Resources(opener, Folder(tmp_path)), "1.4")

    (probe,) = (network.probe["input"] for network in opener.opened)
    assert probe.shape == _SHAPE
    skin = probe[0, :, 300, 256]
    assert skin[0] > skin[1] > skin[2]
    assert float(np.ptp(probe)) > 1.0
