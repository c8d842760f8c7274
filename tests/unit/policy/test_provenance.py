from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import PIL.Image
import pytest

from predictor import __version__
from predictor.imaging.codec import Picture, decode, encode
from predictor.options import OutputFormat, OutputOptions
from predictor.policy.provenance import mark, read_mark
from tests.unit.imaging import drawn

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeCapture"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def properties(packet: bytes) -> dict[str, str]:
    root = ET.fromstring(packet.decode())  # noqa: S314 our own bytes
    (description,) = root.iter(f"{RDF}Description")
    return dict(description.attrib)


@pytest.mark.parametrize(("trained", "term"), [(True, TRAINED), (False, CAPTURED)])
def test_the_packet_says_how_the_picture_came_about_and_who_made_it(term: str, *, trained: bool) -> None:
    assert properties(mark(trained=trained)) == {
        f"{RDF}about": "",
        "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType": term,
        "{http://ns.adobe.com/xap/1.0/}CreatorTool": f"faceswap-predictor {__version__}",
    }


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("alpha", [None, np.full((drawn.HEIGHT, drawn.WIDTH), 9, np.uint8)], ids=["opaque", "alpha"])
@pytest.mark.parametrize("profile", [None, drawn.rgb_profile(100_000)], ids=["plain", "profile"])
def test_another_reader_finds_the_packet_in_every_format(
    kind: OutputFormat,
    alpha: np.ndarray | None,
    profile: bytes | None,
) -> None:
    picture = Picture(drawn.drawing(), "png", alpha, profile=profile)

    data = encode(picture, OutputOptions(kind), mark(trained=True))

    packet = PIL.Image.open(BytesIO(data)).info["xmp"]
    assert (packet if isinstance(packet, bytes) else packet.encode()) == mark(trained=True)
    assert read_mark(data) == TRAINED


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_pixels_are_untouched_by_the_mark(kind: OutputFormat) -> None:
    picture = Picture(drawn.drawing(), "png")

    marked = decode(encode(picture, OutputOptions(kind), mark(trained=False)), "x", 10**6)
    unmarked = decode(encode(picture, OutputOptions(kind), None), "x", 10**6)

    assert np.array_equal(marked.image, unmarked.image)


def test_a_file_that_we_did_not_mark_has_no_mark_of_ours() -> None:
    foreign = mark(trained=True).replace(b"faceswap-predictor", b"another program")

    assert read_mark(drawn.saved(drawn.pillow(), "PNG")) is None
    assert read_mark(drawn.saved(drawn.pillow(), "JPEG", xmp=foreign)) is None


def test_the_same_request_gives_the_same_packet() -> None:
    assert mark(trained=True) == mark(trained=True)
