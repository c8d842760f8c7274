from __future__ import annotations

import time

import pytest

from predictor.imaging.formats.contents import BrokenPictureError
from predictor.imaging.formats.signatures import kind_of
from tests.unit.imaging import drawn


@pytest.mark.parametrize("name", drawn.files())
def test_a_file_is_recognised_by_how_it_begins(name: str) -> None:
    assert kind_of(drawn.files()[name]) == name.split(maxsplit=1)[0]


def test_avif_under_a_general_brand_is_avif() -> None:
    assert kind_of(b"\0\0\0\x20ftypmif1\0\0\0\0mif1miafavif" + bytes(20)) == "avif"


def test_no_beginning_takes_long_to_recognise() -> None:
    began = time.process_time()
    for hostile in (b"<!---->" * 200, b"<!-- " * 300, b"<?xml " * 200, b"    ftypmif1" + b"mif1" * 300, b" " * 2000):
        with pytest.raises((BrokenPictureError, ValueError)):
            kind_of(hostile)

    assert time.process_time() - began < 0.5
