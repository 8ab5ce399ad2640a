"""Pictures of characters of all kinds come out as they were, or are refused in one line.

How well each kind of paper, pen and light is read is measured in benchmarks/photos.py.
"""

import errno

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from support.console import InputError
from support.emnist.demo import draw_demo_set
from support.morph.photo import read_character

(DRAWN, _), _ = draw_demo_set(28, 4, 1)  # four of each class
CHARACTERS = DRAWN / np.float32(255)
CHOSEN = 7


def draw_page(character=CHARACTERS[CHOSEN]):
    """The character on a page, not in its middle: (400, 400), 0 paper and 1 ink."""
    ink = Image.fromarray(character).resize((250, 250), Image.Resampling.BICUBIC)
    page = np.zeros((400, 400), np.float32)
    page[20:270, 100:350] = np.clip(ink, 0, 1)
    return page


PAGE = draw_page()


def shade(page, paper=255, ink=40):
    return Image.fromarray(np.uint8(paper + page * (ink - paper)))


def read(picture, tmp_path, **options):
    picture.save(tmp_path / "photo.png", **options)
    return read_character(tmp_path / "photo.png")


def nearest(image):
    """Checks the form of an image, and finds the character that it resembles most."""
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    return ((CHARACTERS - image) ** 2).sum(axis=(1, 2)).argmin()


def blue_on_yellow(page):
    blue = Image.new("RGB", page.shape, "navy")
    yellow = Image.new("RGB", page.shape, "khaki")
    return Image.composite(blue, yellow, shade(page, 0, 255))


def on_nothing(page, grey):
    opacity = np.uint8(255 * page)
    return Image.fromarray(np.stack([np.full_like(opacity, grey), opacity], axis=-1))


PICTURES = {
    "dark on light": shade(PAGE),
    "light on dark": shade(PAGE, 30, 240),
    "blue on yellow": blue_on_yellow(PAGE),
    "palette": shade(PAGE).convert("P"),
    "two shades": shade(PAGE).convert("1"),
    "16 bits": Image.fromarray(np.uint16(60_000 - PAGE * 50_000)),
    "dark on nothing": on_nothing(PAGE, 0),
    "light on nothing": on_nothing(PAGE, 255),
    "tiny": shade(PAGE).resize((40, 40)),
    "large": shade(PAGE).resize((3000, 3000)),
    "wide": shade(np.pad(PAGE, ((0, 0), (300, 0)))),
    "cropped": shade(PAGE[PAGE.any(axis=1)][:, PAGE.any(axis=0)]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture(name, tmp_path):
    assert nearest(read(PICTURES[name], tmp_path)) == CHOSEN


@pytest.mark.parametrize("white", [1, 255])
def test_float_tiff(white, tmp_path):
    Image.fromarray(white * (1 - PAGE)).save(tmp_path / "photo.tiff")
    assert nearest(read_character(tmp_path / "photo.tiff")) == CHOSEN


def test_a_camera_held_on_its_side(tmp_path):
    picture = shade(PAGE).rotate(90, expand=True)
    exif = picture.getexif()
    exif[0x0112] = 6  # orientation: turn it by 90 degrees to see it upright
    assert nearest(read(picture, tmp_path, exif=exif)) == CHOSEN


def test_broken_exif_is_harmless(tmp_path):
    """Warnings are errors in these tests."""
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010E] = "a description"
    cut_off = exif.tobytes()[:-20]
    shade(PAGE).save(tmp_path / "cut.jpg", exif=cut_off)
    assert nearest(read_character(tmp_path / "cut.jpg")) == CHOSEN


def test_a_png_with_2_mb_of_text(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 2_000_000, zip=True)
    assert nearest(read(shade(PAGE), tmp_path, pnginfo=text)) == CHOSEN


def test_specks_go_and_dots_stay(tmp_path, capsys):
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
    assert capsys.readouterr().err == ""  # a mark above another is a character's


# ---- contrast


@pytest.mark.parametrize(("paper", "ink"), [(250, 200), (60, 90)])
def test_faint_ink(paper, ink, tmp_path):
    """The holes of the character are not read instead, whichever of both is brighter."""
    assert nearest(read(shade(PAGE, paper, ink), tmp_path)) == CHOSEN


@pytest.mark.parametrize(("paper", "ink"), [(250, 215), (250, 235), (225, 250), (100, 110)])
def test_too_pale(paper, ink, tmp_path):
    with pytest.raises(InputError, match=r"photo\.png: the ink is too pale"):
        read(shade(PAGE, paper, ink), tmp_path)


def test_a_yellow_marker_is_too_pale(tmp_path):
    yellow = Image.new("RGB", PAGE.shape, (250, 235, 60))
    white = Image.new("RGB", PAGE.shape, (250, 250, 245))
    picture = Image.composite(yellow, white, shade(PAGE, 0, 255))
    with pytest.raises(InputError, match="too pale"):
        read(picture, tmp_path)


@pytest.mark.parametrize("paper", ["white", "noisy", "one pixel"])
def test_no_ink(paper, tmp_path):
    noise = np.random.default_rng(0).normal(200, 8, (300, 300))
    pages = {
        "white": np.full((50, 80), 255, np.uint8),
        "noisy": np.uint8(noise),
        "one pixel": np.zeros((1, 1), np.uint8),
    }
    with pytest.raises(InputError, match=r"photo\.png: no ink"):
        read(Image.fromarray(pages[paper]), tmp_path)


# ---- what may not be one character


def test_a_sheet_on_a_table(tmp_path):
    """The table, much darker than the paper, is not ink."""
    on_table = np.pad(PAGE, 60, constant_values=0.9)
    assert nearest(read(shade(on_table), tmp_path)) == CHOSEN


def test_a_word_is_noticed(tmp_path, capsys):
    read(shade(np.hstack([PAGE, draw_page(CHARACTERS[3]), PAGE])), tmp_path)
    assert "photo.png: read as several marks side by side" in capsys.readouterr().err


def test_a_block_is_noticed(tmp_path, capsys):
    page = np.zeros((400, 400))
    page[50:160, 60:170] = 1
    read(shade(page), tmp_path)
    assert "photo.png: read as a block of ink" in capsys.readouterr().err


# ---- files that cannot be read


def test_too_many_pixels(tmp_path):
    with pytest.raises(InputError, match=r"photo\.png: too many pixels; scale it down"):
        read(Image.new("1", (20_000, 13_000)), tmp_path)


def test_no_picture(tmp_path):
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    Image.fromarray(noise).save(path)
    cut_off = path.read_bytes()[:5000]
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    for content in (b"", cut_off, heic, pointer):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"photo\.png: not a picture .* save it as JPEG"):
            read_character(path)


def test_a_file_that_cannot_be_read_is_not_called_bad(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_character(tmp_path / "none.png")
    with pytest.raises(IsADirectoryError):
        read_character(tmp_path)
    shade(PAGE).save(tmp_path / "photo.png")
    for error in (OSError(errno.EIO, "Input/output error"), MemoryError(), ImportError()):

        def fail(*args, error=error):
            raise error

        monkeypatch.setattr(Image.Image, "convert", fail)
        with pytest.raises(type(error)) as raised:
            read_character(tmp_path / "photo.png")
        assert raised.value is error
