"""How a picture says that it was altered: an XMP packet with IPTC's term for how it came about.

It holds no time and no id of the picture, so the same request gives the same bytes.
"""

from __future__ import annotations

import re

from predictor import __version__

_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_TRAINED = _TERMS + "compositeWithTrainedAlgorithmicMedia"
_CAPTURED = _TERMS + "compositeCapture"

# XMP specification part 1, sections 7.3 and 7.4: begin and id are the same in every packet.
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="faceswap-predictor {version}"
    Iptc4xmpExt:DigitalSourceType="{term}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_WRITTEN_TERM = re.compile(rb'xmp:CreatorTool="faceswap-predictor [^"]*"\s+Iptc4xmpExt:DigitalSourceType="([^"]+)"')


def mark(*, trained: bool) -> bytes:
    """Return the XMP packet of a picture we made.

    Args:
        trained: Whether a trained network made any of its pixels; False where captured pictures were only mixed.
    """
    return _PACKET.format(version=__version__, term=_TRAINED if trained else _CAPTURED).encode()


def read_mark(data: bytes) -> str | None:
    """Return the IPTC term of a file that we marked, None of any other.

    The packet stands uncompressed in all three formats, made to be found by scanning (XMP specification part 3, 2).
    """
    found = _WRITTEN_TERM.search(data)
    return found[1].decode() if found else None
