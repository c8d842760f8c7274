"""Every parser that a way to mask restored faces has keeps the contract of `stages.FaceParser`."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.faces import Image
from predictor.imaging.alignment import align
from predictor.resources import Resources
from predictor.restorers import MASKS, RESTORERS

_LANDMARKS = np.array([(203, 101), (246, 103), (222, 125), (202, 141), (244, 141)], np.float32)


@pytest.mark.parametrize("name", MASKS)
def test_a_parser_gives_a_soft_mask_of_each_crop_that_is_0_at_its_border(
    name: str, resources: Resources, astronaut: Image
) -> None:
    parser = MASKS[name](resources)
    if parser is None:
        return
    crop = align(astronaut, _LANDMARKS, parser.template).image

    masks = parser.parse([crop, np.ascontiguousarray(crop[:, ::-1])])

    assert len(masks) == 2
    for mask in masks:
        assert mask.shape == crop.shape[:2]
        assert mask.dtype == np.float32
        assert 0.0 <= mask.min() < mask.max() <= 1.0
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0
    assert parser.parse([]) == []


@pytest.mark.parametrize("restorer", RESTORERS)
@pytest.mark.parametrize("name", MASKS)
def test_every_restorer_can_be_masked_in_every_way(name: str, restorer: str, resources: Resources) -> None:
    parser = MASKS[name](resources)

    if parser is not None:
        assert parser.template is RESTORERS[restorer](resources).template
