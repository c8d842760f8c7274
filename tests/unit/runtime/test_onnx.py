"""Sessions open with our settings, run, and say what is wrong in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import StageFailed, StartupError
from predictor.runtime.onnx import open_onnx
from predictor.runtime.session import Network

if TYPE_CHECKING:
    from pathlib import Path

_CPU = ["CPUExecutionProvider"]


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_a_network_runs_from_a_file_and_from_memory(network: Path, *, as_bytes: bool) -> None:
    session = open_onnx(Network("sums", network.read_bytes() if as_bytes else network, {}), _CPU, threads=1)

    (sums,) = session.run(None, {"picture": np.ones((10, 3, 32, 32), np.float32)})

    assert (sums.shape, sums.min(), sums.max()) == ((10, 1, 16, 16), 12.0, 12.0)
    assert [(node.name, list(node.shape)) for node in session.get_inputs()] == [("picture", [10, 3, 32, 32])]
    assert [(node.name, list(node.shape)) for node in session.get_outputs()] == [("sums", [10, 1, 16, 16])]


def test_only_the_outputs_that_are_named_are_given(network: Path) -> None:
    outputs = open_onnx(Network("sums", network, {}), _CPU, threads=1).run(
        ["sums"], {"picture": np.ones((10, 3, 32, 32), np.float32)}
    )

    assert len(outputs) == 1


def test_threads_are_as_many_as_asked_and_do_not_spin(network: Path) -> None:
    options = open_onnx(Network("sums", network, {}), _CPU, threads=3)._session.get_session_options()

    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"gone\.onnx does not exist"):
        open_onnx(Network("sums", tmp_path / "gone.onnx", {}), _CPU, threads=1)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_what_is_no_network_cannot_be_opened(tmp_path: Path, *, as_bytes: bool) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(StartupError, match=r"^sums cannot be opened: "):
        open_onnx(Network("sums", path.read_bytes() if as_bytes else path, {}), _CPU, threads=1)


@pytest.mark.parametrize(
    "feed",
    [
        {"picture": np.ones((1, 3, 8, 8), np.float32)},
        {"picture": np.ones((10, 3, 32, 32), np.float64)},
        {"painting": np.ones((10, 3, 32, 32), np.float32)},
    ],
    ids=["shape", "type", "name"],
)
def test_an_input_that_does_not_fit_fails_the_stage_in_one_line(
    network: Path, feed: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]
) -> None:
    session = open_onnx(Network("sums", network, {}), _CPU, threads=1)

    with pytest.raises(StageFailed, match=r"^sums: ") as caught:
        session.run(None, feed)

    assert "\n" not in caught.value.sentence


def test_nothing_is_written_to_the_terminal(network: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = open_onnx(Network("sums", network, {}), _CPU, threads=1)

    with pytest.raises(StageFailed):
        session.run(None, {"picture": np.ones((10, 3, 1, 1), np.float32)})

    assert capfd.readouterr() == ("", "")
