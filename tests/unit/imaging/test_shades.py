from __future__ import annotations

import numpy as np
import pytest

from predictor.faces import Mask
from predictor.imaging.colour import Colour, Pixels, luma
from predictor.imaging.shades import shaded, slopes, warming

_SIZE = 64
_SKIN = np.array([220, 170, 140], np.float32)
_ONLY_DARKER = np.ones(3, np.float32)
_WARM = np.array([0.4, 1.2, 2.2], np.float32)


def _ratio() -> Mask:
    """Brightness from shadow to highlight."""
    return np.broadcast_to(np.linspace(0.5, 1.2, _SIZE, dtype=np.float32), (_SIZE, _SIZE)).copy()


def _slopes(image: Pixels) -> Colour:
    return slopes(image, luma(image), np.ones((_SIZE, _SIZE), np.float32))


def test_shadows_that_are_only_darker_have_slopes_of_one() -> None:
    np.testing.assert_allclose(_slopes(shaded(_SKIN, _ONLY_DARKER, _ratio())), 1.0, atol=0.01)


def test_slopes_tell_how_warm_shadows_are() -> None:
    measured = _slopes(shaded(_SKIN, _WARM, _ratio()))

    # Against the brightness that comes out, not the one that went in: the order stays, the numbers move together.
    np.testing.assert_allclose(measured / measured[1], _WARM / _WARM[1], rtol=0.1)


def test_evenly_lit_skin_tells_nothing_of_shadows(rng: np.random.Generator) -> None:
    noise = rng.normal(0, 1.0, (_SIZE, _SIZE, 3)).astype(np.float32)

    np.testing.assert_allclose(_slopes(_SKIN + noise), 1.0, atol=0.1)


@pytest.mark.parametrize("grey", [0.0, 255.0])
def test_slopes_are_numbers_even_where_nothing_is_skin(grey: float) -> None:
    image = np.full((_SIZE, _SIZE, 3), grey, np.float32)

    assert np.isfinite(slopes(image, luma(image), np.zeros((_SIZE, _SIZE), np.float32))).all()


def test_warmed_shadows_look_like_the_others_and_light_stays() -> None:
    ratio = np.full((1, 2), (0.75, 1.0), np.float32)

    warmed = shaded(_SKIN, _ONLY_DARKER, ratio) * warming(ratio, _ONLY_DARKER, _WARM)

    np.testing.assert_allclose(warmed, shaded(_SKIN, _WARM, ratio), rtol=0.01)


def test_shadows_are_never_cooled() -> None:
    np.testing.assert_array_equal(warming(_ratio(), _WARM, _ONLY_DARKER), 1.0)


def test_what_is_black_is_no_shadow() -> None:
    factors = warming(np.full((1, 1), 0.2, np.float32), _ONLY_DARKER, _WARM)

    np.testing.assert_allclose(factors, 1.0, atol=0.01)
