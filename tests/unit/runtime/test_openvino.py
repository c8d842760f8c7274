"""OpenVINO behind our Session: the same answers as ONNX Runtime's, in the same words, from any thread."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import StageFailed
from predictor.runtime.engine import EngineFailed
from predictor.runtime.graphs import free_batch_and_size
from predictor.runtime.onnx import OnnxEngine
from predictor.runtime.openvino import OpenVinoEngine
from predictor.runtime.session import Network

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.runtime.session import Tensor

PICTURE = np.ones((10, 3, 32, 32), np.float32)
# A handler runs on the stack that the thread has for signals, as here: faulthandler gives it one, and OpenVINO another.
STOPPED = """
import faulthandler, signal
from predictor.runtime.openvino import OpenVinoEngine

faulthandler.enable()
signal.signal(signal.SIGTERM, lambda *_: print("stopped in order"))
engines = [OpenVinoEngine(1), OpenVinoEngine(1)]
while engines:
    engines.pop(0)
signal.raise_signal(signal.SIGTERM)
"""


@pytest.fixture(scope="module")
def engine() -> OpenVinoEngine:
    return OpenVinoEngine(2)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_a_network_runs_from_a_file_and_from_memory(engine: OpenVinoEngine, network: Path, *, as_bytes: bool) -> None:
    session = engine.open(Network("sums", network.read_bytes() if as_bytes else network, {}), "fp32")

    (sums,) = session.run(None, {"picture": PICTURE})

    assert (sums.shape, sums.min(), sums.max()) == ((10, 1, 16, 16), 12.0, 12.0)
    assert [(node.name, list(node.shape)) for node in session.get_inputs()] == [("picture", [10, 3, 32, 32])]
    assert [(node.name, list(node.shape)) for node in session.get_outputs()] == [("sums", [10, 1, 16, 16])]


def test_a_free_network_takes_any_size_and_says_so_in_words(engine: OpenVinoEngine, network: Path) -> None:
    freed = Network("sums", free_batch_and_size(network), {})
    session, yardstick = engine.open(freed, "fp32"), OnnxEngine(1).open(freed)

    for shape in ((1, 3, 8, 6), (2, 3, 32, 16), (1, 3, 8, 6)):
        picture = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        (given,), (expected,) = (one.run(None, {"picture": picture}) for one in (session, yardstick))
        assert np.allclose(given, expected)
    (shape_of_input,) = [node.shape for node in session.get_inputs()]
    assert [type(side) for side in shape_of_input] == [str, int, str, str]


def test_a_file_may_go_once_the_session_is_open(engine: OpenVinoEngine, network: Path) -> None:
    session = engine.open(Network("sums", network, {}), "fp32")
    network.unlink()

    assert session.run(None, {"picture": PICTURE})[0].max() == 12.0


def test_only_the_outputs_that_are_named_are_given(engine: OpenVinoEngine, network: Path) -> None:
    session = engine.open(Network("sums", network, {}), "fp32")

    assert len(session.run(["sums"], {"picture": PICTURE})) == 1
    with pytest.raises(StageFailed):
        session.run(["differences"], {"picture": PICTURE})


def test_an_answer_is_the_callers_own(engine: OpenVinoEngine, network: Path) -> None:
    session = engine.open(Network("sums", network, {}), "fp32")

    (first,) = session.run(None, {"picture": PICTURE})
    session.run(None, {"picture": PICTURE * 2})

    assert first.max() == 12.0
    assert first.flags.writeable


def test_threads_are_as_many_as_asked_on_one_stream(engine: OpenVinoEngine, network: Path) -> None:
    compiled = engine.open(Network("sums", network, {}), "fp32")._compiled

    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_many_threads_at_once_get_what_each_would_get_alone(
    engine: OpenVinoEngine, network: Path, rng: np.random.Generator
) -> None:
    session = engine.open(Network("sums", free_batch_and_size(network), {}), "fp32")
    feeds = [{"picture": rng.uniform(size=(1 + n % 3, 3, 16 + 2 * (n % 5), 32)).astype(np.float32)} for n in range(64)]
    alone = [session.run(None, feed)[0].tobytes() for feed in feeds]

    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda feed: session.run(None, feed)[0].tobytes(), feeds))

    assert together == alone
    assert len(session._idle) <= 16


@pytest.mark.parametrize(
    "feed",
    [
        {"picture": np.ones((1, 3, 8, 8), np.float32)},
        {"picture": PICTURE.astype(np.float64)},
        {"painting": PICTURE},
        {},
    ],
    ids=["shape", "type", "name", "nothing"],
)
def test_an_input_that_does_not_fit_fails_the_stage_in_our_words(
    engine: OpenVinoEngine, network: Path, feed: dict[str, Tensor]
) -> None:
    session = engine.open(Network("sums", network, {}), "fp32")

    with pytest.raises(StageFailed, match=r"^sums: the network refused its input or broke down$"):
        session.run(None, feed)

    assert session.run(None, {"picture": PICTURE})[0].max() == 12.0


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_what_is_no_network_cannot_be_opened(engine: OpenVinoEngine, tmp_path: Path, *, as_bytes: bool) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(EngineFailed, match=r"^sums: "):
        engine.open(Network("sums", path.read_bytes() if as_bytes else path, {}), "fp32")


def test_a_precision_that_is_given_in_another_is_refused(engine: OpenVinoEngine, network: Path) -> None:
    given = {engine.reduced, "fp32"}
    (other,) = {"bf16", "fp16"} - given if engine.reduced else {"fp16"}

    with pytest.raises(EngineFailed, match=f"{other} was asked for and .* given"):
        engine.open(Network("sums", network, {}), other)


def test_less_than_fp32_is_less_than_fp32(engine: OpenVinoEngine, network: Path, rng: np.random.Generator) -> None:
    if engine.reduced is None:
        pytest.skip("this processor computes in nothing below fp32")
    feed = {"picture": rng.uniform(size=(10, 3, 32, 32)).astype(np.float32)}

    full, less = (engine.open(Network("sums", network, {}), one).run(None, feed)[0] for one in ("fp32", engine.reduced))

    assert not np.array_equal(full, less)
    assert np.allclose(full, less, rtol=2**-7)


@pytest.mark.parametrize(
    ("cpuinfo", "capabilities", "reduced"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16\n", ["BF16", "FP32"], "bf16"),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", ["BF16", "FP32"], "bf16"),
        ("Features\t: fp asimd bf16\n", ["BF16", "FP32"], "bf16"),
        ("flags\t\t: fpu avx512f\n", ["BF16", "FP32"], None),  # it would be imitated
        ("flags\t\t: fpu avx512_bf16\n", ["FP32", "INT8"], None),  # OpenVINO cannot use it
        ("Features\t: fp asimd asimdhp\n", ["FP32", "FP16"], "fp16"),
        (None, ["BF16", "FP32"], None),
    ],
)
def test_bf16_is_for_processors_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str | None, capabilities: list[str], reduced: str | None
) -> None:
    if cpuinfo is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\n{cpuinfo}bugs\t\t: bf16\n")
    monkeypatch.setattr("openvino.Core.get_property", lambda *_: capabilities)

    assert OpenVinoEngine(1, tmp_path).reduced == reduced


def test_a_process_can_be_stopped_after_engines_have_come_and_gone() -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "stopped in order\n"), done.stderr


def test_what_bounds_memory_is_accepted_and_its_end_would_be_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    OpenVinoEngine(1)
    assert caplog.text == ""

    def refuse(*_: object) -> None:
        raise RuntimeError("Unsupported property")

    monkeypatch.setattr("openvino.Core.set_property", refuse)
    OpenVinoEngine(1)

    assert "memory will grow with every new size of a picture: Unsupported property" in caplog.text
