from __future__ import annotations

from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="the extra torch is not installed: make setup-torch")

from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean
from gfpgan.archs.stylegan2_clean_arch import ModulatedConv2d, StyleConv

from predictor.weights.convert.constant_weights import ModulatedConvolution, StyledConvolution, make_weights_constant

pytestmark = pytest.mark.needs_torch


@pytest.fixture(autouse=True)
def seeded() -> Any:
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("sample_mode", [None, "upsample"])
@pytest.mark.parametrize("demodulate", [True, False])
def test_a_convolution_with_constant_weights_is_the_same_function(sample_mode: str | None, *, demodulate: bool) -> None:
    official = ModulatedConv2d(5, 7, 3, 4, demodulate=demodulate, sample_mode=sample_mode)
    features, style = torch.randn(3, 5, 6, 8), torch.randn(3, 4)

    ours = ModulatedConvolution(official)

    torch.testing.assert_close(ours(features, style), official(features, style), rtol=1e-5, atol=1e-5)


def test_a_styled_convolution_adds_the_stored_noise_and_the_bias() -> None:
    official = StyleConv(5, 7, 3, 4)
    official.weight.fill_(0.3)
    official.bias.normal_()
    noise = torch.randn(1, 1, 6, 8)
    features, style = torch.randn(2, 5, 6, 8), torch.randn(2, 4)

    ours = StyledConvolution(official, noise)

    torch.testing.assert_close(ours(features, style), official(features, style, noise), rtol=1e-5, atol=1e-5)


def test_gfpgan_with_constant_weights_restores_the_same_faces() -> None:
    network = GFPGANv1Clean(
        32, 8, 1, fix_decoder=False, input_is_latent=True, different_w=True, narrow=1 / 32, sft_half=True
    ).eval()
    for name, weight in network.named_parameters():
        if name.startswith("stylegan_decoder") and name.endswith((".weight", ".bias")) and weight.numel() == 1:
            weight.fill_(0.5)  # as made they are 0, and no noise shows
    faces = torch.rand(2, 3, 32, 32) * 2 - 1
    expected = network(faces, return_rgb=False, randomize_noise=False)[0]

    make_weights_constant(network)

    restored = network(faces, return_rgb=False)[0]
    torch.testing.assert_close(restored, expected, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, ModulatedConv2d) for module in network.modules())
