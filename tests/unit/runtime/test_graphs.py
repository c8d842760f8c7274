"""A graph that was declared for one size takes any, and computes the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from predictor.errors import StageFailed, StartupError
from predictor.runtime.graphs import free_batch, free_batch_and_size
from predictor.runtime.onnx import OnnxEngine
from predictor.runtime.session import Network


def test_a_freed_graph_takes_any_number_and_size(network: Path) -> None:
    picture = np.arange(2 * 3 * 8 * 6, dtype=np.float32).reshape(2, 3, 8, 6)
    with pytest.raises(StageFailed):
        OnnxEngine(1).open(Network("sums", network, {})).run(None, {"picture": picture})

    freed = OnnxEngine(1).open(Network("sums", free_batch_and_size(network), {}))
    (sums,) = freed.run(None, {"picture": picture})

    assert np.array_equal(sums, picture.reshape(2, 3, 4, 2, 3, 2).sum(axis=(1, 3, 5))[:, None])


def test_only_shapes_change_and_weights_keep_theirs(network: Path) -> None:
    before, after = onnx.load(network), onnx.load_from_string(free_batch_and_size(network))

    assert after.graph.node == before.graph.node
    assert after.graph.initializer == before.graph.initializer
    picture, weights = after.graph.input
    assert [d.dim_value for d in weights.type.tensor_type.shape.dim] == [1, 3, 2, 2]
    assert [d.dim_value for d in picture.type.tensor_type.shape.dim] == [0, 3, 0, 0]
    (sums,) = after.graph.output
    free = [value.type.tensor_type.shape.dim[n].dim_param for value in (picture, sums) for n in (2, 3)]
    assert len(set(free)) == 4  # a name that two sizes shared would make them equal


@pytest.mark.parametrize("content", [None, b"not a network"], ids=["missing", "broken"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartupError, match=r"some\.onnx"):
        free_batch_and_size(path)


def test_a_graph_is_lent_with_a_free_batch_as_a_file_of_the_same_name_that_goes_again(network: Path) -> None:
    picture = np.arange(2 * 3 * 32 * 32, dtype=np.float32).reshape(2, 3, 32, 32)

    with free_batch(network) as lent:
        session = OnnxEngine(1).open(Network("sums", lent, {}))
        assert isinstance(lent, Path)
        assert lent.name == network.name

    assert not lent.exists()
    (sums,) = session.run(None, {"picture": picture})
    assert np.array_equal(sums, picture.reshape(2, 3, 16, 2, 16, 2).sum(axis=(1, 3, 5))[:, None])


def test_sizes_other_than_the_batch_stay_declared(network: Path) -> None:
    with free_batch(network) as lent:
        assert isinstance(lent, Path)
        picture, weights = onnx.load(lent).graph.input

    assert [(d.dim_value, d.dim_param) for d in picture.type.tensor_type.shape.dim] == [
        (0, "batch"),
        (3, ""),
        (32, ""),
        (32, ""),
    ]
    assert weights.type.tensor_type.shape.dim[0].dim_value == 1


def test_where_no_file_can_be_written_the_graph_is_lent_in_memory(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

    with free_batch(network) as lent:
        assert isinstance(lent, bytes)
        assert onnx.load_from_string(lent).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("content", [None, b"not a network"], ids=["missing", "broken"])
def test_a_file_whose_batch_cannot_be_freed_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StartupError, match=r"some\.onnx"), free_batch(path):
        pass
