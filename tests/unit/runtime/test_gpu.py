"""CUDA and TensorRT: what ONNX Runtime is told, what is believed of its answer, and fp16 graphs, which also run here.

No card is needed: ONNX Runtime's constructor is replaced by one that opens on the processor and reports what it is
told to.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from predictor.errors import ProviderUnavailable
from predictor.runtime import onnx
from predictor.runtime.engine import EngineFailed
from predictor.runtime.gpu import cuda_options, engine_cache, engine_folder, tensorrt_options
from predictor.runtime.onnx import BoundSession, GpuEngine, OnnxEngine
from predictor.runtime.providers import Sessions
from predictor.runtime.session import Network, OpenedSession
from tests.unit.runtime.small import with_weights

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
PICTURE = np.ones((10, 3, 32, 32), np.float32)
Chain = list[tuple[str, Mapping[str, str]]]


class Card:
    """ONNX Runtime on a machine with a graphics card, or with one that does not answer."""

    def __init__(self, *, built_for: list[str], answers: bool = True) -> None:
        self.opened: list[tuple[bytes | str, Chain]] = []
        self._built_for = built_for
        self._answers = answers
        self.libraries_loaded = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Card:
        words = {
            "InferenceSession": self._session,
            "get_available_providers": lambda: [*self._built_for, CPU],
            "preload_dlls": self._preload,
        }
        stand_in = SimpleNamespace(**{**vars(onnxruntime), **words})
        monkeypatch.setattr(onnx, "ort", stand_in)
        monkeypatch.setattr(onnx, "BoundSession", lambda session, name: BoundSession(session, name, "cpu"))
        return self

    def _preload(self) -> None:
        self.libraries_loaded = True
        sys.stdout.write("libcublas is missing\n")

    def _session(self, model: bytes | str, options: object, *, providers: Chain, enable_fallback: int) -> object:
        assert not enable_fallback  # it would print, and try again on its own
        self.opened.append((model, providers))
        session = onnxruntime.InferenceSession(model, options, providers=[CPU])
        given = [name for name, _ in providers] if self._answers else [CPU]
        session.get_providers = lambda: given
        return session


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(built_for=[TENSORRT, CUDA]).install(monkeypatch)


def engine(provider: str, cache: Path = Path("unused")) -> GpuEngine:
    return GpuEngine(provider, 2, cache)


def test_a_build_without_cuda_is_refused_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(built_for=[]).install(monkeypatch)

    with pytest.raises(ProviderUnavailable, match=r"^PREDICTOR_PROVIDER: cuda cannot be had, .* built without it"):
        engine("cuda")

    assert card.opened == []


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_card_that_does_not_answer_is_refused_though_onnx_runtime_goes_on_without(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    provider: str,
) -> None:
    card = Card(built_for=[TENSORRT, CUDA], answers=False).install(monkeypatch)

    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ProviderUnavailable, match=f"^PREDICTOR_PROVIDER: {provider} cannot be had, no graphics card"),
    ):
        engine(provider, tmp_path)

    assert card.libraries_loaded
    assert "libcublas is missing" in caplog.text  # and not on the terminal
    assert capsys.readouterr() == ("", "")


def test_a_network_that_falls_back_to_the_processor_is_no_session(card: Card, network: Path) -> None:
    gpu = engine("cuda")
    card._answers = False

    with pytest.raises(EngineFailed, match=f"^sums: {CUDA} was asked for and {CPU} given$"):
        gpu.open(Network("sums", network, {}), "fp32")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_cuda_gets_a_graph_in_the_precision_that_was_asked_for(card: Card, network: Path, precision: str) -> None:
    session = engine("cuda").open(Network("sums", network, {}), precision)

    model, providers = card.opened[-1]
    assert isinstance(model, bytes) == (precision == "fp16")
    assert providers == [(CUDA, cuda_options(precision)), (CPU, {})]
    assert session.run(None, {"picture": PICTURE})[0].dtype == np.float32


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_gets_the_graph_as_it_is_and_a_folder_for_its_engines(
    card: Card, network: Path, tmp_path: Path, precision: str
) -> None:
    engine("tensorrt", tmp_path).open(Network("sums", network, {}), precision)

    model, providers = card.opened[-1]
    assert model == str(network)
    folder = engine_folder(tmp_path, "sums", network)
    assert providers == [
        (TENSORRT, tensorrt_options(folder, precision)),
        (CUDA, cuda_options(precision)),
        (CPU, {}),
    ]


def test_a_graph_that_cannot_be_converted_is_not_run_in_fp16(card: Card, tmp_path: Path) -> None:  # noqa: ARG001
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(EngineFailed, match=r"^sums: "):
        engine("cuda").open(Network("sums", path, {}), "fp16")


def test_a_network_proves_itself_in_fp16(card: Card, network: Path, rng: np.random.Generator) -> None:  # noqa: ARG001
    probe = {"picture": rng.uniform(size=(10, 3, 32, 32)).astype(np.float32)}
    sessions = Sessions(engine("cuda"), OnnxEngine(1), strict=True)

    sessions(Network("sums", network, probe))

    assert sessions.opened == (OpenedSession("sums", "cuda", "fp16"),)


def test_what_fp16_cannot_hold_runs_in_fp32(card: Card, network: Path, rng: np.random.Generator) -> None:  # noqa: ARG001
    model = with_weights(network, 1e6)  # fp16 ends at 65504
    sessions = Sessions(engine("cuda"), OnnxEngine(1))

    sessions(Network("sums", model, {"picture": rng.uniform(size=(10, 3, 32, 32)).astype(np.float32)}))

    (opened,) = sessions.opened
    assert (opened.provider, opened.precision) == ("cuda", "fp32")
    assert opened.note.startswith("not in fp16, off by ")


@pytest.mark.parametrize(("precision", "tf32", "fp16"), [("fp32", "0", "False"), ("fp16", "1", "True")])
def test_fp32_is_fp32(tmp_path: Path, precision: str, tf32: str, fp16: str) -> None:
    assert cuda_options(precision)["use_tf32"] == tf32
    assert tensorrt_options(tmp_path, precision)["trt_fp16_enable"] == fp16


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_other_weights_have_another_folder_of_engines(tmp_path: Path, network: Path, *, as_bytes: bool) -> None:
    before = engine_folder(tmp_path, "sums", network.read_bytes() if as_bytes else network)
    assert before.is_dir()
    assert before == engine_folder(tmp_path, "sums", network)

    network.write_bytes(network.read_bytes() + b"\0")

    assert engine_folder(tmp_path, "sums", network.read_bytes() if as_bytes else network) != before


def test_engines_are_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    folder = engine_cache()

    assert folder.is_dir()
    assert folder.parent.parent == tmp_path


def test_where_the_cache_is_read_only_engines_are_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert engine_cache().parent == tmp_path


def test_where_no_cache_can_be_made_engines_are_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert engine_cache().parent == tmp_path
