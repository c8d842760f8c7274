"""Rewrites of a graph before it runs."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError

from predictor.errors import StartupError
from predictor.runtime.graph_file import GraphFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANK_OF_PICTURES = 4


def free_batch_and_size(path: Path) -> bytes:
    """Return a graph whose pictures may come in any number and size.

    Only the declared shapes of inputs and outputs are rewritten, (N, C, H, W): the graph must be able to do it.

    Raises:
        StartupError: The file is missing or is no graph.
    """
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        raise StartupError(f"the network {path} cannot be read") from error
    weights = {weight.name for weight in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        if value.name not in weights and len(dimensions) == _RANK_OF_PICTURES:
            # Sizes differ from one input or output to the next, so each has a name of its own.
            dimensions[0].dim_param = "batch"
            dimensions[2].dim_param = f"{value.name}_height"
            dimensions[3].dim_param = f"{value.name}_width"
    return bytes(model.SerializeToString())


@contextmanager
def free_batch(path: Path) -> Iterator[Path | bytes]:
    """Lend a graph whose inputs come in any number at once; the graph must be able to do it.

    It is lent as a file of the same name in a temporary folder, gone with the end of `with`: a session read from there
    takes 0.5 to 1 GB less at its peak than one read from memory. Where no such file can be written it is lent as bytes.

    Raises:
        StartupError: The file is missing or is no graph.
    """
    with ExitStack() as stack:
        with GraphFile(path) as graph:
            try:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                model: Path | bytes = Path(folder, path.name)  # caches of engines go by the name
                with Path(folder, path.name).open("wb") as file:
                    file.writelines(graph.rewritten(_free_the_first))
            except OSError:  # no room
                stack.close()
                model = b"".join(graph.rewritten(_free_the_first))
        yield model


def _free_the_first(value: onnx.ValueInfoProto) -> None:
    dimensions = value.type.tensor_type.shape.dim
    if dimensions:
        dimensions[0].dim_param = "batch"
