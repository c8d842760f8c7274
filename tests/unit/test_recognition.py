from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from predictor.errors import DeadlineExceeded
from predictor.faces import Embedding, Image
from predictor.imaging.alignment import align
from predictor.job import Job
from predictor.recognition import Recognition
from tests.unit.fakes import FakeEmbedder, face_at, plain

RED, GREEN = (200, 0, 0), (0, 200, 0)
FACE = face_at(20, 20)


def test_a_face_is_embedded_as_the_embedder_wants_it_aligned(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (100, 200, 3), np.uint8)
    embedder = FakeEmbedder()

    embedding = Recognition(embedder).embedding(image, FACE)

    (seen,) = embedder.seen
    np.testing.assert_array_equal(seen, align(image, FACE.landmarks, embedder.template).image)
    np.testing.assert_array_equal(embedding, FakeEmbedder().embed([seen])[0])


def test_similarity_is_the_cosine_to_the_source_before_and_after() -> None:
    sources = FakeEmbedder().embed([plain(GREEN), plain((200, 200, 0))])
    pictures = plain(RED), plain(GREEN)

    alike, between = Recognition(FakeEmbedder()).similarities(pictures, [(FACE, one) for one in sources], Job().check)

    assert alike == pytest.approx((0.0, 1.0))
    assert between == pytest.approx((0.5**0.5, 0.5**0.5))


def test_all_faces_of_a_picture_go_through_together_and_many_in_parts() -> None:
    embedder = FakeEmbedder()
    (source,) = FakeEmbedder().embed([plain(RED)])
    recognition, pictures = Recognition(embedder), (plain(RED), plain(GREEN))

    recognition.similarities(pictures, [(FACE, source)] * 3, Job().check)
    recognition.similarities(pictures, [(FACE, source)] * 9, Job().check)

    assert embedder.batches == [6, 8, 8, 2]


def test_comparing_many_faces_is_given_up_once_nobody_waits() -> None:
    job = Job()

    class Abandoning(FakeEmbedder):
        def embed(self, crops: Sequence[Image]) -> list[Embedding]:
            job.abandon()
            return super().embed(crops)

    embedder = Abandoning()
    (source,) = FakeEmbedder().embed([plain(RED)])
    with pytest.raises(DeadlineExceeded):
        Recognition(embedder).similarities((plain(RED), plain(GREEN)), [(FACE, source)] * 9, job.check)

    assert embedder.batches == [8]
