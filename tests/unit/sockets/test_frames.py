from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from predictor.sockets.frames import GOAWAY, Frames

END_HEADERS = 0x4


def frame(kind: int, flags: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags, 0, 0, 0, 1]) + payload


DATA = st.builds(frame, st.sampled_from([0, 3, 4, 6, 8]), st.integers(0, 255), st.binary(max_size=40))
HEADERS = st.builds(
    lambda begun, between, end: [
        frame(1, 0, begun),
        *(frame(9, 0, part) for part in between),
        frame(9, END_HEADERS, end),
    ],
    st.binary(max_size=20),
    st.lists(st.binary(max_size=5), max_size=2),
    st.binary(max_size=20),
)
GROUPS = st.lists(st.one_of(DATA.map(lambda one: [one]), HEADERS), min_size=1, max_size=8)


@given(GROUPS, st.data())
def test_a_frame_is_put_in_after_a_whole_one_and_not_between_headers_that_belong_together(
    groups: list[list[bytes]], data: st.DataObject
) -> None:
    text = b"".join(b"".join(group) for group in groups)
    ends = set(accumulate(len(b"".join(group)) for group in groups))
    frames, place = Frames(), 0

    while place < len(text):
        part = text[place : place + data.draw(st.integers(1, len(text)))]
        last = frames.follow(part)
        right = [end for end in ends if place < end <= place + len(part)]
        assert last == (max(right) - place if right else None)
        place += len(part)
        assert frames.between == (place in ends)


def test_before_the_first_frame_none_is_put_in() -> None:
    assert not Frames().between


def test_the_frame_that_sends_away_is_one_frame() -> None:
    frames = Frames()

    assert frames.follow(GOAWAY) == len(GOAWAY)
    assert frames.between
