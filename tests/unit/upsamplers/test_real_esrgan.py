from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest

from predictor.errors import DeadlineExceeded, StageFailed
from predictor.faces import Image
from predictor.imaging.codec import decode, encode
from predictor.imaging.picture import OutputKind, Picture
from predictor.imaging.tiling import Tiling
from predictor.job import Job
from predictor.options import OutputOptions
from predictor.resources import Resources
from predictor.runtime.providers import session_opener
from predictor.runtime.session import Network, Session, Tensor
from predictor.stand_ins import write
from predictor.stand_ins.net import Net
from predictor.upsamplers.real_esrgan import Enlarger, RealEsrgan, open_x2plus, open_x4plus, open_x4v3

SMALL = Tiling(largest=24, padding=4, step=4)


@dataclass(frozen=True)
class _Node:
    name: str
    shape: Sequence[int | str | None] = ("n", 3, "h", "w")


@dataclass
class FakeSession:
    """Repeats every pixel, or does what it is told."""

    times: int = 4
    change: Callable[[Tensor], Tensor] = lambda answer: answer
    seen: list[Tensor] = field(default_factory=list)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names is None
        (tile,) = input_feed.values()
        assert list(input_feed) == ["picture"]
        self.seen.append(tile)
        return [self.change(tile.repeat(self.times, axis=2).repeat(self.times, axis=3))]

    def get_inputs(self) -> Sequence[_Node]:
        return [_Node("picture")]

    def get_outputs(self) -> Sequence[_Node]:
        return [_Node("enlarged")]


def _upsampler(session: Session, scale: int = 4, tiling: Tiling = SMALL, shrink: int = 1) -> RealEsrgan:
    return RealEsrgan("fake", {scale: Enlarger(session, shrink)}, tiling)


def _image(height: int, width: int) -> Image:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def _repeated(image: Image, scale: int) -> Image:
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


# ── tiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("height", "width"), [(1, 1), (24, 24), (25, 24), (60, 91), (5, 100)])
def test_every_tile_lands_where_it_was_taken(height: int, width: int) -> None:
    image = _image(height, width)

    np.testing.assert_array_equal(_upsampler(FakeSession()).upsample(image, 4), _repeated(image, 4))


def test_the_network_sees_colours_in_order_from_0_to_1_a_tile_at_a_time() -> None:
    session, image = FakeSession(), _image(60, 91)

    _upsampler(session).upsample(image, 4)

    assert {tile.shape for tile in session.seen} == {(1, 3, 24, 24)}
    np.testing.assert_allclose(session.seen[0][0], image[:24, :24].transpose(2, 0, 1) / 255.0, rtol=1e-6)


def test_a_picture_that_is_not_contiguous_is_enlarged_all_the_same() -> None:
    image = _image(30, 40)[:, ::-1]

    np.testing.assert_array_equal(_upsampler(FakeSession()).upsample(image, 4), _repeated(image, 4))


@pytest.mark.parametrize(("height", "width"), [(31, 45), (1, 1), (30, 45), (31, 44), (2, 2)])
def test_a_network_that_folds_pixels_gets_an_even_picture_and_the_answer_has_the_size_of_the_odd_one(
    height: int, width: int
) -> None:
    session, image = FakeSession(times=2), _image(height, width)

    enlarged = _upsampler(session, 2, Tiling(24, 4, step=4, even=2)).upsample(image, 2)

    np.testing.assert_array_equal(enlarged, _repeated(image, 2))
    assert all(side % 2 == 0 for tile in session.seen for side in tile.shape[2:])


def test_an_odd_picture_is_mirrored_at_its_edge() -> None:
    session, image = FakeSession(times=2), _image(3, 5)

    _upsampler(session, 2, Tiling(24, 4, step=4, even=2)).upsample(image, 2)

    np.testing.assert_array_equal(session.seen[0][0, :, :, 5], session.seen[0][0, :, :, 3])
    np.testing.assert_array_equal(session.seen[0][0, :, 3, :], session.seen[0][0, :, 1, :])


def test_a_network_that_enlarges_too_much_is_averaged() -> None:
    def with_detail(answer: Tensor) -> Tensor:
        detailed = answer * 0.5 + 0.25
        detailed[..., ::2, ::2] += 0.2
        detailed[..., 1::2, 1::2] -= 0.2
        return detailed

    image = _image(40, 30)

    enlarged = _upsampler(FakeSession(change=with_detail), 2, shrink=2).upsample(image, 2)

    np.testing.assert_allclose(enlarged, _repeated(image, 2) * 0.5 + 0.25 * 255, atol=0.51)


# ── answers that cannot be right ──────────────────────────────────────────────────────────────────────────────────────


def _one_bad_value(answer: Tensor) -> Tensor:
    answer[0, 1, 2, 3] = np.nan
    return answer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_one_bad_value, "not finite"),
        (np.zeros_like, "constant"),
        (lambda answer: answer[..., :-1], r"has shape \(1, 3, 96, 95\); \(1, 3, 96, 96\) was due"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(change: Callable[[Tensor], Tensor], reason: str) -> None:
    with pytest.raises(StageFailed, match=rf"^fake: the network's answer .*{reason}"):
        _upsampler(FakeSession(change=change)).upsample(_image(24, 24), 4)


def test_a_flat_part_of_a_picture_may_be_answered_flatly() -> None:
    image = _image(100, 30)
    image[:60] = 255  # whole tiles of white

    np.testing.assert_array_equal(_upsampler(FakeSession()).upsample(image, 4), _repeated(image, 4))


# ── giving up ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_work_is_dropped_between_tiles_once_nobody_waits() -> None:
    job = Job()

    def abandoning(answer: Tensor) -> Tensor:
        job.abandon()
        return answer

    session = FakeSession(change=abandoning)

    with pytest.raises(DeadlineExceeded):
        _upsampler(session).upsample(_image(60, 91), 4, job.check)

    assert len(session.seen) == 1


# ── the real architectures ────────────────────────────────────────────────────────────────────────────────────────────

Open = Callable[[Resources], RealEsrgan]


@dataclass(frozen=True)
class _Folder:
    path: Path

    def find(self, *names: str) -> Path:
        return next(self.path / name for name in names if (self.path / name).exists())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    names = ("real_esrgan_x4v3.onnx", "real_esrgan_x4plus.onnx", "real_esrgan_x2plus.onnx")
    write(folder, "tiny", names)
    return folder


@pytest.fixture(scope="module")
def resources(folder: Path) -> Resources:
    return Resources(session_opener("cpu", threads=1), _Folder(folder))


@pytest.mark.parametrize(
    ("opened", "scales", "tiling"),
    [
        # tiny networks see 4, 15 to 17 and twice as many pixels far
        (open_x4v3, [2, 4], Tiling(24, 4, step=4)),
        (open_x4plus, [2, 4], Tiling(48, 19, step=4)),
        (open_x2plus, [2], Tiling(96, 38, step=4, even=2)),
    ],
)
def test_tiles_give_the_pixels_of_the_picture_run_in_one_piece(
    resources: Resources, astronaut: Image, opened: Open, scales: list[int], tiling: Tiling
) -> None:
    image = astronaut[40:141, 160:277]
    upsampler = opened(resources)
    assert list(upsampler.scales) == scales

    for scale in scales:
        whole = RealEsrgan("whole", upsampler._enlargers, Tiling(512, 0, even=tiling.even)).upsample(image, scale)
        tiled = RealEsrgan("tiled", upsampler._enlargers, tiling).upsample(image, scale)

        difference = np.abs(whole.astype(int) - tiled)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("opened", [open_x4v3, open_x4plus])
def test_scale_2_is_the_mean_of_scale_4_by_a_network_of_its_own(
    resources: Resources, astronaut: Image, opened: Open
) -> None:
    image = astronaut[60:120, 180:250] // 2 + 64  # values out of range are cut off after the mean, not before
    upsampler = opened(resources)

    small, large = upsampler.upsample(image, 2), upsampler.upsample(image, 4)

    means = large.reshape(60 * 2, 2, 70 * 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 1.01  # rounding, of four pixels and of one
    assert upsampler._enlargers[2].session is not upsampler._enlargers[4].session


def test_a_file_of_another_make_makes_scale_2_by_averaging(
    tmp_path: Path, astronaut: Image, caplog: pytest.LogCaptureFixture
) -> None:
    net = Net("other")
    enlarged = net.linear(net.input("picture", [1, 3, 64, 64]), 4)
    net.output(net.node("Clip", enlarged, output="enlarged"), [1, 3, 256, 256])
    (tmp_path / "realesr-general-x4v3.onnx").write_bytes(net.serialized())

    with caplog.at_level(logging.WARNING):
        upsampler = open_x4v3(Resources(session_opener("cpu", threads=1), _Folder(tmp_path)))
    image = astronaut[60:100, 180:250]
    small, large = upsampler.upsample(image, 2), upsampler.upsample(image, 4)

    assert "realesr-general-x4v3.onnx is of another make" in caplog.text
    assert np.abs(small - large.reshape(80, 2, 140, 2, 3).mean(axis=(1, 3))).max() <= 1.01


def test_networks_are_opened_under_names_of_their_own_with_a_picture_to_prove_themselves_on(folder: Path) -> None:
    opened: list[Network] = []

    def open_session(network: Network) -> Session:
        opened.append(network)
        return session_opener("cpu", threads=1)(network)

    open_x4v3(Resources(open_session, _Folder(folder)))

    assert [network.name for network in opened] == ["real_esrgan", "real_esrgan_halved"]
    for network in opened:
        (picture,) = network.probe.values()
        assert picture.shape == (1, 3, 64, 64)
        assert float(np.ptp(picture)) > 0.9
        assert isinstance(network.model, bytes)
        (declared,) = onnx.load_model_from_string(network.model).graph.input
        assert list(network.probe) == [declared.name]


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("scale", [2, 4])
def test_transparency_is_kept_and_enlarged_with_the_picture(
    resources: Resources, astronaut: Image, scale: int, kind: OutputKind
) -> None:
    image = np.ascontiguousarray(astronaut[60:100, 180:250])
    alpha = np.zeros((40, 70), np.uint8)
    alpha[10:30, 20:50] = 255
    picture = decode(encode(Picture(image, kind, alpha=alpha), OutputOptions("same"), None), "image", 10**6)

    enlarged = picture.with_image(open_x4v3(resources).upsample(picture.image, scale))
    answer = decode(encode(enlarged, OutputOptions("same"), None), "image", 10**6)

    assert answer.format == kind
    assert answer.alpha is not None
    assert answer.alpha.shape == (40 * scale, 70 * scale)
    assert answer.alpha[20 * scale, 35 * scale] == 255
    assert answer.alpha[0, 0] == 0
