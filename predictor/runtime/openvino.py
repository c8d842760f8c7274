"""Opens networks with OpenVINO's own package, and is the only place that imports it.

It alone runs convolutions in bf16 where the processor can: half of ONNX Runtime's processor time or less on all of our
networks; in fp32 it takes 0.74 to 1.06 of it. ONNX Runtime's OpenVINO provider would do the same, but comes as a build
that takes the place of the plain one and lags behind it. A graph is compiled once with the shapes it declares, free
ones left free: measured as fast as a compiled model for every shape, without a copy of the weights for each.
"""

from __future__ import annotations

import io
import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openvino

from predictor.errors import StageFailed
from predictor.runtime.engine import EngineFailed, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from predictor.runtime.session import Network, Tensor

_log = logging.getLogger(__name__)
_DEVICE = "CPU"
# Of one network, for all sizes it met. OpenVINO's default of 5000 was 600 MB for a detector that met 200 sizes; to make
# one anew takes 40 microseconds.
_KEPT_KERNELS = 1000
_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
# Flags of /proc/cpuinfo, x86 and Arm; where there is none of them, OpenVINO would imitate bf16 and gain nothing.
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# One for the whole process, never let go. A core has the thread that first asks it for a device take its signals on a
# stack of the core's own (its sigstack_manager.cpp), and of two cores the one that goes last gives the thread the
# other's back, which is freed by then: the next signal, a SIGTERM or Ctrl-C, would end the process (OpenVINO 2026.4).
_CORE = openvino.Core()


class OpenVinoEngine:
    """OpenVINO on this machine's processor.

    Args:
        threads: How many work on one call.
        tree: Where `proc` is looked for.
    """

    provider = "openvino"

    def __init__(self, threads: int, tree: Path = Path("/")) -> None:
        self._threads = threads
        self.reduced = _reduced(_CORE.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"), tree)
        self._bound_kernels()

    def open(self, network: Network, precision: str) -> OpenVinoSession:
        """Compile a network.

        Raises:
            EngineFailed: OpenVINO cannot, or would run it in another precision.
        """
        model = network.model
        try:
            read = _CORE.read_model(io.BytesIO(model) if isinstance(model, bytes) else model)
            compiled = _CORE.compile_model(read, _DEVICE, self._options(precision))
        except Exception as error:  # OpenVINO's errors have no root of their own below Exception
            raise EngineFailed(f"{network.name}: {words_of(error)}") from error
        given = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if given != _TYPES[precision]:
            raise EngineFailed(f"{network.name}: {precision} was asked for and {given} given")
        return OpenVinoSession(compiled, network.name)

    def _bound_kernels(self) -> None:
        try:
            _CORE.set_property(_DEVICE, {"CPU_RUNTIME_CACHE_CAPACITY": str(_KEPT_KERNELS)})
        except RuntimeError as error:  # it is in no document, so it may go
            _log.warning("memory will grow with every new size of a picture: %s", words_of(error))

    def _options(self, precision: str) -> dict[str, Any]:
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads,
            # The cgroup's quota says how many threads; where they run is the kernel's business.
            "ENABLE_CPU_PINNING": False,
            "ENABLE_HYPER_THREADING": True,
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }


@dataclass(frozen=True, slots=True)
class OpenVinoNode:
    """An input or output, in ONNX Runtime's words."""

    name: str
    shape: Sequence[int | str | None]


class OpenVinoSession:
    """A compiled network. Every call has a request of its own; requests are kept, as many as ever ran at once."""

    def __init__(self, compiled: openvino.CompiledModel, name: str) -> None:
        self._compiled = compiled
        self._name = name
        self._inputs = [OpenVinoNode(_name(port), _shape(port)) for port in compiled.inputs]
        self._outputs = [OpenVinoNode(_name(port), _shape(port)) for port in compiled.outputs]
        ports = zip(self._inputs, compiled.inputs, strict=True)
        self._types = {node.name: port.get_element_type().to_dtype() for node, port in ports}
        self._idle: deque[openvino.InferRequest] = deque()

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Tensor]) -> list[Tensor]:
        """Run once; None asks for every output, in the graph's order.

        Raises:
            StageFailed: OpenVINO refused the input or broke down.
        """
        names = [node.name for node in self._outputs]
        try:
            self._check(input_feed)
            wanted = range(len(names)) if output_names is None else [names.index(name) for name in output_names]
            request = self._request()
            request.infer(dict(input_feed))
            outputs = [request.get_output_tensor(number).data.copy() for number in wanted]
        except Exception as error:  # OpenVINO's errors have no root of their own below Exception
            raise StageFailed(self._name, "the network refused its input or broke down") from error
        self._idle.append(request)
        return outputs

    def get_inputs(self) -> Sequence[OpenVinoNode]:
        """Return the inputs."""
        return self._inputs

    def get_outputs(self) -> Sequence[OpenVinoNode]:
        """Return the outputs."""
        return self._outputs

    def _request(self) -> openvino.InferRequest:
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def _check(self, feed: Mapping[str, Tensor]) -> None:
        """Refuse what OpenVINO would convert or fill in without a word."""
        if feed.keys() != self._types.keys():
            raise ValueError(f"the inputs are {sorted(self._types)}, not {sorted(feed)}")
        for name, tensor in feed.items():
            if tensor.dtype != self._types[name]:
                raise ValueError(f"{name} is {self._types[name]}, not {tensor.dtype}")


def _name(port: openvino.ConstOutput) -> str:
    """Return the graph's own name of a port: an input's node has it; a tensor's other names are made up by passes."""
    names = port.get_names()
    friendly = port.get_node().get_friendly_name()
    return str(friendly if friendly in names else port.get_any_name())


def _shape(port: openvino.ConstOutput) -> list[int | str | None]:
    # As ONNX Runtime does, a word where a side is free: insightface's classes look for it.
    return [side.get_length() if side.is_static else "free" for side in port.get_partial_shape()]


def _reduced(capabilities: Sequence[str], tree: Path) -> str | None:
    if "BF16" in capabilities and _BF16_FLAGS & _processor_flags(tree):
        return "bf16"
    return "fp16" if "FP16" in capabilities else None


def _processor_flags(tree: Path) -> set[str]:
    try:
        lines = (tree / "proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    lists = [line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))]
    return set().union(*lists)
