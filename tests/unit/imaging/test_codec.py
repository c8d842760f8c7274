from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps

from predictor.errors import OutputTooLarge
from predictor.imaging.codec import Picture, check_output_size, decode, encode, output_format, probe
from predictor.options import OutputFormat, OutputOptions
from tests.unit.imaging import drawn

MANY = 10**9
FILES = drawn.files()
PNG = OutputOptions("png")


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(BytesIO(data))


def same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other if one is None or other is None else one.dtype == other.dtype and np.array_equal(one, other)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_written_as_png_is_read_back_bit_for_bit(name: str) -> None:
    picture = decode(FILES[name], "image", MANY)

    again = decode(encode(picture, PNG, None), "image", MANY)

    assert same(again.image, picture.image)
    assert same(again.alpha, picture.alpha)
    assert same(again.deep, picture.deep)
    assert same(again.deep_alpha, picture.deep_alpha)
    assert again.profile == picture.profile


@pytest.mark.parametrize("name", FILES)
def test_every_picture_is_rgb_upright_and_contiguous(name: str) -> None:
    picture = decode(FILES[name], "image", MANY)

    assert picture.image.dtype == np.uint8
    assert picture.image.flags.c_contiguous
    assert picture.image.shape == (
        (drawn.WIDTH, drawn.HEIGHT, 3) if "turned" in name else (drawn.HEIGHT, drawn.WIDTH, 3)
    )
    assert (picture.alpha is not None) == ("alpha" in name or "transparent" in name)
    assert picture.alpha is None or picture.alpha.shape == picture.image.shape[:2]
    assert picture.format == name.split(maxsplit=1)[0]


@pytest.mark.parametrize("name", FILES)
def test_the_header_tells_kind_and_upright_size(name: str) -> None:
    picture = decode(FILES[name], "image", MANY)

    header = probe(FILES[name], "image")

    assert (header.format, header.height, header.width) == (picture.format, *picture.image.shape[:2])


@pytest.mark.parametrize("name", FILES)
def test_the_header_tells_how_many_bits_a_sample_has(name: str) -> None:
    header, picture = probe(FILES[name], "image"), decode(FILES[name], "image", MANY)

    assert header.deep == (picture.deep is not None)
    assert header.weight == header.pixels * (2 if header.deep else 1)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_opacity_costs_one_copy_of_the_pixels(kind: OutputFormat) -> None:
    picture = Picture(np.zeros((1500, 2000, 3), np.uint8), "png", np.zeros((1500, 2000), np.uint8))

    tracemalloc.start()
    encode(picture, OutputOptions(kind), None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1.2 * picture.nbytes


# What Pillow cannot decode faithfully is compared with what was drawn, elsewhere.
@pytest.mark.parametrize("name", [name for name in FILES if "16 bits" not in name and "lab" not in name])
def test_colours_are_those_that_another_reader_sees(name: str) -> None:
    picture = decode(FILES[name], "image", MANY)

    expected = ImageOps.exif_transpose(opened(FILES[name]))
    assert np.array_equal(picture.image, np.asarray(expected.convert("RGBA").convert("RGB")))
    if picture.alpha is not None:
        assert np.array_equal(picture.alpha, np.asarray(expected.convert("RGBA"))[..., 3])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {})]
)
def test_every_orientation_is_applied_and_dropped(kind: str, options: dict[str, object], orientation: int) -> None:
    data = drawn.turned(kind, orientation, **options)

    picture = decode(data, "image", MANY)
    written = encode(picture, OutputOptions("same"), None)

    upright = ImageOps.exif_transpose(opened(data)).convert("RGB")
    assert upright.size == ((drawn.WIDTH, drawn.HEIGHT) if orientation < 5 else (drawn.HEIGHT, drawn.WIDTH))
    assert np.array_equal(picture.image, np.asarray(upright))
    assert (probe(data, "image").width, probe(data, "image").height) == upright.size
    assert len(opened(written).getexif()) == 0


def test_turned_16_bit_pictures_and_transparency_turn_as_one() -> None:
    deep = drawn.deep_colours(4)
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = drawn.written_by_cv2(".png", deep)

    picture = decode(data[:33] + drawn.chunk(b"eXIf", exif) + data[33:], "image", MANY)

    assert picture.deep is not None
    assert picture.deep_alpha is not None
    assert np.array_equal(np.dstack([picture.deep, picture.deep_alpha]), np.rot90(deep, -1))
    assert picture.image.shape == (drawn.WIDTH, drawn.HEIGHT, 3)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_samples_are_kept_as_they_are(extension: str, channels: int) -> None:
    deep = drawn.deep_colours(channels)

    picture = decode(drawn.written_by_cv2(extension, deep), "image", MANY)

    assert same(picture.deep, deep[..., :3])
    assert same(picture.deep_alpha, deep[..., 3] if channels == 4 else None)
    assert np.array_equal(picture.image, np.round(deep[..., :3] / 257).astype(np.uint8))


@pytest.mark.parametrize("output", ["jpeg", "webp"])
def test_16_bit_pictures_become_8_bits_where_the_format_has_no_more(output: OutputFormat) -> None:
    picture = decode(FILES["png 16 bits alpha"], "image", MANY)

    again = decode(encode(picture, OutputOptions(output), None), "image", MANY)

    assert again.deep is None
    assert again.image.shape == picture.image.shape


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("jpeg", "jpeg"),
        ("png", "png"),
        ("webp", "webp"),
        ("bmp", "png"),
        ("tiff", "png"),
        ("gif", "png"),
        ("avif", "webp"),
    ],
)
def test_the_same_format_is_the_pictures_own_or_its_nearest(source: str, written: str) -> None:
    picture = decode(FILES[source], "image", MANY)

    data = encode(picture, OutputOptions("same"), None)

    assert output_format(picture.format, "same") == written
    assert probe(data, "image").format == written
    assert opened(data).format == written.upper()


@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "bmp", "tiff", "gif", "avif"])
@pytest.mark.parametrize("asked", ["jpeg", "png", "webp"])
def test_an_asked_format_is_written_whatever_came_in(source: str, asked: OutputFormat) -> None:
    data = encode(decode(FILES[source], "image", MANY), OutputOptions(asked), None)

    assert opened(data).format == asked.upper()


def test_transparency_is_kept_in_png_and_webp_and_lies_over_white_in_jpeg() -> None:
    image = np.zeros((32, 48, 3), np.uint8)
    alpha = np.zeros((32, 48), np.uint8)
    alpha[:, 16:32], alpha[:, 32:] = 128, 255
    picture = Picture(image, "png", alpha)

    png, webp, jpeg = (
        decode(encode(picture, OutputOptions(kind), None), "x", MANY) for kind in ("png", "webp", "jpeg")
    )

    assert same(png.alpha, alpha)
    assert same(webp.alpha, alpha)
    assert jpeg.alpha is None
    columns = jpeg.image[16, [4, 24, 44], 0].astype(int)
    assert np.abs(columns - [255, 127, 0]).max() <= 3


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("length", [0, 200_000])
def test_the_colour_profile_of_rgb_pictures_travels_however_long_it_is(kind: OutputFormat, length: int) -> None:
    profile = drawn.rgb_profile(length)
    source = drawn.saved(drawn.pillow(), "PNG", icc_profile=profile)

    data = encode(decode(source, "image", MANY), OutputOptions(kind), b"<mark/>")

    assert opened(data).info["icc_profile"] == profile
    assert decode(data, "image", MANY).profile == profile


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_colour_profile_is_found_in_every_format_that_has_one(kind: str) -> None:
    profile = drawn.rgb_profile()

    picture = decode(drawn.saved(drawn.pillow(), kind, icc_profile=profile), "image", MANY)

    assert picture.profile == profile


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_a_lower_quality_gives_fewer_bytes_and_a_worse_picture(kind: OutputFormat) -> None:
    picture = Picture(drawn.drawing(200, 300), "png")

    sizes, errors = [], []
    for quality in (20, 60, 95):
        data = encode(picture, OutputOptions(kind, quality), None)
        sizes.append(len(data))
        errors.append(np.abs(decode(data, "x", MANY).image.astype(int) - picture.image).mean())

    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3
    assert errors == sorted(errors, reverse=True)


def test_jpeg_keeps_fine_colour_from_quality_90_on() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 255, 255  # red and blue columns of one pixel

    fine = decode(encode(Picture(stripes, "png"), OutputOptions("jpeg", 90), None), "x", MANY)
    coarse = decode(encode(Picture(stripes, "png"), OutputOptions("jpeg", 89), None), "x", MANY)

    assert np.abs(fine.image.astype(int) - stripes).mean() < 20
    assert np.abs(coarse.image.astype(int) - stripes).mean() > 40


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_the_same_picture_gives_the_same_bytes(kind: OutputFormat) -> None:
    picture = decode(FILES["png alpha"], "image", MANY)

    assert encode(picture, OutputOptions(kind), b"<mark/>") == encode(picture, OutputOptions(kind), b"<mark/>")


def test_many_threads_read_and_write_as_one_does() -> None:
    def through(name: str) -> bytes:
        return encode(decode(FILES[name], "image", MANY), OutputOptions("same"), b"<mark/>")

    names = list(FILES) * 3
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(through, names))

    assert found == [through(name) for name in names]


@pytest.mark.parametrize(("kind", "longest"), [("webp", 16_383), ("jpeg", 65_500)])
def test_a_format_is_refused_beyond_its_longest_side(kind: OutputFormat, longest: int) -> None:
    fits = Picture(np.zeros((1, longest, 3), np.uint8), "png")
    beyond = Picture(np.zeros((longest + 1, 1, 3), np.uint8), "png")

    assert probe(encode(fits, OutputOptions(kind), None), "image").width == longest
    with pytest.raises(OutputTooLarge) as caught:
        encode(beyond, OutputOptions(kind), None)

    assert caught.value.details == {"limit": longest, "actual": longest + 1}


def test_a_size_can_be_refused_before_there_are_pixels() -> None:
    check_output_size("webp", 16_383, 16_383)
    check_output_size("png", 70_000, 70_000)

    with pytest.raises(OutputTooLarge):
        check_output_size("webp", 100, 16_384)
    with pytest.raises(OutputTooLarge):
        check_output_size("jpeg", 65_501, 100)
    with pytest.raises(OutputTooLarge):
        check_output_size("png", 1_000_001, 1)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_metadata_of_the_source_are_dropped(kind: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "a secret description"
    source = drawn.saved(drawn.pillow(), kind.upper(), exif=exif, xmp=b"<x>a secret packet</x>")
    assert b"secret" in source

    data = encode(decode(source, "image", MANY), OutputOptions("same"), b"<mark/>")

    assert b"secret" not in data
    assert opened(data).info["xmp"] == b"<mark/>"
