"""Pictures of unusual kinds come out as a person sees them; each has a corner or a colour that tells."""

import io

import numpy as np
import pytest
from PIL import Image

from graphrec.features.rgb import as_rgb

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def stored(image: Image.Image, format: str = "PNG", **options: object) -> Image.Image:
    """The picture as it comes out of a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    file.seek(0)
    return Image.open(file)


def half_and_half(mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (40, 20), BLUE)
    image.paste(RED, (0, 0, 20, 20))
    return image.convert(mode)


def close(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return np.abs(np.subtract(one, other)).max() < 20


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF"])
def test_the_first_frame_of_an_animation_counts(format):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE, WHITE)]
    animated = stored(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    assert animated.is_animated
    animated.seek(2)
    assert close(as_rgb(animated).getpixel((10, 10)), RED)


def test_cmyk_keeps_its_colours():
    picture = as_rgb(stored(half_and_half("CMYK"), "JPEG", quality=95))
    assert picture.mode == "RGB"
    assert close(picture.getpixel((5, 10)), RED)
    assert close(picture.getpixel((35, 10)), BLUE)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_scaled_and_not_cut_off(format):
    grey = np.tile(np.array([0, 16_448, 32_896, 65_535], dtype=np.uint16), (4, 1))  # 0, 64, 128, 255 of 255
    picture = as_rgb(stored(Image.fromarray(grey), format))
    assert [picture.getpixel((x, 0)) for x in range(4)] == [(value,) * 3 for value in (0, 64, 128, 255)]


def test_grey_values_that_are_floats_are_scaled_to_their_range():
    picture = as_rgb(stored(Image.fromarray(np.array([[0.5, 1.5, 2.5]], dtype=np.float32)), "TIFF"))
    assert [picture.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]
    assert as_rgb(Image.fromarray(np.full((2, 2), 7.0, dtype=np.float32))).getpixel((0, 0)) == (0, 0, 0)


def test_what_is_transparent_is_white():
    palette = Image.new("P", (10, 10), 0)
    palette.putpalette([0, 0, 0, *RED, *[0] * 762])
    palette.paste(1, (2, 2, 6, 6))
    rgba = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    rgba.paste((*RED, 255), (2, 2, 6, 6))
    for transparent in (stored(palette, transparency=0), stored(rgba), stored(rgba, "WEBP", lossless=True)):
        picture = as_rgb(transparent)
        assert picture.getpixel((0, 0)) == WHITE
        assert picture.getpixel((3, 3)) == RED


def test_a_picture_taken_sideways_is_turned_upright():
    """EXIF orientation 6: the camera was turned, show the picture rotated by 90 degrees clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = as_rgb(stored(half_and_half(), "JPEG", quality=95, exif=exif))
    assert picture.size == (20, 40)
    assert close(picture.getpixel((10, 5)), RED)
    assert close(picture.getpixel((10, 35)), BLUE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_data_cost_nothing():
    picture = as_rgb(stored(half_and_half(), "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff nonsense"))
    assert picture.size == (40, 20)
    assert close(picture.getpixel((5, 10)), RED)


def test_an_ordinary_picture_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(as_rgb(stored(Image.fromarray(pixels)))), pixels)
