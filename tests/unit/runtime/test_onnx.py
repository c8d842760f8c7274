"""Sessions on the processor open with our settings, run, and say what is wrong in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import StageFailed
from predictor.runtime.engine import EngineFailed
from predictor.runtime.onnx import BoundSession, OnnxEngine
from predictor.runtime.session import Network

if TYPE_CHECKING:
    from pathlib import Path

    from predictor.runtime.session import Tensor

ENGINE = OnnxEngine(1)
PICTURE = np.ones((10, 3, 32, 32), np.float32)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_a_network_runs_from_a_file_and_from_memory(network: Path, *, as_bytes: bool) -> None:
    session = ENGINE.open(Network("sums", network.read_bytes() if as_bytes else network, {}))

    (sums,) = session.run(None, {"picture": PICTURE})

    assert (sums.shape, sums.min(), sums.max()) == ((10, 1, 16, 16), 12.0, 12.0)
    assert [(node.name, list(node.shape)) for node in session.get_inputs()] == [("picture", [10, 3, 32, 32])]
    assert [(node.name, list(node.shape)) for node in session.get_outputs()] == [("sums", [10, 1, 16, 16])]


def test_only_the_outputs_that_are_named_are_given(network: Path) -> None:
    outputs = ENGINE.open(Network("sums", network, {})).run(["sums"], {"picture": PICTURE})

    assert len(outputs) == 1


def test_threads_are_as_many_as_asked_and_do_not_spin(network: Path) -> None:
    options = OnnxEngine(3).open(Network("sums", network, {}))._session.get_session_options()

    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize("as_bytes", [False, True], ids=["path", "bytes"])
def test_what_is_no_network_cannot_be_opened(tmp_path: Path, *, as_bytes: bool) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(EngineFailed, match=r"^sums: "):
        ENGINE.open(Network("sums", path.read_bytes() if as_bytes else path, {}))


@pytest.mark.parametrize(
    "feed",
    [
        {"picture": np.ones((1, 3, 8, 8), np.float32)},
        {"picture": PICTURE.astype(np.float64)},
        {"painting": PICTURE},
    ],
    ids=["shape", "type", "name"],
)
def test_an_input_that_does_not_fit_fails_the_stage_in_our_words(network: Path, feed: dict[str, Tensor]) -> None:
    session = ENGINE.open(Network("sums", network, {}))

    with pytest.raises(StageFailed, match=r"^sums: the network refused its input or broke down$"):
        session.run(None, feed)


def test_nothing_is_written_to_the_terminal(network: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = ENGINE.open(Network("sums", network, {}))

    with pytest.raises(StageFailed):
        session.run(None, {"picture": np.ones((10, 3, 1, 1), np.float32)})

    assert capfd.readouterr() == ("", "")


def test_a_bound_session_answers_as_a_plain_one_does(network: Path, rng: np.random.Generator) -> None:
    plain = ENGINE.open(Network("sums", network, {}))
    bound = BoundSession(plain._session, "sums", device="cpu")
    turned = rng.uniform(size=(10, 32, 32, 3)).astype(np.float32).transpose(0, 3, 1, 2)  # not contiguous

    for names in (None, ["sums"]):
        (expected,), (given,) = (session.run(names, {"picture": turned}) for session in (plain, bound))
        assert np.array_equal(expected, given)


def test_a_bound_session_fails_in_the_same_words(network: Path) -> None:
    bound = BoundSession(ENGINE.open(Network("sums", network, {}))._session, "sums", device="cpu")

    with pytest.raises(StageFailed, match=r"^sums: the network refused its input or broke down$"):
        bound.run(None, {"painting": PICTURE})
