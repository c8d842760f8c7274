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

    @property
    def name(self) -> str:
        """As the graph calls it."""

    @property
    def shape(self) -> Sequence[int | str | None]:
        """Its sides; no number where it is free."""


class Session(Protocol):
    """A network that is ready to run; safe to run from several threads at once."""

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
    """An `.onnx` file, or a graph rewritten in memory; a file is not read any more once the session is open."""
    probe: Mapping[str, Tensor]
    """An input like the real ones; what runs it in less than fp32 must agree with fp32 on it. Without one it runs in
    fp32."""
    tolerance: float = 0.05
    """How far an output may be from fp32's: the root of the mean square of the difference, as a share of that of
    fp32's own output about its mean. Graphs of the real architectures with random weights measured 0.002 to 0.032 in
    bf16; what is broken (overflow, a kernel that is wrong) is off by the whole signal."""


OpenSession: TypeAlias = Callable[[Network], Session]
"""Makes a session of a network; raises StartupError where that cannot be done."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """How a network really runs, for logs, metrics and the model metadata."""

    name: str
    provider: str
    """`cpu`, `openvino`, `cuda` or `tensorrt`."""
    precision: str
    """`fp32`, `bf16` or `fp16`."""
    note: str = ""
    """Why it is not what was hoped for; empty where it is."""


def suspicious(tensor: Tensor) -> str | None:
    """Return what is wrong with a network's answer (not finite, constant), or None."""
    if not np.isfinite(tensor).all():
        return "not finite"
    if tensor.size > 1 and float(np.ptp(tensor)) == 0.0:
        return "constant"
    return None
