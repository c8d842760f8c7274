"""Every registered restorer keeps the contract of `stages.Restorer`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.imaging.alignment import align
from predictor.restorers import RESTORERS

if TYPE_CHECKING:
    from predictor.faces import Image
    from predictor.resources import Resources
    from predictor.stages import Restorer


_LANDMARKS = np.array([(203, 101), (246, 103), (222, 125), (202, 141), (244, 141)], np.float32)


@pytest.fixture(scope="module", params=RESTORERS)
def restorer(request: pytest.FixtureRequest, resources: Resources) -> Restorer:
    return RESTORERS[request.param](resources)


@pytest.fixture
def crop(restorer: Restorer, astronaut: Image) -> Image:
    return align(astronaut, _LANDMARKS, restorer.template).image


def test_restored_crops_have_the_same_size_and_are_not_the_same(restorer: Restorer, crop: Image) -> None:
    restored = restorer.restore([crop, np.ascontiguousarray(crop[:, ::-1])])

    assert [one.shape for one in restored] == [crop.shape] * 2
    assert all(one.dtype == np.uint8 for one in restored)
    assert (restored[0] != crop).any()


def test_what_goes_in_is_not_written_to(restorer: Restorer, crop: Image) -> None:
    before = crop.copy()
    crop.setflags(write=False)

    restorer.restore([crop])

    np.testing.assert_array_equal(crop, before)


def test_the_same_crop_gives_the_same_pixels_from_several_threads(restorer: Restorer, crop: Image) -> None:
    (alone,) = restorer.restore([crop])

    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda _: restorer.restore([crop])[0], range(8)))

    for one in several:
        np.testing.assert_array_equal(one, alone)


def test_no_crops_give_no_crops(restorer: Restorer) -> None:
    assert restorer.restore([]) == []


def test_it_says_whether_it_was_trained(restorer: Restorer) -> None:
    assert isinstance(restorer.trained, bool)
