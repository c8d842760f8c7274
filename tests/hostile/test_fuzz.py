"""A short share of `make fuzz`: the same requests in every run."""

from __future__ import annotations

from tests.hostile.attacks import Attack, damaged, fuzz
from tests.hostile.fuzz import Fuzzer, summary
from tests.hostile.health import MOST_RESIDENT_BYTES, Target, peak_bytes
from tests.hostile.workshop import Workshop

COUNT = 400


def test_whatever_is_drawn_ends_as_a_picture_or_a_typed_error(target: Target) -> None:
    with Workshop() as workshop:
        fuzzer = Fuzzer(workshop, target, one_in=20)
        fuzz(COUNT, 2026, fuzzer.take)
        fuzzer.close()

    tally = fuzzer.tally
    assert not tally.findings, summary(tally, target)
    assert tally.inputs == COUNT
    assert {"v1 ok", "v2 ok", "grpc ok", "v1 invalid_request", "v2 undecodable_image"} <= set(tally.outcomes)
    assert peak_bytes() < MOST_RESIDENT_BYTES
    target.check()


def test_the_same_seed_draws_the_same_requests() -> None:
    first: list[Attack] = []
    second: list[Attack] = []

    fuzz(30, 7, first.append)
    fuzz(30, 7, second.append)

    assert first == second


def test_damage_is_what_its_program_says() -> None:
    data = bytes(range(20))

    assert damaged(data, b"") == data
    assert damaged(data, bytes([0, 3, 0, 99, 0])) == data[:3] + b"c" + data[4:]
    assert damaged(data, bytes([7, 5, 0, 0, 0])) == data[:5]
    assert damaged(data, bytes([8, 5, 0, 0, 2]), (b"other",)) == data[:5] + b"her"
