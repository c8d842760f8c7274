"""A graph that was declared for one size takes any, and computes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from predictor.errors import StageFailed, StartupError
from predictor.runtime.graphs import free_batch_and_size
from predictor.runtime.onnx import open_onnx
from predictor.runtime.session import Network

if TYPE_CHECKING:
    from pathlib import Path


def test_a_freed_graph_takes_any_number_and_size(network: Path) -> None:
    picture = np.arange(2 * 3 * 8 * 6, dtype=np.float32).reshape(2, 3, 8, 6)
    with pytest.raises(StageFailed):
        open_onnx(Network("sums", network, {}), ["CPUExecutionProvider"], threads=1).run(None, {"picture": picture})

    freed = open_onnx(Network("sums", free_batch_and_size(network), {}), ["CPUExecutionProvider"], threads=1)
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
