from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from predictor.errors import ConversionFailed, StageFailed, WeightsDamaged
from predictor.stand_ins import gfpgan, rrdb, srvgg
from predictor.weights.records import recorded

torch: Any = pytest.importorskip("torch", reason="the extra torch is not installed: make setup-torch")

from facexlib.parsing.parsenet import ParseNet
from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean
from realesrgan.archs.srvgg_arch import SRVGGNetCompact

from predictor.weights.convert import conversion, networks
from predictor.weights.convert.conversion import Conversion, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

pytestmark = pytest.mark.needs_torch

SMALL = networks.srvgg("general.pth", "weak.pth", features=8, convolutions=2)
SMALL_PARSER = {"min_feat_size": 256, "base_ch": 4, "res_depth": 1, "ch_range": [4, 8]}
SMALL_FACES = ((1, 3, 32, 32), (2, 3, 32, 32))


class Folder:
    """Official files in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[str] = []

    def find(self, *names: str) -> Path:
        self.asked += names
        return self.path / names[0]

    def put(self, name: str, state: Mapping[str, Any]) -> None:
        torch.save({"params": {key: torch.as_tensor(value) for key, value in state.items()}}, self.path / name)


@pytest.fixture
def official(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "official")
    folder.path.mkdir()
    folder.put("general.pth", srvgg.srvgg_state(srvgg.TINY))
    folder.put("weak.pth", srvgg.srvgg_state(srvgg.TINY, seed=9))
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """The graph of general.pth: exporting takes seconds."""
    folder = Folder(tmp_path_factory.mktemp("official"))
    folder.put("general.pth", srvgg.srvgg_state(srvgg.TINY))
    return onnx.load(Conversion("net.onnx", SMALL).make(folder, folder.path, run))


@pytest.fixture
def ready(official: Folder, exported: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Official files whose graph is there already."""
    monkeypatch.setattr(conversion, "export", lambda *_: exported)
    return official


def run(path: Path, sample: Any) -> Sequence[Any]:
    outputs: Sequence[Any] = onnxruntime.InferenceSession(str(path)).run(None, {"input": sample})
    return outputs


def _random_state(module: Any) -> dict[str, Any]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = dict(module().state_dict())
    # as made, GFPGAN's noise counts for nothing, and none would be missed
    return {name: torch.full_like(value, 0.5) if value.shape == (1,) else value for name, value in state.items()}


def _small_gfpgan() -> Any:
    return GFPGANv1Clean(
        32, 8, 1, fix_decoder=False, input_is_latent=True, different_w=True, narrow=1 / 32, sft_half=True
    )


def _small_parsenet() -> Any:
    return ParseNet(512, 512, parsing_ch=19, **SMALL_PARSER)


SMALL_GFPGAN = dataclasses.replace(networks.gfpgan("net.pth"), build=_small_gfpgan, shapes=SMALL_FACES)
SMALL_PARSENET = dataclasses.replace(
    networks.parsenet("net.pth", **SMALL_PARSER), shapes=((1, 3, 64, 64), (2, 3, 64, 64))
)


@pytest.mark.parametrize(
    ("source", "state", "sides"),
    [
        (networks.rrdb("net.pth", 2, 8, 4, 1), lambda: rrdb.rrdb_state(rrdb.TINY_X2), [(3, 8, 6), (3, 16, 12)]),
        (SMALL_GFPGAN, lambda: _random_state(_small_gfpgan), [(3, 32, 32), (3, 32, 32)]),
        (SMALL_PARSENET, lambda: _random_state(_small_parsenet), [(3, 64, 64), (19, 64, 64)]),
    ],
    ids=["x2plus", "gfpgan", "parsenet"],
)
def test_every_architecture_is_made_into_a_file_for_any_number_of_pictures(
    source: networks.Source, state: Any, sides: list[tuple[int, ...]], official: Folder
) -> None:
    given, answered = sides
    official.put("net.pth", state())

    made = Conversion("net.onnx", source).make(official, official.path, run)

    (answer,) = run(made, np.zeros((3, *given), np.float32))
    assert answer.shape == (3, *answered)
    assert np.isfinite(answer).all()


def test_a_made_file_says_what_it_was_made_from_and_has_its_sha256_recorded(official: Folder, tmp_path: Path) -> None:
    made = Conversion("net.onnx", SMALL, 0.25).make(official, tmp_path, run)

    digest = {name: hashlib.sha256((official.path / name).read_bytes()).hexdigest() for name in official.asked}
    assert {each.key: each.value for each in onnx.load(made).metadata_props} == {
        "made_from": f"general.pth sha256:{digest['general.pth']}, weak.pth sha256:{digest['weak.pth']}",
        "denoise_strength": "0.25",
    }
    record = recorded(tmp_path)["net.onnx"]
    assert record.sha256 == hashlib.sha256(made.read_bytes()).hexdigest()
    assert record.made_from == ("general.pth", "weak.pth")


@pytest.mark.parametrize("strength", [1.0, 0.25])
def test_a_denoise_strength_blends_the_two_official_files(strength: float, official: Folder, tmp_path: Path) -> None:
    image = np.random.default_rng(1).random((1, 3, 6, 8), np.float32)
    mixed = SRVGGNetCompact(num_feat=8, num_conv=2)
    strong, weak = srvgg.srvgg_state(srvgg.TINY), srvgg.srvgg_state(srvgg.TINY, seed=9)
    mixed.load_state_dict({key: torch.tensor(strength * strong[key] + (1 - strength) * weak[key]) for key in strong})

    made = Conversion("net.onnx", SMALL, strength).make(official, tmp_path, run)

    with torch.inference_mode():
        expected = mixed(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(run(made, image)[0], expected, atol=1e-5)
    assert official.asked == (["general.pth"] if strength == 1.0 else ["general.pth", "weak.pth"])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda answer: answer + 1e-3, r"the graph's answer is .* of torch's range away from torch's"),
        (lambda answer: answer * np.float32("nan"), "the graph's answer is nan of torch's range"),
        (lambda answer: answer[..., :-1], "the graph answers with shape"),
    ],
    ids=["near", "not a number", "another shape"],
)
def test_a_graph_that_does_not_compute_what_torch_computes_gets_no_file(
    spoil: Any, sentence: str, ready: Folder, tmp_path: Path
) -> None:
    made = tmp_path / "made"

    with pytest.raises(ConversionFailed, match=f"^net.onnx is not made: {sentence}"):
        Conversion("net.onnx", SMALL).make(ready, made, lambda path, sample: [spoil(run(path, sample)[0])])

    assert list(made.iterdir()) == []


def test_a_graph_wrong_for_a_second_size_only_gets_no_file(ready: Folder, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def wrong_for_two(path: Path, sample: Any) -> list[Any]:
        seen.append(sample.shape)
        return [run(path, sample)[0] + (1 if len(sample) > 1 else 0)]

    with pytest.raises(ConversionFailed):
        Conversion("net.onnx", SMALL).make(ready, tmp_path / "made", wrong_for_two)

    assert len({shape[2:] for shape in seen}) == 2


def test_a_failed_conversion_leaves_the_file_that_was_there(ready: Folder, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"made before")

    def broken(_path: Path, _sample: Any) -> list[Any]:
        raise StageFailed("net", "no")

    with pytest.raises(ConversionFailed, match=r"net.onnx is not made: the graph does not run: net: no"):
        Conversion("net.onnx", SMALL).make(ready, tmp_path, broken)

    assert (tmp_path / "net.onnx").read_bytes() == b"made before"
    assert recorded(tmp_path) == {}


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_official_weights_that_paint_no_picture_are_refused(value: float, official: Folder, tmp_path: Path) -> None:
    official.put("net.pth", {key: np.full_like(each, value) for key, each in rrdb.rrdb_state(rrdb.TINY_X4).items()})

    with pytest.raises(WeightsDamaged, match=r"net.onnx is not made: torch's own answer with net.pth is no picture"):
        Conversion("net.onnx", networks.rrdb("net.pth", 4, 8, 4, 1)).make(official, tmp_path / "made", run)


@pytest.mark.parametrize("other", [srvgg.Size(4, 2), srvgg.Size(8, 1)], ids=["channels", "layers"])
def test_files_of_two_networks_are_not_blended(other: srvgg.Size, official: Folder, tmp_path: Path) -> None:
    official.put("weak.pth", srvgg.srvgg_state(other))

    with pytest.raises(WeightsDamaged, match=r"general.pth and .*weak.pth hold weights of different networks"):
        Conversion("net.onnx", SMALL, 0.5).make(official, tmp_path, run)


def test_a_folder_that_cannot_be_written_is_named(official: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConversionFailed, match=r"file/made/net.onnx cannot be written: Not a directory"):
        Conversion("net.onnx", SMALL).make(official, tmp_path / "file" / "made", run)


@pytest.mark.parametrize(
    ("names", "strength", "sentence"),
    [
        (
            ["parsenet.onnx", "GFPGANv1.4.onnx"],
            None,
            "GFPGANv1.4.onnx is not made by converting; choose from gfpgan_1.2.onnx, ",
        ),
        (["gfpgan_1.4.onnx"], 0.5, "gfpgan_1.4.onnx: no denoise strength to choose; real_esrgan_x4v3.onnx has one"),
        (["real_esrgan_x4v3.onnx"], 1.5, "the denoise strength must lie between 0 and 1, not 1.5"),
        (["real_esrgan_x4v3.onnx"], float("nan"), "the denoise strength must lie between 0 and 1, not nan"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_read(
    names: list[str], strength: float | None, sentence: str
) -> None:
    with pytest.raises(ConversionFailed, match=sentence):
        plan(names, strength)


def test_a_denoise_strength_is_for_the_files_that_have_one() -> None:
    planned = plan(["gfpgan_1.4.onnx", "real_esrgan_x4v3.onnx"], 0.5)

    assert [each.denoise_strength for each in planned] == [1.0, 0.5]


@pytest.mark.full_size
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "file", "state"),
    [
        ("gfpgan_1.4.onnx", "GFPGANv1.4.pth", lambda: gfpgan.gfpgan_state(gfpgan.FULL)),
        ("real_esrgan_x4v3.onnx", "realesr-general-x4v3.pth", lambda: srvgg.srvgg_state(srvgg.FULL)),
        ("real_esrgan_x4plus.onnx", "RealESRGAN_x4plus.pth", lambda: rrdb.rrdb_state(rrdb.FULL_X4)),
        ("real_esrgan_x2plus.onnx", "RealESRGAN_x2plus.pth", lambda: rrdb.rrdb_state(rrdb.FULL_X2)),
        (
            "parsenet.onnx",
            "parsing_parsenet.pth",
            lambda: _random_state(lambda: ParseNet(in_size=512, out_size=512, parsing_ch=19)),
        ),
    ],
    ids=["gfpgan", "x4v3", "x4plus", "x2plus", "parsenet"],
)
def test_networks_of_full_size_are_made(name: str, file: str, state: Any, official: Folder, tmp_path: Path) -> None:
    official.put(file, state())

    assert plan([name])[0].make(official, tmp_path / "made", run).is_file()
