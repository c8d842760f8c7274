"""The shape of a session: ONNX Runtime's own words, so that a stage takes a real one or a test's fake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

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


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network that is to be opened, and how to find out whether it runs well."""

    name: str
    """What logs, errors and the model metadata call it: `inswapper_128`."""
    model: Path | bytes
    """An `.onnx` file, or a graph rewritten in memory."""
    probe: Mapping[str, Tensor]
    """An input like the real ones; what runs it in less than fp32 must agree with fp32 on it."""
    tolerance: float = 0.02
    """How far an output may be from fp32's: the root of the mean square of the difference, as a share of that of
    fp32's own output about its mean."""


OpenSession: TypeAlias = Callable[[Network], Session]
"""Makes a session of a network; raises StartupError where that cannot be done."""


def suspicious(tensor: Tensor) -> str | None:
    """Return what is wrong with a network's answer (not finite, constant), or None."""
    if not np.isfinite(tensor).all():
        return "not finite"
    if tensor.size > 1 and float(np.ptp(tensor)) == 0.0:
        return "constant"
    return None
