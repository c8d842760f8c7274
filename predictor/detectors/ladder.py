"""Ever other views of a picture, until one shows faces.

The first view does for nearly every picture. The others cost time, so they are taken only where it shows nothing.
Whatever a view shows is looked at again, upright and at one size, before it counts: so no step invents faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.detectors.placement import View, place
from predictor.detectors.second_look import look_again
from predictor.faces import Face
from predictor.stages import carry_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from predictor.detectors.second_look import Look
    from predictor.faces import Image

LADDER = (
    View("plain"),
    View("larger", long_side=1280),  # small faces
    View("padded", long_side=320, share=0.4),  # a face that fills the frame
    View("rotated_90", quarter_turns=1),  # pictures on their side or head
    View("rotated_180", quarter_turns=2),
    View("rotated_270", quarter_turns=3),
)


def find(image: Image, look: Look, views: Sequence[View] = LADDER, check: Callable[[], None] = carry_on) -> list[Face]:
    """Return the faces of the first view that shows any, surest first; an empty list where none does.

    Landmarks are ordered as in the upright head: in a picture on its head, the first eye is the one that would be on
    the left after turning it, so that aligning on the landmarks turns the head upright.

    Args:
        image: The whole picture.
        look: The network.
        views: The steps, in order.
        check: Called before each; what it raises, because nobody waits any more, ends the search.
    """
    for view in views:
        check()
        placement = place(image, view)
        (candidates,) = look([placement.canvas])
        guesses = [placement.points_in_picture(points) for points in candidates.merged().landmarks]
        if sightings := look_again(image, guesses, look):
            return [Face(seen.box, seen.landmarks, seen.score, view.name) for seen in sightings]
    return []
