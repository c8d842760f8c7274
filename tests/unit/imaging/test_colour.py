from __future__ import annotations

import numpy as np
import pytest

from predictor.faces import Mask
from predictor.imaging.colour import Overlap, Pixels, enlarged, luma, match_colours, spread

_SIZE = 128


def _plain(colour: tuple[float, float, float]) -> Pixels:
    return np.full((_SIZE, _SIZE, 3), colour, np.float32)


def _everywhere() -> Mask:
    return np.ones((_SIZE, _SIZE), np.float32)


def _overlap(lips: Mask | None = None) -> Overlap:
    nothing = np.zeros((_SIZE, _SIZE), np.float32)
    return Overlap(_everywhere(), _everywhere(), nothing if lips is None else lips, 27.0)


def _shaded(colour: tuple[float, float, float], rng: np.random.Generator) -> Pixels:
    """Skin of a colour, lit from the left, with some texture."""
    light = np.linspace(1.15, 0.75, _SIZE, dtype=np.float32)[None, :, None]
    texture = rng.normal(0, 3, (_SIZE, _SIZE, 1)).astype(np.float32)
    shaded: Pixels = np.clip(_plain(colour) * light + texture, 0, 255)
    return shaded


@pytest.mark.parametrize("reference", [(210, 160, 130), (90, 60, 45), (150, 150, 155)])
def test_skin_takes_on_the_mean_colour_of_the_reference(
    rng: np.random.Generator, reference: tuple[float, float, float]
) -> None:
    source, wanted = _shaded((180, 130, 110), rng), _shaded(reference, rng)

    matched = match_colours(source, wanted, _overlap()).applied(source.astype(np.uint8))

    np.testing.assert_allclose(matched.mean(axis=(0, 1)), wanted.mean(axis=(0, 1)), atol=4.0)


def test_shadows_become_as_warm_as_the_references(rng: np.random.Generator) -> None:
    ripples = 1.0 + 0.3 * np.sin(np.arange(_SIZE, dtype=np.float32) / 2.5)
    light = np.broadcast_to(ripples, (_SIZE, _SIZE))
    plain = np.array([190, 145, 120], np.float32) * light[..., None]
    warm = np.array([200, 150, 120], np.float32) * np.exp(np.log(light)[..., None] * (0.4, 1.2, 2.0))
    source, wanted = (np.clip(one + rng.normal(0, 1, one.shape), 0, 255).astype(np.float32) for one in (plain, warm))

    matched = match_colours(source, wanted, _overlap()).applied(source.astype(np.uint8))

    def warmth(picture: Pixels) -> float:
        shadow = picture[light < 0.8].mean(axis=0)
        return float(shadow[0] / shadow[2])

    assert warmth(source) < 1.7
    assert warmth(wanted) > 2.0
    assert warmth(matched) > 0.9 * warmth(wanted)


def test_a_face_in_the_shade_lends_its_light_even_where_it_is_not_taken_for_skin(rng: np.random.Generator) -> None:
    source, reference = _plain((190, 140, 120)), _plain((200, 150, 130))
    reference[:, 64:] = (110, 75, 55)
    skin = _everywhere()
    skin[:, 64:] = 0.0
    noise = rng.normal(0, 2, source.shape).astype(np.float32)

    overlap = Overlap(_everywhere(), skin, 0 * skin, 27.0)
    matched = match_colours(source + noise, reference + noise, overlap).applied(source.astype(np.uint8))

    assert luma(matched)[:, 100:].mean() < 0.7 * luma(matched)[:, :30].mean()


def test_a_match_times_factors_is_that_much_brighter(rng: np.random.Generator) -> None:
    source = _shaded((120, 90, 70), rng)
    match = match_colours(source, _shaded((110, 80, 65), rng), _overlap())

    once = match.applied(source)
    more = match.times(np.array([1.1, 1.0, 0.9], np.float32)).applied(source)

    np.testing.assert_allclose((more / once).mean(axis=(0, 1)), (1.1, 1.0, 0.9), atol=0.03)


def test_light_from_the_side_stays_the_references(rng: np.random.Generator) -> None:
    source = np.ascontiguousarray(_shaded((180, 130, 110), rng)[:, ::-1])
    reference = _shaded((190, 140, 120), rng)

    matched = match_colours(source, reference, _overlap()).applied(source.astype(np.uint8))

    left, right = luma(matched)[:, 20:40].mean(), luma(matched)[:, -40:-20].mean()
    assert luma(source)[:, 20:40].mean() < luma(source)[:, -40:-20].mean()
    assert left > right + 20


def test_features_of_the_source_stay(rng: np.random.Generator) -> None:
    source, reference = _shaded((180, 130, 110), rng), _shaded((200, 150, 125), rng)
    source[60:66, 40:90] = (50, 35, 30)
    skin = _everywhere()
    skin[56:70, 36:94] = 0.0

    matched = match_colours(source, reference, Overlap(skin, skin, 0 * skin, 27.0)).applied(source.astype(np.uint8))

    assert luma(matched)[61:65, 45:85].mean() < 0.5 * luma(matched)[90:110].mean()


def test_a_stain_of_colour_is_taken_out_but_lips_keep_theirs(rng: np.random.Generator) -> None:
    source, reference = _shaded((190, 140, 120), rng), _shaded((190, 140, 120), rng)
    for rows in (slice(20, 30), slice(90, 100)):
        source[rows, 50:80] = (200, 60, 60)
    skin, lips = _everywhere(), np.zeros((_SIZE, _SIZE), np.float32)
    skin[14:36, 44:86] = skin[84:106, 44:86] = 0.0
    lips[86:104, 46:84] = 1.0

    matched = match_colours(source, reference, Overlap(skin, skin, lips, 27.0)).applied(source.astype(np.uint8))

    def redness(part: Pixels) -> float:
        return float((part[..., 0] - part[..., 1]).mean())

    stain, mouth = redness(matched[22:28, 55:75]), redness(matched[92:98, 55:75])
    assert mouth > 110
    assert stain < 0.7 * mouth


def test_the_answer_is_a_picture_even_where_nothing_overlaps(rng: np.random.Generator) -> None:
    nothing = np.zeros((_SIZE, _SIZE), np.float32)
    source = _shaded((180, 130, 110), rng)

    matched = match_colours(source, _plain((0, 0, 0)), Overlap(nothing, nothing, nothing, 27.0))

    applied = matched.applied(source.astype(np.uint8))
    assert np.isfinite(applied).all()
    assert applied.min() >= 0.0
    assert applied.max() <= 255.0


@pytest.mark.parametrize("size", [128, 256, 512])
def test_a_match_holds_for_crops_of_any_size(rng: np.random.Generator, size: int) -> None:
    source, reference = _shaded((180, 130, 110), rng), _shaded((90, 70, 60), rng)
    large = np.clip(enlarged(source, size), 0, 255).astype(np.uint8)

    matched = match_colours(source, reference, _overlap()).applied(large)

    assert matched.shape == (size, size, 3)
    np.testing.assert_allclose(matched.mean(axis=(0, 1)), reference.mean(axis=(0, 1)), atol=4.0)


def test_highlights_approach_white_instead_of_being_cut_off() -> None:
    bright = np.repeat(np.linspace(150, 255, _SIZE, dtype=np.float32)[None, :, None], _SIZE, 0).repeat(3, axis=2)

    matched = match_colours(bright, np.minimum(bright * 1.3, 255), _overlap()).applied(bright.astype(np.uint8))

    assert (np.diff(luma(matched)[64, 20:110]) >= -0.5).all()
    assert luma(matched).max() < 255.0


def test_spread_follows_the_weighted_pixels_and_no_others() -> None:
    image = _plain((10, 200, 10))
    image[:, :64] = (200, 100, 80)
    weights = np.zeros((_SIZE, _SIZE), np.float32)
    weights[:, :60] = 1.0

    colour = enlarged(spread(image, weights, 8.0, np.zeros(3, np.float32)), _SIZE)

    np.testing.assert_allclose(colour[64, 20], (200, 100, 80), atol=3)
    np.testing.assert_allclose(colour[64, 80], (200, 100, 80), atol=6)


def test_spread_falls_back_where_there_is_nothing() -> None:
    nothing = np.zeros((_SIZE, _SIZE), np.float32)

    colour = spread(_plain((10, 200, 10)), nothing, 8.0, np.array([1, 2, 3], np.float32))

    np.testing.assert_allclose(colour, np.broadcast_to([1, 2, 3], colour.shape), atol=1e-3)
