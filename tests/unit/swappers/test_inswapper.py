from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from predictor.errors import DeadlineExceeded, StageFailed, StartupError
from predictor.faces import Crop, Embedding, Face, Identity, Image, Landmarks
from predictor.imaging.alignment import ARCFACE_112, ARCFACE_128, LandmarkTemplate, align
from predictor.imaging.masks import soft_square
from predictor.job import Job
from predictor.options import SwapOptions
from predictor.pipeline import Pipeline, Stages
from predictor.resources import Resources
from predictor.runtime.onnx import OnnxEngine
from predictor.runtime.session import Network, Session, Tensor
from predictor.selection import Giver, Scene
from predictor.swappers.inswapper import Inswapper, face_mask, open_inswapper
from tests.unit.fakes import FakeDetector, face_at

EYE: Tensor = np.eye(512, dtype=np.float32)


@dataclass
class Node:
    name: str
    shape: Sequence[int | str | None]


def echo(target: Tensor, _source: Tensor) -> Tensor:
    """Paint nothing anew."""
    return target


@dataclass
class FakeSession:
    """Answers at once, and remembers what it was given."""

    answer: Callable[[Tensor, Tensor], Tensor] = echo
    target: str = "target"
    source: str = "source"
    batch: int | str | None = "batch"
    given: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        assert output_names is None
        assert set(input_feed) == {self.target, self.source}
        self.given.append((input_feed[self.target], input_feed[self.source]))
        return [self.answer(input_feed[self.target], input_feed[self.source])]

    def get_inputs(self) -> Sequence[Node]:
        return [Node(self.source, [self.batch, 512]), Node(self.target, [self.batch, 3, 128, 128])]

    def get_outputs(self) -> Sequence[Node]:
        return [Node("output", [self.batch, 3, 128, 128])]

    @property
    def batches(self) -> list[int]:
        return [len(target) for target, _ in self.given]


class Lossless(Inswapper):
    """Takes the layout in which the face keeps all its pixels."""

    least_scale = 0.99


def embedding(seed: int = 0) -> Embedding:
    drawn = np.random.default_rng(seed).standard_normal(512).astype(np.float32)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def identity(seed: int = 0) -> Identity:
    return Identity(crop_of(112), embedding(seed))


def crop_of(size: int, image: Image | None = None) -> Crop:
    pixels = np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8) if image is None else image
    return Crop(pixels, np.eye(2, 3), ARCFACE_128.scaled(size).points)


# ── the latent ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_latent_is_the_embedding_mapped_and_brought_to_length_1_again() -> None:
    emap = np.random.default_rng(1).standard_normal((512, 512)).astype(np.float32)
    session = FakeSession()

    Inswapper(session, emap).swap([crop_of(128)], [identity(3)])

    ((_, source),) = session.given
    mapped = embedding(3) @ emap
    np.testing.assert_allclose(source, (mapped / np.linalg.norm(mapped))[None], atol=1e-6)
    assert source.dtype == np.float32


def test_every_crop_gets_the_latent_of_the_identity_at_its_position() -> None:
    session = FakeSession()

    Inswapper(session, EYE).swap([crop_of(128), crop_of(128)], [identity(1), identity(2)])

    ((_, source),) = session.given
    np.testing.assert_allclose(source, [embedding(1), embedding(2)], atol=1e-6)


# ── what the network sees ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_network_is_given_rgb_from_0_to_1_under_the_names_it_has_itself() -> None:
    session = FakeSession(target="a_picture", source="somebody")
    crop = crop_of(128)

    Inswapper(session, EYE).swap([crop], [identity()])

    ((target, _),) = session.given
    np.testing.assert_allclose(target[0], crop.image.transpose(2, 0, 1) / 255, atol=1e-6)
    assert target.dtype == np.float32
    assert target.flags.c_contiguous


@pytest.mark.parametrize(("size", "pictures"), [(128, 1), (256, 4), (384, 9), (512, 16)])
def test_a_large_crop_is_every_nth_pixel_from_every_start_with_the_same_latent(size: int, pictures: int) -> None:
    session = FakeSession()
    crop = crop_of(size)

    Inswapper(session, EYE, largest_batch=16).swap([crop], [identity(1)])

    ((target, source),) = session.given
    step = size // 128
    seen = {picture.tobytes() for picture in np.rint(target * 255).astype(np.uint8).transpose(0, 2, 3, 1)}
    assert len(seen) == pictures
    assert seen == {crop.image[row::step, column::step].tobytes() for row in range(step) for column in range(step)}
    np.testing.assert_array_equal(source, np.repeat(source[:1], pictures, axis=0))


@pytest.mark.parametrize("template", Inswapper.templates, ids=lambda template: str(template.size))
def test_what_the_network_sees_of_a_face_lies_where_it_lies_without_boost(template: LandmarkTemplate) -> None:
    """On average over the starts; without pixel centres it would lie up to 0.38 of its pixels to the side."""
    ramp = np.repeat(np.linspace(0, 255, 700).astype(np.uint8)[None, :, None], 700, axis=0).repeat(3, axis=2)
    landmarks = (ARCFACE_128.scaled(512).points + 90).astype(np.float32)
    session = FakeSession()

    Inswapper(session, EYE, largest_batch=16).swap([align(ramp, landmarks, template)], [identity()])

    ((target, _),) = session.given
    slope = 255 / 699 * 4  # levels from one of the network's pixels to the next
    shift = (target.mean(axis=0)[0] * 255 - align(ramp, landmarks, ARCFACE_128).image[..., 0]).mean() / slope
    assert abs(shift) < 0.08


def test_crops_go_through_in_small_batches_of_at_most_two_shapes() -> None:
    session = FakeSession()

    Inswapper(session, EYE).swap([crop_of(128), crop_of(384), crop_of(128)], [identity()] * 3)

    assert session.batches == [2, 2, 2, 2, 2, 1]


def test_a_network_that_takes_one_crop_at_a_time_is_given_one_at_a_time() -> None:
    session = FakeSession(batch=1)

    Inswapper(session, EYE, largest_batch=4).swap([crop_of(256)], [identity()])

    assert session.batches == [1, 1, 1, 1]


def test_work_is_given_up_between_batches_once_nobody_waits() -> None:
    session, job = FakeSession(), Job()

    def abandoning(target: Tensor, _: Tensor) -> Tensor:
        job.abandon()
        return target

    session.answer = abandoning
    with pytest.raises(DeadlineExceeded):
        Inswapper(session, EYE).swap([crop_of(512)], [identity()], job.check)

    assert session.batches == [2]


# ── what comes back ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [128, 256, 384, 512])
def test_every_pixel_is_put_back_where_it_was_taken(size: int) -> None:
    crops = [crop_of(size), crop_of(128)]

    swaps = Inswapper(FakeSession(), EYE).swap(crops, [identity(1), identity(2)])

    for crop, swap in zip(crops, swaps, strict=True):
        np.testing.assert_array_equal(swap.image, crop.image)
        assert swap.fit == "network"


@pytest.mark.parametrize("size", [128, 256, 384, 512])
@pytest.mark.parametrize(("degrees", "blur", "levels"), [(0.0, 0.0, 0), (7.3, 4.0, 2)], ids=["upright", "turned"])
def test_a_face_that_the_network_leaves_alone_leaves_the_picture_alone(
    astronaut: Image, size: int, degrees: float, blur: float, levels: int
) -> None:
    """Only resampling may show, and only where the picture is turned; there fine texture is left out beforehand."""
    picture = cv2.resize(astronaut, (900, 900), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur).astype(np.uint8)
    landmarks = turned(ARCFACE_128.scaled(size).points, degrees) + np.array((150, 170), np.float32)
    session = FakeSession()

    pasted = swapped(Lossless(session, EYE), picture, Face(face_at(0, 0).box, landmarks, 1.0))

    assert sum(session.batches) == (size // 128) ** 2
    assert np.abs(pasted.astype(int) - picture).max() <= levels


def test_values_are_rounded_and_clipped_to_0_and_1() -> None:
    crop = crop_of(128)

    (swap,) = Inswapper(FakeSession(lambda target, _: target * 1.9 - 0.45), EYE).swap([crop], [identity()])

    np.testing.assert_allclose(swap.image, np.clip(crop.image * 1.9 - 114.75, 0, 255), atol=0.51)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda target, _: np.zeros_like(target), "constant"),
        (lambda target, _: np.where(np.arange(len(target))[:, None, None, None] == 1, 0, target), "constant"),
        (lambda target, _: target * np.nan, "not finite"),
        (lambda target, _: np.where(target > 0.99, np.inf, target), "not finite"),
        (lambda target, _: target[:, :, :64], "shape"),
        (lambda target, _: target[:1], "shape"),
    ],
    ids=["black", "one_black", "nan", "one_infinite", "cropped", "too_few"],
)
def test_an_answer_that_cannot_be_right_fails_the_swap(answer: Callable[..., Tensor], reason: str) -> None:
    with pytest.raises(StageFailed, match=f"^swap: .*{reason}"):
        Inswapper(FakeSession(answer), EYE).swap([crop_of(256)], [identity()])


def test_a_mask_covers_the_features_and_leaves_out_the_corners() -> None:
    for template in Inswapper.templates:
        mask, unit = face_mask(template), template.size // 128
        columns, rows = template.points.round().astype(int).T

        assert mask[rows, columns].min() > 0.99
        assert mask[14 * unit, 14 * unit] == 0.0
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0


def test_another_mask_may_be_given() -> None:
    swapper = Inswapper(FakeSession(), EYE, mask=lambda template: soft_square(template.size, 0.3))

    (swap,) = swapper.swap([crop_of(256)], [identity()])

    np.testing.assert_array_equal(swap.mask, soft_square(256, 0.3))


# ── how large a crop ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("across", "size"), [(40, 128), (190, 128), (194, 256), (382, 256), (386, 384), (574, 384), (578, 512), (900, 512)]
)
def test_the_boost_grows_with_the_face(across: int, size: int) -> None:
    """A crop may lose a third of the picture's pixels along a side before another n² runs are spent."""
    session = FakeSession()
    landmarks = (ARCFACE_128.points * across / 128 + 20).astype(np.float32)

    swapped(Inswapper(session, EYE, largest_batch=99), textured(1000), Face(face_at(0, 0).box, landmarks, 1.0))

    assert session.batches == [(size // 128) ** 2]


# ── opening the file ──────────────────────────────────────────────────────────────────────────────────────────────────


def graph_file(folder: Path, weights: Sequence[tuple[str, Tensor]], *, whatever_batch: bool = True) -> Path:
    """Write a network that mixes the picture with the mean of the source; in the middle of it stand the weights."""
    shape = [0, 3, 128, 128] if whatever_batch else [1, 3, 128, 128]
    nodes = [
        helper.make_node("ReduceMean", ["somebody"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Reshape", ["mean", "column"], ["columns"]),
        helper.make_node("Add", ["picture", "columns"], ["sum"]),
        helper.make_node("Reshape", ["sum", "shape"], ["swapped"]),
    ]
    constants = {"column": np.array([-1, 1, 1, 1]), "shape": np.array(shape)}
    initializers = [numpy_helper.from_array(value, name) for name, value in [*weights, *constants.items()]]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "inswapper",
        [value("somebody", TensorProto.FLOAT, [1, 512]), value("picture", TensorProto.FLOAT, [1, 3, 128, 128])],
        [value("swapped", TensorProto.FLOAT, [1, 3, 128, 128])],
        initializers,
    )
    path = folder / "inswapper_128.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@dataclass
class Folder:
    """Weights that anybody may run."""

    path: Path

    def find(self, *names: str) -> Path:
        return self.path / names[0]


@dataclass
class Opened:
    """Opens sessions on the processor, and remembers networks and sessions."""

    networks: list[Network] = field(default_factory=list)

    def __call__(self, network: Network) -> Session:
        self.networks.append(network)
        return OnnxEngine(1).open(network)


def opened(folder: Path) -> tuple[Inswapper, Opened]:
    opener = Opened()
    return open_inswapper(Resources(opener, Folder(folder))), opener


def latent_of(swapper: Inswapper, seed: int) -> Tensor:
    return swapper._latent(identity(seed))


def test_the_map_is_found_by_its_shape_wherever_it_stands(tmp_path: Path) -> None:
    emap = np.random.default_rng(1).standard_normal((512, 512)).astype(np.float32)
    graph_file(tmp_path, [("first", np.ones((512, 3), np.float32)), ("map", emap), ("last", np.ones(512, np.float32))])

    swapper, _ = opened(tmp_path)

    mapped = embedding(2) @ emap
    np.testing.assert_allclose(latent_of(swapper, 2), mapped / np.linalg.norm(mapped), atol=1e-6)


def test_of_several_of_that_shape_the_last_is_the_map_and_fp16_becomes_fp32(tmp_path: Path) -> None:
    turned = np.eye(512, dtype=np.float16)[::-1]
    graph_file(tmp_path, [("style", np.ones((512, 512), np.float32)), ("map", turned)])

    swapper, _ = opened(tmp_path)

    np.testing.assert_allclose(latent_of(swapper, 2), embedding(2)[::-1], atol=1e-6)
    assert latent_of(swapper, 2).dtype == np.float32


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([("other", np.ones((512, 511), np.float32))], r"inswapper_128\.onnx holds no 512x512 map"),
        ([("map", np.full((512, 512), np.nan, np.float32))], r"inswapper_128\.onnx: .* not finite"),
    ],
)
def test_a_file_without_a_map_that_can_be_used_is_refused(
    tmp_path: Path, weights: list[tuple[str, Tensor]], reason: str
) -> None:
    graph_file(tmp_path, weights)

    with pytest.raises(StartupError, match=reason):
        opened(tmp_path)


def test_a_network_that_takes_something_else_is_refused(tmp_path: Path) -> None:
    path = graph_file(tmp_path, [("map", EYE)])
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.shape.dim[2].dim_value = 256
    onnx.save(model, path)

    with pytest.raises(StartupError, match=r"3x128x128 .* 256"):
        opened(tmp_path)


def test_the_file_is_opened_with_a_free_batch_and_a_probe_that_it_can_run(tmp_path: Path) -> None:
    graph_file(tmp_path, [("map", EYE)])

    swapper, opener = opened(tmp_path)
    swaps = swapper.swap([crop_of(128), crop_of(256)], [identity(), identity()])

    assert [swap.image.shape for swap in swaps] == [(128, 128, 3), (256, 256, 3)]
    (network,) = opener.networks
    assert network.name == "inswapper_128"
    assert {name: probe.shape for name, probe in network.probe.items()} == {
        "picture": (1, 3, 128, 128),
        "somebody": (1, 512),
    }


def test_a_network_that_cannot_take_two_crops_at_once_takes_them_one_by_one_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph_file(tmp_path, [("map", EYE)], whatever_batch=False)
    crop = crop_of(256)

    with caplog.at_level(logging.WARNING):
        swapper, _ = opened(tmp_path)
    (swap,) = swapper.swap([crop], [identity()])

    assert np.abs(swap.image.astype(int) - crop.image).max() <= 2
    assert [record.message for record in caplog.records] == [
        "inswapper_128.onnx cannot take several crops at once; they go through it one by one"
    ]


@pytest.mark.parametrize(
    "answer",
    [
        lambda target, source: target + source[:1].max(),  # every crop gets the first one's identity
        lambda target, _: target[:1],
    ],
    ids=["first_identity", "first_crop"],
)
def test_a_network_that_mixes_up_crops_takes_them_one_by_one(tmp_path: Path, answer: Callable[..., Tensor]) -> None:
    graph_file(tmp_path, [("map", EYE)])
    session = FakeSession(answer, "picture", "somebody")

    swapper = open_inswapper(Resources(lambda _: session, Folder(tmp_path)))
    session.given.clear()
    swapper.swap([crop_of(128), crop_of(128)], [identity(), identity()])

    assert session.batches == [1, 1]


def textured(size: int) -> Image:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (size // 25, size // 25, 3), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def turned(points: Landmarks, degrees: float) -> Landmarks:
    angle = np.deg2rad(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))], np.float32)
    moved: Landmarks = points @ turn
    return moved


def swapped(swapper: Inswapper, image: Image, face: Face) -> Image:
    """The picture after one face of it went through the whole pipeline."""
    pipeline = Pipeline(Stages(FakeDetector(), None, swapper, None, None, None))
    giver = Giver("somebody", 1, Identity(Crop(image[:112, :112], np.eye(2, 3), ARCFACE_112.points), embedding()))
    return pipeline.swap(Scene("picture", image, [face]), [giver], SwapOptions(), Job()).image
