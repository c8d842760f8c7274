"""Builds an ONNX graph node by node. A tensor is known by its name; weights come from a seeded generator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = npt.NDArray[np.float32]
State = dict[str, Floats]
"""Weights by the names the official PyTorch code gives them: what a .pth holds."""

_IR_VERSIONS = {11: 6, 17: 8}  # what exporters of that time wrote


class Weights:
    """Draws weights that keep activations near 1: no overflow, and no denormals, which would spoil a timing."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def normal(self, shape: Sequence[int], deviation: float) -> Floats:
        """Return normally distributed numbers around 0."""
        return self._rng.standard_normal(tuple(shape), np.float32) * np.float32(deviation)

    def kernel(self, inputs: int, outputs: int, size: int = 3, gain: float = 1.0) -> Kernel:
        """Return a convolution that, with a gain of 1 and a ReLU before it, keeps the variance.

        Source: He et al., "Delving Deep into Rectifiers", 2015.
        """
        weight = self.normal((outputs, inputs, size, size), gain * math.sqrt(2 / (inputs * size * size)))
        return Kernel(weight, self.normal((outputs,), 0.02))


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The weights of a convolution."""

    weight: Floats
    """Shape (outputs, inputs, size, size)."""
    bias: Floats | None
    name: str = ""
    """What its initializers are called after; made up where empty."""

    @classmethod
    def of(cls, state: Mapping[str, Floats], name: str) -> Kernel:
        """Return the convolution that a state dict calls so; it may have no bias."""
        return cls(state[f"{name}.weight"], state.get(f"{name}.bias"), name)


class Net:
    """A graph that is being built."""

    def __init__(self, name: str, opset: int = 17) -> None:
        self.name, self.opset = name, opset
        self._nodes: list[NodeProto] = []
        self._initializers: list[TensorProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Declare an input; a side that is a word is free."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> None:
        """Declare a tensor an output."""
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, values: npt.ArrayLike, name: str = "") -> str:
        """Add an initializer: integers as int64, all else as float32."""
        array = np.asarray(values)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32, copy=False)
        name = name or f"constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:  # noqa: ANN401  as ONNX has it
        """Add an operator with one output."""
        (name,) = self._add(kind, inputs, [output or f"{kind.lower()}_{len(self._nodes)}"], attributes)
        return name

    def halves(self, x: str, channels: int) -> tuple[str, str]:
        """Split a tensor of that many channels in two."""
        sizes = self.constant([channels // 2, channels - channels // 2])
        number = len(self._nodes)
        first, second = self._add("Split", (x, sizes), [f"split_{number}_first", f"split_{number}_second"], {"axis": 1})
        return first, second

    def _add(self, kind: str, inputs: Sequence[str], outputs: list[str], attributes: Mapping[str, Any]) -> list[str]:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, name=name, **attributes))
        return outputs

    def conv(self, x: str, kernel: Kernel, stride: int = 1, padding: int | None = None) -> str:
        """Convolve; without a padding the size is kept but for the stride."""
        size = kernel.weight.shape[2]
        padding = size // 2 if padding is None else padding
        names = {part: kernel.name and f"{kernel.name}.{part}" for part in ("weight", "bias")}
        inputs = [x, self.constant(kernel.weight, names["weight"])]
        if kernel.bias is not None:
            inputs.append(self.constant(kernel.bias, names["bias"]))
        return self.node("Conv", *inputs, **conv_attributes(size, stride, padding))

    def relu(self, x: str) -> str:
        """Cut off what is below 0."""
        return self.node("Relu", x)

    def leaky_relu(self, x: str) -> str:
        """Keep a fifth of what is below 0."""
        return self.node("LeakyRelu", x, alpha=0.2)

    def prelu(self, x: str, slopes: Floats, name: str = "") -> str:
        """Keep of what is below 0 a share of its own per channel, shape (C,)."""
        return self.node("PRelu", x, self.constant(slopes.reshape(-1, 1, 1), name))

    def batch_norm(self, x: str, channels: int, output: str = "") -> str:
        """Normalise by statistics of 0 and 1: the cost without an effect."""
        ones, zeros = np.ones(channels), np.zeros(channels)
        parts = [self.constant(values) for values in (ones, zeros, zeros, ones)]
        return self.node("BatchNormalization", x, *parts, output=output, epsilon=1e-5)

    def gemm(self, x: str, weight: str, bias: str) -> str:
        """Multiply with a matrix of shape (outputs, inputs) and add."""
        return self.node("Gemm", x, weight, bias, transB=1)

    def nearest(self, x: str, scale: float) -> str:
        """Resize by repeating pixels."""
        return self._resize(x, scale, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def linear(self, x: str, scale: float) -> str:
        """Resize, linear between pixels."""
        return self._resize(x, scale, mode="linear", coordinate_transformation_mode="half_pixel")

    def _resize(self, x: str, scale: float, **attributes: str) -> str:
        region = "" if self.opset > 11 else self.constant(np.empty(0))  # noqa: PLR2004  may be left out since then
        return self.node("Resize", x, region, self.constant([1.0, 1.0, scale, scale]), **attributes)

    def serialized(self) -> bytes:
        """Return the graph as the bytes of an .onnx file; the same graph gives the same bytes."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, self._initializers)
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="predictor.stand_ins"
        )
        model.ir_version = _IR_VERSIONS[self.opset]
        return model.SerializeToString()


def conv_attributes(size: int, stride: int = 1, padding: int = 0) -> dict[str, Any]:
    """Return what a Conv node says of itself."""
    return {
        "kernel_shape": [size, size],
        "strides": [stride, stride],
        "pads": [padding] * 4,
        "dilations": [1, 1],
        "group": 1,
    }
