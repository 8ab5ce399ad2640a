"""Pictures of characters come out as they were, or are refused in one line.

How well each kind of paper, pen and light is read is measured in benchmarks/photos.py.
"""

import errno

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from support.console import InputError
from support.emnist.demo import draw_demo_set
from support.morph.photo import read_character

(DRAWN, _), _ = draw_demo_set(28, 4, 1)
CHARACTERS = DRAWN / np.float32(255)
CHOSEN = 7

# The character on a page, not in its middle: (400, 400), 0 paper and 1 ink.
PAGE = np.zeros((400, 400), np.float32)
LARGE = Image.fromarray(CHARACTERS[CHOSEN]).resize((250, 250), Image.Resampling.BICUBIC)
PAGE[20:270, 100:350] = np.clip(LARGE, 0, 1)


def shade(page, paper=255, ink=40):
    return Image.fromarray(np.uint8(paper + page * (ink - paper)))


def read(picture, tmp_path, **options):
    picture.save(tmp_path / "photo.png", **options)
    _, character = read_character(tmp_path / "photo.png")
    return character


def nearest(image):
    """Checks the form of an image, and finds the character that it resembles most."""
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    return ((CHARACTERS - image) ** 2).sum(axis=(1, 2)).argmin()


PICTURES = {
    "dark on light": shade(PAGE),
    "light on dark": shade(PAGE, 30, 240),
    "faint": shade(PAGE, 250, 200),
    "faint, light on dark": shade(PAGE, 60, 90),
    "palette": shade(PAGE).convert("P"),
    "two shades": shade(PAGE).convert("1"),
    "16 bits": Image.fromarray(np.uint16(60_000 - PAGE * 50_000)),
    "dark on nothing": Image.merge("LA", [shade(PAGE, 0, 0), shade(PAGE, 0, 255)]),
    "tiny": shade(PAGE).resize((40, 40)),
    "large": shade(PAGE).resize((2000, 2000)),
    "wide": shade(np.pad(PAGE, ((0, 0), (300, 0)))),
    "cropped": shade(PAGE[PAGE.any(axis=1)][:, PAGE.any(axis=0)]),
    "on a dark table": shade(np.pad(PAGE, 60, constant_values=0.9)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_ordinary_pictures(name, tmp_path):
    assert nearest(read(PICTURES[name], tmp_path)) == CHOSEN


def test_a_camera_held_on_its_side(tmp_path):
    picture = shade(PAGE).rotate(90, expand=True)
    exif = picture.getexif()
    exif[0x0112] = 6  # orientation: turn it by 90 degrees to see it upright
    assert nearest(read(picture, tmp_path, exif=exif)) == CHOSEN


@pytest.mark.parametrize("white", [1, 255])
def test_float_tiff(white, tmp_path):
    Image.fromarray(white * (1 - PAGE)).save(tmp_path / "photo.tiff")
    assert nearest(read_character(tmp_path / "photo.tiff")[1]) == CHOSEN


def test_a_png_with_2_mb_of_text(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 2_000_000, zip=True)
    assert nearest(read(shade(PAGE), tmp_path, pnginfo=text)) == CHOSEN


def test_specks_go_and_dots_stay(tmp_path):
    page = np.zeros((400, 300))
    page[150:350, 130:160] = 1
    page[90:120, 130:160] = 1
    page[20:24, 20:24] = 1
    image = read(shade(page), tmp_path)
    rows = image.max(axis=1)
    assert 23 <= (rows > 0.05).sum() <= 26  # the speck would make it smaller
    assert rows[9:24].min() > 0.9
    assert (rows[2:8] < 0.1).any()  # between dot and stroke
    assert abs(image.sum(axis=0) @ np.arange(28) / image.sum() - 13.5) < 0.1


# ---- refused


NO_INK = {
    "white": Image.new("L", (80, 50), 255),
    "noise": Image.fromarray(np.random.default_rng(0).normal(200, 8, (300, 300)).astype("u1")),
    "one pixel": Image.new("L", (1, 1)),
}
PALE = {
    "dark on light": shade(PAGE, 250, 215),
    "light on dark": shade(PAGE, 100, 110),
}


@pytest.mark.parametrize("name", NO_INK)
def test_no_ink(name, tmp_path):
    with pytest.raises(InputError, match=r"photo\.png: no ink found"):
        read(NO_INK[name], tmp_path)


@pytest.mark.parametrize("name", PALE)
def test_too_pale(name, tmp_path):
    with pytest.raises(InputError, match=r"photo\.png: the ink is too pale"):
        read(PALE[name], tmp_path)


def test_a_word_and_a_block_are_noticed(tmp_path, capsys):
    read(shade(np.hstack([PAGE, PAGE])), tmp_path)
    assert "photo.png: read as several marks side by side" in capsys.readouterr().err
    page = np.zeros((400, 400))
    page[50:160, 60:170] = 1
    read(shade(page), tmp_path)
    assert "photo.png: read as a block of ink" in capsys.readouterr().err


def test_no_picture(tmp_path):
    path = tmp_path / "photo.png"
    shade(PAGE).save(path)
    cut_off = path.read_bytes()[:5000]
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    for content in (b"", cut_off, heic):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"photo\.png: not a picture .* save it as JPEG"):
            read_character(path)


def test_a_file_that_cannot_be_read_is_not_called_bad(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_character(tmp_path / "none.png")
    shade(PAGE).save(tmp_path / "photo.png")
    for error in (OSError(errno.EIO, "Input/output error"), MemoryError()):

        def fail(*args, error=error):
            raise error

        monkeypatch.setattr(Image, "open", fail)
        with pytest.raises(type(error)) as raised:
            read_character(tmp_path / "photo.png")
        assert raised.value is error
