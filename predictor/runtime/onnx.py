"""Opens networks with ONNX Runtime, and is the only place that imports it.

The settings are the same for every network: threads as many as the cgroup pays for, which sleep between two calls
instead of spinning (the pools of several sessions would fight for the processor), and no log of ONNX Runtime's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from predictor.errors import StageFailed, StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.runtime.session import Network, Node, Tensor

_FATAL_ONLY = 4


class OnnxSession:
    """A network on ONNX Runtime; safe to run from several threads at once."""

    def __init__(self, session: ort.InferenceSession, name: str) -> None:
        self._session = session
        self._name = name

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        """Run once; None asks for every output, in the graph's order.

        Raises:
            StageFailed: ONNX Runtime refused the input or broke down.
        """
        try:
            outputs: list[Tensor] = self._session.run(output_names, dict(input_feed))
        except Exception as error:  # ONNX Runtime's errors have no root of their own below Exception
            raise StageFailed(self._name, _first_line(error)) from error
        return outputs

    def get_inputs(self) -> Sequence[Node]:
        """Return the inputs."""
        nodes: Sequence[Node] = self._session.get_inputs()
        return nodes

    def get_outputs(self) -> Sequence[Node]:
        """Return the outputs."""
        nodes: Sequence[Node] = self._session.get_outputs()
        return nodes


def open_onnx(network: Network, execution_providers: Sequence[str], threads: int) -> OnnxSession:
    """Make a session of a network.

    Args:
        network: What to open.
        execution_providers: ONNX Runtime's names, the preferred one first.
        threads: How many work on one call.

    Raises:
        StartupError: The file is missing, or is no network that ONNX Runtime can run.
    """
    model = network.model
    if not isinstance(model, bytes) and not model.is_file():
        raise StartupError(f"the network {model} does not exist")
    try:
        session = ort.InferenceSession(
            model if isinstance(model, bytes) else str(model), _options(threads), providers=list(execution_providers)
        )
    except Exception as error:  # ONNX Runtime's errors have no root of their own below Exception
        raise StartupError(f"{network.name} cannot be opened: {_first_line(error)}") from error
    return OnnxSession(session, network.name)


def _options(threads: int) -> Any:  # noqa: ANN401  ONNX Runtime has no types
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
