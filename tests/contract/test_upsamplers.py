"""Every registered upsampler keeps the contract of `stages.Upsampler`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.upsamplers import UPSAMPLERS

if TYPE_CHECKING:
    from predictor.faces import Image
    from predictor.resources import Resources
    from predictor.stages import Upsampler


@pytest.fixture(scope="module", params=UPSAMPLERS)
def upsampler(request: pytest.FixtureRequest, resources: Resources) -> Upsampler:
    return UPSAMPLERS[request.param](resources)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (31, 17)])
def test_every_scale_gives_so_many_times_as_many_pixels(
    upsampler: Upsampler, astronaut: Image, height: int, width: int
) -> None:
    image = np.ascontiguousarray(astronaut[:height, :width])

    for scale in upsampler.scales:
        enlarged = upsampler.upsample(image, scale)

        assert enlarged.shape == (height * scale, width * scale, 3)
        assert enlarged.dtype == np.uint8
        assert abs(float(enlarged.mean()) - float(image.mean())) < 4.0


def test_scales_are_those_a_request_may_ask_for(upsampler: Upsampler) -> None:
    assert set(upsampler.scales) <= {2, 4}
    assert upsampler.scales


def test_what_goes_in_is_not_written_to(upsampler: Upsampler, astronaut: Image) -> None:
    image = astronaut[:40, :40].copy()
    image.setflags(write=False)

    upsampler.upsample(image, upsampler.scales[0])

    np.testing.assert_array_equal(image, astronaut[:40, :40])


def test_it_says_whether_it_was_trained(upsampler: Upsampler) -> None:
    assert isinstance(upsampler.trained, bool)
