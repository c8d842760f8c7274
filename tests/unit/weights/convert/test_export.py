from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from predictor.errors import ConversionFailed

torch: Any = pytest.importorskip("torch", reason="the extra torch is not installed: make setup-torch")

from predictor.weights.convert.export import export

pytestmark = pytest.mark.needs_torch


class Doubled(torch.nn.Module):
    def forward(self, image: Any) -> Any:
        return torch.nn.functional.interpolate(image, scale_factor=2, mode="nearest") * 0.5


class DependsOnPixels(torch.nn.Module):
    def forward(self, image: Any) -> Any:
        return image * 2 if image.sum() > 0 else image


def _shape(value: onnx.ValueInfoProto) -> list[str | int]:
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def test_free_axes_have_names_and_take_any_length() -> None:
    graph = export(Doubled().eval(), torch.zeros(2, 3, 4, 6), (0, 2, 3))

    assert _shape(graph.graph.input[0]) == ["batch", 3, "height", "width"]
    assert _shape(graph.graph.output[0]) == ["batch", 3, "2*height", "2*width"]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (answer,) = session.run(["output"], {"input": np.ones((1, 3, 5, 7), np.float32)})
    assert answer.shape == (1, 3, 10, 14)


def test_fixed_axes_stay_fixed() -> None:
    graph = export(Doubled().eval(), torch.zeros(2, 3, 4, 6), (0,))

    assert _shape(graph.graph.input[0]) == ["batch", 3, 4, 6]


def test_a_graph_says_nothing_about_the_machine_it_was_made_on() -> None:
    graph = export(Doubled().eval(), torch.zeros(2, 3, 4, 6), (0,))

    assert __file__.encode() not in graph.SerializeToString()
    assert not any(node.metadata_props for node in graph.graph.node)


def test_what_cannot_be_said_in_onnx_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConversionFailed, match=r"^torch cannot write DependsOnPixels as ONNX: [^\n]+$"):
        export(DependsOnPixels().eval(), torch.zeros(2, 3, 4, 6), (0,))
