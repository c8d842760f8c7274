"""Opens networks with ONNX Runtime, and is the only place that does.

Every session has a pool of threads as large as the cgroup pays for, which sleep between two calls. ONNX Runtime's one
global pool would be the other way to keep sessions from fighting for the processor, but from Python it cannot be told
not to spin: it burnt 36 ms of a processor after every call, and a job that changes between networks and OpenCV took
1.5 times the processor time, and longer.
"""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from predictor.errors import ProviderUnavailable, StageFailed
from predictor.runtime.engine import EngineFailed, words_of
from predictor.runtime.gpu import cuda_options, engine_folder, tensorrt_options
from predictor.runtime.half import in_half_precision
from predictor.runtime.session import Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from predictor.runtime.session import Node, Tensor

_log = logging.getLogger(__name__)
_FATAL_ONLY = 4
_EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


class OnnxEngine:
    """ONNX Runtime on the processor.

    Args:
        threads: How many work on one call.
    """

    provider = "cpu"
    reduced = None  # it has no convolution in bf16 or fp16 here: such graphs run, and gain nothing

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def open(self, network: Network, _precision: str = "fp32") -> OnnxSession:
        """Make a session.

        Raises:
            EngineFailed: The file is no network that ONNX Runtime can run.
        """
        return OnnxSession(_open(network, {"cpu": {}}, self._threads), network.name)


class GpuEngine:
    """ONNX Runtime on a graphics card: with CUDA, or with TensorRT before it.

    Args:
        provider: `cuda` or `tensorrt`.
        threads: How many prepare what the card works on.
        cache: Where TensorRT's engines are kept.

    Raises:
        ProviderUnavailable: The installed ONNX Runtime has no such provider, or no card answers.
    """

    reduced = "fp16"

    def __init__(self, provider: str, threads: int, cache: Path) -> None:
        self.provider = provider
        self._threads = threads
        self._cache = cache
        self._require()

    def open(self, network: Network, precision: str) -> BoundSession:
        """Make a session; in fp16, CUDA gets a converted graph, and TensorRT chooses layer by layer.

        Raises:
            EngineFailed: ONNX Runtime cannot run it on the card.
        """
        try:
            providers = self._providers(network, precision)
            if self.provider == "cuda" and precision == "fp16":
                network = Network(network.name, in_half_precision(network.model), network.probe)
        except Exception as error:  # the converter meets a graph it does not know in many ways
            raise EngineFailed(f"{network.name}: {words_of(error)}") from error
        return BoundSession(_open(network, providers, self._threads), network.name)

    def _require(self) -> None:
        """Open a network that does nothing: only what the session got tells what can be had."""
        if _EXECUTION_PROVIDERS[self.provider] not in ort.get_available_providers():
            raise ProviderUnavailable(
                f"PREDICTOR_PROVIDER: {self.provider} cannot be had, the installed ONNX Runtime is built without it; "
                "install the extra cuda in place of the others, or choose auto"
            )
        _load_libraries()
        try:
            self.open(Network("identity", _identity(), {}), "fp32")
        except EngineFailed as error:
            _log.warning("%s", error)
            raise ProviderUnavailable(
                f"PREDICTOR_PROVIDER: {self.provider} cannot be had, no graphics card with its libraries answers here; "
                "choose auto or cpu"
            ) from error

    def _providers(self, network: Network, precision: str) -> dict[str, dict[str, str]]:
        # What TensorRT cannot run goes to CUDA, and what CUDA cannot, to the processor: arithmetic on shapes, mostly.
        others = {"cuda": cuda_options(precision), "cpu": {}}
        if self.provider == "cuda":
            return others
        folder = engine_folder(self._cache, network.name, network.model)
        return {"tensorrt": tensorrt_options(folder, precision), **others}


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
            return self._run(output_names, input_feed)
        except Exception as error:  # ONNX Runtime's errors have no root of their own below Exception
            raise StageFailed(self._name, "the network refused its input or broke down") from error

    def get_inputs(self) -> Sequence[Node]:
        """Return the inputs."""
        nodes: Sequence[Node] = self._session.get_inputs()
        return nodes

    def get_outputs(self) -> Sequence[Node]:
        """Return the outputs."""
        nodes: Sequence[Node] = self._session.get_outputs()
        return nodes

    def _run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        outputs: list[Tensor] = self._session.run(output_names, dict(input_feed))
        return outputs


class BoundSession(OnnxSession):
    """The same on a device with memory of its own: each input goes there once, and only what is asked for comes back.

    Args:
        session: ONNX Runtime's.
        name: The network's.
        device: Where outputs are kept until they are asked for.
    """

    def __init__(self, session: ort.InferenceSession, name: str, device: str = "cuda") -> None:
        super().__init__(session, name)
        self._device = device

    def _run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        binding = self._session.io_binding()  # one a call: threads must not share it
        for name, tensor in input_feed.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(tensor))
        for name in output_names or [node.name for node in self.get_outputs()]:
            binding.bind_output(name, self._device)
        self._session.run_with_iobinding(binding)
        outputs: list[Tensor] = binding.copy_outputs_to_cpu()
        return outputs


def _open(network: Network, providers: Mapping[str, Mapping[str, str]], threads: int) -> ort.InferenceSession:
    """Make ONNX Runtime's session, on the first of the providers and no other.

    Raises:
        EngineFailed: It cannot, or would fall back.
    """
    chain = [(_EXECUTION_PROVIDERS[name], dict(options)) for name, options in providers.items()]
    model = network.model if isinstance(network.model, bytes) else str(network.model)
    try:
        session = ort.InferenceSession(model, _options(threads), providers=chain, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no root of their own below Exception
        raise EngineFailed(f"{network.name}: {words_of(error)}") from error
    given = session.get_providers()[0]
    if given != chain[0][0]:  # ONNX Runtime goes on with the processor and says so in a log at most
        raise EngineFailed(f"{network.name}: {chain[0][0]} was asked for and {given} given")
    return session


def _options(threads: int) -> Any:  # noqa: ANN401  ONNX Runtime has no types
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _load_libraries() -> None:
    """Load NVIDIA's libraries where they came as packages; what ONNX Runtime prints of missing ones is logged."""
    ort.set_default_logger_severity(_FATAL_ONLY)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        ort.preload_dlls()
    if printed.getvalue():
        _log.info("%s", " ".join(printed.getvalue().split()))


def _identity() -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("given", "same")]
    graph = helper.make_graph([helper.make_node("Identity", ["given"], ["same"])], "identity", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())
