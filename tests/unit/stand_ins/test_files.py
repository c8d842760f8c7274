"""Stand-ins have the contract of the real files, and behave so that a stage on them can be tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from predictor.runtime.providers import session_opener
from predictor.runtime.session import Network, Session, Tensor
from predictor.stand_ins import FILES, write

_PICTURE = [1, 3, 512, 512]
_RESTORED = [("input", ["n", *_PICTURE[1:]])], [("output", ["n", *_PICTURE[1:]])]
_ENLARGED = [("input", ["n", 3, "h", "w"])], [("output", ["n", 3, "H", "W"])]
_SCRFD_OUTPUTS = [
    (name, [f"n{name}", width])
    for names, width in ((("448", "471", "494"), 1), (("451", "474", "497"), 4), (("454", "477", "500"), 10))
    for name in names
]
_CONTRACTS = {
    "det_10g.onnx": ([("input.1", [1, 3, "?", "?"])], _SCRFD_OUTPUTS),
    "w600k_r50.onnx": ([("input.1", ["None", 3, 112, 112])], [("683", ["None", 512])]),
    "inswapper_128.onnx": (
        [("target", [1, 3, 128, 128]), ("source", [1, 512])],
        [("output", [1, 3, 128, 128])],
    ),
    "GFPGANv1.4.onnx": ([("input", _PICTURE)], [("1288", _PICTURE)]),
    **dict.fromkeys(("gfpgan_1.2.onnx", "gfpgan_1.3.onnx", "gfpgan_1.4.onnx"), _RESTORED),
    "parsenet.onnx": ([("input", ["n", *_PICTURE[1:]])], [("output", ["n", 19, 512, 512])]),
    "realesr-general-x4v3.onnx": _ENLARGED,
    "real_esrgan_x4v3.onnx": _ENLARGED,
    "real_esrgan_x4plus.onnx": _ENLARGED,
    "real_esrgan_x2plus.onnx": _ENLARGED,
}
_FREE_SIDES = {"n": 1, "None": 2, "?": 128, "h": 48, "w": 64}
# of the real files, as the manifest of weights has them; RRDBNet's and ParseNet's are those of their .pth
_FULL_SIZES = {
    "det_10g.onnx": 16_923_827,
    "realesr-general-x4v3.onnx": 4_871_181,
    "real_esrgan_x4plus.onnx": 67_040_989,
    "real_esrgan_x2plus.onnx": 67_061_725,
    "parsenet.onnx": 85_331_193,
    "w600k_r50.onnx": 174_383_860,
    "inswapper_128.onnx": 554_253_681,
    "GFPGANv1.4.onnx": 340_256_690,
}
_LARGE = 20_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stand-ins") / "made if need be"
    write(folder, "tiny")
    return folder


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


def _session(path: Path) -> Session:
    return session_opener("cpu")(Network(path.stem, path, {}))


def _feed(session: Session, picture: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Return a picture for each input of four sides, cut to fit, and directions for the others."""
    feed = {}
    for node in session.get_inputs():
        sides = [side if isinstance(side, int) else _FREE_SIDES[str(side)] for side in node.shape]
        if len(sides) == picture.ndim:
            feed[node.name] = np.tile(picture[:, :, : sides[2], : sides[3]], (sides[0], 1, 1, 1))
        else:
            direction = np.random.default_rng(seed).normal(size=sides)
            feed[node.name] = (direction / np.linalg.norm(direction)).astype(np.float32)
    return feed


@pytest.fixture(scope="module")
def picture(astronaut: Tensor) -> Tensor:
    return np.ascontiguousarray(astronaut.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def test_each_is_a_valid_graph_with_the_inputs_and_outputs_of_the_real_file(path: Path) -> None:
    onnx.checker.check_model(str(path), full_check=True)
    session = _session(path)

    inputs, outputs = _CONTRACTS[path.name]
    assert [(node.name, node.shape) for node in session.get_inputs()] == inputs
    assert [(node.name, node.shape) for node in session.get_outputs()] == outputs


def test_answers_are_finite_varied_and_within_the_range_of_a_real_one(path: Path, picture: Tensor) -> None:
    session = _session(path)

    answers = session.run(None, _feed(session, picture))

    for answer in answers:
        assert np.isfinite(answer).all()
        assert np.ptp(answer) > 1e-4
        if answer.ndim == 4:
            assert ((answer > -1) & (answer < 1.3)).mean() > 0.99
            assert answer.std() > 0.02
        assert not ((answer != 0) & (np.abs(answer) < 1e-30)).any()


def test_answers_depend_on_what_is_seen(path: Path, picture: Tensor) -> None:
    session = _session(path)
    feed = _feed(session, picture)
    mirrored = _feed(session, np.ascontiguousarray(picture[..., ::-1]))

    for answer, other in zip(session.run(None, feed), session.run(None, mirrored), strict=True):
        assert np.abs(answer - other).max() > 1e-4


def test_a_swap_depends_on_the_source(folder: Path, picture: Tensor) -> None:
    session = _session(folder / "inswapper_128.onnx")

    (one,) = session.run(None, _feed(session, picture, seed=1))
    (other,) = session.run(None, _feed(session, picture, seed=2))

    assert np.abs(one - other).mean() > 0.002


def test_the_matrix_for_the_source_is_the_last_initializer_of_the_swapper(folder: Path) -> None:
    initializers = onnx.load(folder / "inswapper_128.onnx").graph.initializer

    assert list(initializers[-1].dims) == [512, 512]
    assert [list(tensor.dims) for tensor in initializers].count([512, 512]) == 1


def test_an_upsampler_gives_back_the_picture_enlarged(folder: Path, picture: Tensor) -> None:
    for name, scale in (("realesr-general-x4v3", 4), ("real_esrgan_x4plus", 4), ("real_esrgan_x2plus", 2)):
        session = _session(folder / f"{name}.onnx")
        feed = _feed(session, picture * np.array([1.0, 0.4, 0.1], np.float32)[:, None, None])

        (enlarged,) = session.run(None, feed)

        repeated = feed["input"].repeat(scale, axis=2).repeat(scale, axis=3)
        assert enlarged.shape == repeated.shape
        assert np.abs((enlarged - repeated).mean(axis=(0, 2, 3))).max() < 2 / 255
        assert 1 / 255 < np.abs(enlarged - repeated).mean() < 20 / 255


@pytest.mark.parametrize(
    "names", [("GFPGANv1.4.onnx", "gfpgan_1.4.onnx"), ("realesr-general-x4v3.onnx", "real_esrgan_x4v3.onnx")]
)
def test_both_files_of_a_network_are_the_same_function(folder: Path, picture: Tensor, names: tuple[str, str]) -> None:
    (one,), (other,) = (
        session.run(None, _feed(session, picture)) for session in (_session(folder / name) for name in names)
    )

    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_free_batch_gives_each_picture_what_it_gives_alone(folder: Path, picture: Tensor) -> None:
    pictures = np.concatenate([picture, picture[..., ::-1]])
    session = _session(folder / "gfpgan_1.4.onnx")

    (together,) = session.run(None, {"input": pictures})
    alone = [session.run(None, {"input": one[None]})[0] for one in pictures]

    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_the_same_size_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write(tmp_path, "tiny")

    assert [path.name for path in again] == list(FILES)
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_tiny_ones_are_small_and_only_those_asked_for_are_written(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "tiny", ["w600k_r50.onnx"])

    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.full_size if size > _LARGE else ()) for name, size in _FULL_SIZES.items()],
)
def test_full_ones_have_the_size_of_the_real_file(tmp_path: Path, name: str) -> None:
    (path,) = write(tmp_path, "full", [name])

    assert path.stat().st_size == pytest.approx(_FULL_SIZES[name], rel=0.003)
