"""Every registered swapper keeps the contract of `stages.Swapper`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.errors import DeadlineExceeded
from predictor.faces import Identity
from predictor.imaging.alignment import align
from predictor.swappers import SWAPPERS

if TYPE_CHECKING:
    from predictor.faces import Crop, Image, Landmarks
    from predictor.resources import Resources
    from predictor.stages import Swapper


_LANDMARKS = np.array([(203, 101), (246, 103), (222, 125), (202, 141), (244, 141)], np.float32)


@pytest.fixture(scope="module", params=SWAPPERS)
def swapper(request: pytest.FixtureRequest, resources: Resources) -> Swapper:
    return SWAPPERS[request.param](resources)


def _identity(swapper: Swapper, image: Image, landmarks: Landmarks = _LANDMARKS) -> Identity:
    crop = align(image, landmarks, swapper.source_template)
    embedding = np.random.default_rng(int(image.sum())).standard_normal(512).astype(np.float32)
    return Identity(crop, embedding / np.float32(np.linalg.norm(embedding)) if swapper.needs_embedding else None)


def _crops(swapper: Swapper, image: Image) -> list[Crop]:
    return [align(image, _LANDMARKS, template) for template in swapper.templates]


def test_templates_ascend_in_size(swapper: Swapper) -> None:
    sizes = [template.size for template in swapper.templates]

    assert sizes
    assert sizes == sorted(set(sizes))


def test_a_swapped_crop_has_the_shape_of_the_crop_and_a_mask_that_is_0_at_its_border(
    swapper: Swapper, astronaut: Image
) -> None:
    crops = _crops(swapper, astronaut)
    identity = _identity(swapper, np.ascontiguousarray(255 - astronaut))

    swaps = swapper.swap(crops, [identity] * len(crops))

    assert len(swaps) == len(crops)
    for crop, swap in zip(crops, swaps, strict=True):
        assert swap.image.shape == crop.image.shape
        assert swap.image.dtype == np.uint8
        assert swap.mask.shape == crop.image.shape[:2]
        assert swap.mask.dtype == np.float32
        assert 0.0 <= swap.mask.min() < swap.mask.max() <= 1.0
        assert max(swap.mask[0].max(), swap.mask[-1].max(), swap.mask[:, 0].max(), swap.mask[:, -1].max()) == 0.0
        assert swap.fit in {"warp", "similarity", "network"}


def test_what_goes_in_is_not_written_to(swapper: Swapper, astronaut: Image) -> None:
    (crop, *_), identity = _crops(swapper, astronaut), _identity(swapper, astronaut)
    before = crop.image.copy(), identity.crop.image.copy()
    crop.image.setflags(write=False)
    identity.crop.image.setflags(write=False)

    swapper.swap([crop], [identity])

    np.testing.assert_array_equal(crop.image, before[0])
    np.testing.assert_array_equal(identity.crop.image, before[1])


def test_the_same_crop_gives_the_same_pixels_alone_together_and_from_several_threads(
    swapper: Swapper, astronaut: Image, grace_hopper: Image
) -> None:
    crop, identity = _crops(swapper, astronaut)[1], _identity(swapper, astronaut)
    other = align(grace_hopper, _LANDMARKS * 1.2, swapper.templates[0])

    (alone,) = swapper.swap([crop], [identity])
    together = swapper.swap([other, crop], [_identity(swapper, grace_hopper), identity])[1]
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda _: swapper.swap([crop], [identity])[0], range(8)))

    for swap in [together, *several]:
        np.testing.assert_array_equal(swap.image, alone.image)
        np.testing.assert_array_equal(swap.mask, alone.mask)


def test_no_crops_give_no_crops(swapper: Swapper) -> None:
    assert swapper.swap([], []) == []


def test_it_says_whether_it_was_trained_and_what_it_needs(swapper: Swapper) -> None:
    assert isinstance(swapper.trained, bool)
    assert isinstance(swapper.needs_embedding, bool)
    assert 0.0 < swapper.least_scale <= 1.0


def test_long_work_is_given_up_once_nobody_waits(swapper: Swapper, astronaut: Image) -> None:
    def nobody_waits() -> None:
        raise DeadlineExceeded(1.0)

    with pytest.raises(DeadlineExceeded):
        swapper.swap(_crops(swapper, astronaut), [_identity(swapper, astronaut)] * 4, nobody_waits)
