"""The shape of a session: ONNX Runtime's own words, so that a stage takes a real one or a test's fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]


class Node(Protocol):
    """An input or output of a network."""

    name: str
    shape: Sequence[int | str | None]


class Session(Protocol):
    """A network that is ready to run."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        """Run once; None asks for every output, in the graph's order."""

    def get_inputs(self) -> Sequence[Node]:
        """Return the inputs."""

    def get_outputs(self) -> Sequence[Node]:
        """Return the outputs."""


OpenSession: TypeAlias = Callable[[Path | bytes], Session]
"""Makes a session of a file, or of a graph rewritten in memory; raises StartupError where that cannot be done."""


def suspicious(tensor: Tensor) -> str | None:
    """Return what is wrong with a network's answer (not finite, constant), or None."""
    if not np.isfinite(tensor).all():
        return "not finite"
    if tensor.size > 1 and float(np.ptp(tensor)) == 0.0:
        return "constant"
    return None
