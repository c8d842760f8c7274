"""Cuts a large picture into overlapping tiles, and says which part of each tile's answer to keep.

A network of convolutions that fills up with zeros sees zeros beyond a tile's edge too, and its answer is wrong as far
from that edge as the network can see: the padding. Where the tile ends with the picture the zeros are right. So tiles
lie inside the picture, the first and last ones flush with its edges, neighbours overlap by twice the padding or more,
and each keeps the half of the overlap that is nearer to it: joined they are the picture run in one piece.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Span:
    """One side of a tile."""

    start: int
    """First pixel that the tile sees."""
    stop: int
    """One past the last."""
    keep_start: int
    """First pixel whose answer is kept."""
    keep_stop: int
    """One past the last."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a picture, and the part of it whose answer is kept."""

    rows: Span
    columns: Span

    @property
    def seen(self) -> tuple[slice, slice]:
        """What to cut out of the picture."""
        return slice(self.rows.start, self.rows.stop), slice(self.columns.start, self.columns.stop)

    def kept(self, scale: int) -> tuple[slice, slice]:
        """Return where the kept part lies in the enlarged picture."""
        return _scaled(self.rows, scale, 0), _scaled(self.columns, scale, 0)

    def inner(self, scale: int) -> tuple[slice, slice]:
        """Return where the kept part lies in the tile's own answer."""
        return _scaled(self.rows, scale, self.rows.start), _scaled(self.columns, scale, self.columns.start)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How large tiles are.

    Every side of a picture gets as few tiles as it can, all of one size, no larger than needed; that size is a
    multiple of `step`, so that pictures of all sizes share few shapes. A picture that fits into one tile is not cut.
    """

    largest: int
    """Pixels of the longest side a tile may have; a multiple of `step`, more than twice the padding."""
    padding: int
    """Pixels from a cut within which the answer is not kept; a multiple of `even`."""
    step: int = 8
    """A multiple of `even`."""
    even: int = 1
    """Tiles begin at multiples of it; pictures must come in multiples of it."""

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Yield the tiles of a picture, row by row; their kept parts cover it once."""
        for rows in self.spans(height):
            for columns in self.spans(width):
                yield Tile(rows, columns)

    def spans(self, length: int) -> list[Span]:
        """Return the tiles along one side of a picture, in order."""
        if length <= self.largest:
            return [Span(0, length, 0, length)]
        overlap = 2 * self.padding
        count = math.ceil((length - overlap) / (self.largest - overlap))
        size = math.ceil((length + overlap * (count - 1)) / count / self.step) * self.step
        starts = [self._start(index, count, length - size) for index in range(count)]
        cuts = [0, *(later + (earlier + size - later) // 2 for earlier, later in pairwise(starts)), length]
        return [Span(start, start + size, *kept) for start, kept in zip(starts, pairwise(cuts), strict=True)]

    def _start(self, index: int, count: int, last: int) -> int:
        return last * index // (count - 1) // self.even * self.even


def _scaled(span: Span, scale: int, origin: int) -> slice:
    return slice((span.keep_start - origin) * scale, (span.keep_stop - origin) * scale)
