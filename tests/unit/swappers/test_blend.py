from __future__ import annotations

import cv2
import numpy as np
import pytest

from predictor.errors import DegenerateLandmarks
from predictor.faces import Crop, Face, Identity, Image
from predictor.imaging.alignment import align
from predictor.imaging.compositing import paste_back
from predictor.imaging.skin import map_face
from predictor.swappers.blend import Blend
from tests.unit.swappers.swaps import Faces


def _identity(image: Image, face: Face) -> Identity:
    return Identity(align(image, face.landmarks, Blend.source_template), None)


def _crop(image: Image, face: Face, size: int = 256) -> Crop:
    return align(image, face.landmarks, Blend.source_template.scaled(size))


def _sharpness(image: Image, mask: np.ndarray) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float((cv2.Laplacian(grey, cv2.CV_32F) ** 2)[mask > 0.9].mean())


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_face_that_the_pictures_border_cuts_is_swapped_up_to_the_border(faces: Faces, side: str) -> None:
    picture, face = faces["astronaut"]
    x, y = face.landmarks.mean(axis=0).astype(int).tolist()
    rows = {"top": slice(y - 20, None), "bottom": slice(0, y + 20)}.get(side, slice(None))
    columns = {"left": slice(x - 15, None), "right": slice(0, x + 15)}.get(side, slice(None))
    cut = np.ascontiguousarray(picture[rows, columns])
    landmarks = face.landmarks - np.array([columns.start or 0, rows.start or 0], np.float32)
    crop = align(cut, landmarks, Blend.templates[1])
    canvas = cut.copy()

    (swap,) = Blend().swap([crop], [_identity(*faces["grace_hopper"])])
    mask = paste_back(canvas, swap.image, swap.mask, crop.matrix)

    border = {"left": mask[:, 0], "right": mask[:, -1], "top": mask[0], "bottom": mask[-1]}[side]
    assert border.max() > 0.9
    np.testing.assert_array_equal(canvas[mask == 0], cut[mask == 0])


def test_every_size_of_crop_shows_the_same_face(faces: Faces) -> None:
    crops = [_crop(*faces["grace_hopper"], size) for size in (128, 256, 512, 1024)]

    swaps = Blend().swap(crops, [_identity(*faces["astronaut"])] * 4)

    small = [cv2.resize(swap.image, (128, 128), interpolation=cv2.INTER_AREA).astype(int) for swap in swaps]
    assert all(np.abs(one - small[0])[swaps[0].mask > 0.5].mean() < 4.0 for one in small)


def test_a_source_with_more_pixels_gives_a_sharper_face(faces: Faces) -> None:
    picture, face = faces["grace_hopper"]
    coarse = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA).astype(np.uint8)
    smaller = Face(face.box, ((face.landmarks + 0.5) * 0.25 - 0.5).astype(np.float32), 1.0)
    crop = _crop(*faces["astronaut"], 512)

    fine, blurred = Blend().swap([crop, crop], [_identity(picture, face), _identity(coarse, smaller)])

    assert _sharpness(fine.image, fine.mask) > 2.0 * _sharpness(blurred.image, blurred.mask)


def test_a_source_with_many_more_pixels_than_the_destination_gives_no_moire(faces: Faces) -> None:
    picture, face = faces["grace_hopper"]
    striped = picture.copy()
    striped[::2] = np.clip(striped[::2].astype(int) + 40, 0, 255)
    crop = _crop(*faces["astronaut"], 128)
    large = cv2.resize(striped, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    plain = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    larger = Face(face.box, ((face.landmarks + 0.5) * 3 - 0.5).astype(np.float32), 1.0)

    with_stripes, without = Blend().swap([crop, crop], [_identity(large, larger), _identity(plain, larger)])

    assert _sharpness(with_stripes.image, with_stripes.mask) < 1.5 * _sharpness(without.image, without.mask)


def test_a_source_that_goes_onto_several_faces_is_looked_at_once(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counting(crop: Crop, half_width: float) -> object:
        seen.append(id(crop))
        return map_face(crop, half_width)

    monkeypatch.setattr("predictor.swappers.blend.map_face", counting)
    identity = _identity(*faces["astronaut"])

    Blend().swap([_crop(*faces["six_1"]), _crop(*faces["six_2"])], [identity, identity])

    assert seen.count(id(identity.crop)) == 1
    assert len(seen) == 3


def test_brows_that_the_source_does_not_cover_are_smoothed_away(faces: Faces) -> None:
    picture, face = faces["astronaut"]
    marked = picture.copy()
    middle = face.landmarks[:2].mean(axis=0)
    unit = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    brows = [(middle + np.array([side * 0.45, -0.36]) * unit).astype(int) for side in (-1, 1)]
    for x, y in brows:
        cv2.ellipse(marked, (int(x), int(y)), (int(0.3 * unit), 2), 0, 0, 360, (30, 20, 15), -1)
    crop = align(marked, face.landmarks, Blend.templates[1])

    (swap,) = Blend().swap([crop], [_identity(*faces["six_6"])])
    canvas = marked.copy()
    paste_back(canvas, swap.image, swap.mask, crop.matrix)

    for x, y in brows:
        assert marked[y, x].max() < 60
        assert canvas[y, x].min() > 80


@pytest.mark.parametrize("seed", range(30))
def test_any_landmarks_on_any_picture_give_a_sound_answer(faces: Faces, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture, face = faces["astronaut"]
    landmarks = (face.landmarks + rng.normal(0, rng.choice([2, 15, 80]), (5, 2))).astype(np.float32)
    if seed % 3 == 0:
        landmarks = landmarks[rng.permutation(5)]
    if seed % 5 == 0:
        landmarks[1] = landmarks[0]
    pictures = [picture, np.zeros_like(picture), rng.integers(0, 256, picture.shape, np.uint8)]
    try:
        crop = align(pictures[seed % 3], landmarks, Blend.templates[0])
    except DegenerateLandmarks:
        return

    turned = Identity(align(picture, landmarks, Blend.source_template), None)
    for swap in Blend().swap([crop, crop], [_identity(picture, face), turned]):
        assert np.isfinite(swap.mask).all()
        assert swap.mask.min() >= 0.0
        assert swap.mask.max() <= 1.0
        assert swap.mask[0].max() == 0.0
