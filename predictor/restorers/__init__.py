"""Restorers, and what masks their answers, by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from predictor.restorers.gfpgan import open_gfpgan
from predictor.restorers.parsenet import open_parsenet
from predictor.restorers.sharpen import Sharpen

if TYPE_CHECKING:
    from collections.abc import Callable

    from predictor.resources import Resources
    from predictor.stages import FaceParser, Restorer


def _sharpen(_: Resources) -> Restorer:
    return Sharpen()


def _no_parser(_: Resources) -> None:
    """A mask of the face's usual shape needs nobody to look where the face is."""


RESTORERS: dict[str, Callable[[Resources], Restorer]] = {
    "sharpen": _sharpen,
    "gfpgan_1.2": partial(open_gfpgan, version="1.2"),
    "gfpgan_1.3": partial(open_gfpgan, version="1.3"),
    "gfpgan_1.4": partial(open_gfpgan, version="1.4"),
}
"""How each restorer is built; it may raise StartupError."""

MASKS: dict[str, Callable[[Resources], FaceParser | None]] = {"soft": _no_parser, "parse": open_parsenet}
"""How the parser of each way to mask is built; it may raise StartupError."""
