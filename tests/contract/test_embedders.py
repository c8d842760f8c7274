"""Every registered embedder keeps the contract of `stages.Embedder`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from predictor.embedders import EMBEDDERS
from predictor.imaging.alignment import align

if TYPE_CHECKING:
    from predictor.faces import Image
    from predictor.resources import Resources
    from predictor.stages import Embedder


_LANDMARKS = np.array([(203, 101), (246, 103), (222, 125), (202, 141), (244, 141)], np.float32)


@pytest.fixture(scope="module", params=EMBEDDERS)
def embedder(request: pytest.FixtureRequest, resources: Resources) -> Embedder:
    return EMBEDDERS[request.param](resources)


@pytest.fixture
def crop(embedder: Embedder, astronaut: Image) -> Image:
    return align(astronaut, _LANDMARKS, embedder.template).image


@pytest.fixture
def other(embedder: Embedder, grace_hopper: Image) -> Image:
    return align(grace_hopper, _LANDMARKS * 1.2, embedder.template).image


def test_every_crop_has_an_embedding_of_length_1(embedder: Embedder, crop: Image, other: Image) -> None:
    embeddings = embedder.embed([crop, other, crop])

    assert len(embeddings) == 3
    for embedding in embeddings:
        assert embedding.shape == (512,)
        assert embedding.dtype == np.float32
        assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-6)


def test_different_faces_have_different_embeddings(embedder: Embedder, crop: Image, other: Image) -> None:
    one, another = embedder.embed([crop, other])

    assert one @ another < 0.95


def test_a_crop_has_the_same_embedding_alone_together_and_from_several_threads(
    embedder: Embedder, crop: Image, other: Image
) -> None:
    (alone,) = embedder.embed([crop])

    together = embedder.embed([other, crop])[1]
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda _: embedder.embed([crop])[0], range(8)))

    assert together @ alone > 0.99999
    for embedding in several:
        np.testing.assert_array_equal(embedding, alone)


def test_what_goes_in_is_not_written_to(embedder: Embedder, crop: Image) -> None:
    before = crop.copy()
    crop.setflags(write=False)

    embedder.embed([crop])

    np.testing.assert_array_equal(crop, before)


def test_crops_need_not_be_contiguous(embedder: Embedder, crop: Image) -> None:
    mirrored = crop[:, ::-1]

    np.testing.assert_array_equal(embedder.embed([mirrored])[0], embedder.embed([mirrored.copy()])[0])


def test_no_crops_give_no_embeddings(embedder: Embedder) -> None:
    assert embedder.embed([]) == []
