"""photo.py: pictures of characters on all sorts of paper come out as they were."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchmarks.photos import CONDITIONS, photograph
from support.console import InputError
from support.emnist.demo import draw_demo_set
from support.morph.photo import read_character

(DRAWN, _), _ = draw_demo_set(28, 4, 1)  # four of each class
CHARACTERS = DRAWN / np.float32(255)


def draw_large(character, rng, side=400):
    """The character on a square page, (side, side), 0 paper and 1 ink; not in its middle."""
    size = int(side * rng.uniform(0.5, 0.9))
    ink = Image.fromarray(character).resize((size, size), Image.Resampling.BICUBIC)
    page = np.zeros((side, side), np.float32)
    top, left = rng.integers(0, side - size, 2)
    page[top : top + size, left : left + size] = np.clip(ink, 0, 1)
    return page


def put_on_paper(page, rng, light_ink=False):
    """A grey picture, 0..255, of a page turned by a few degrees, unevenly lit, and with noise."""
    page = ndimage.rotate(page, rng.uniform(-4, 4), reshape=False, order=1)
    height, width = page.shape
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)
    light = rng.uniform(0.7, 0.9) * (1 + rng.uniform(-0.2, 0.2) * x + rng.uniform(-0.2, 0.2) * y)
    paper, ink = (0.2, 0.9) if light_ink else (1, 0.25)
    seen = light * (paper + page * (ink - paper)) + rng.normal(0, 0.03, page.shape)
    return np.uint8(255 * seen.clip(0, 1))


def nearest(image):
    return ((CHARACTERS - image) ** 2).sum(axis=(1, 2)).argmin()


def check_form(image):
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1


@pytest.mark.parametrize("light_ink", [False, True])
def test_each_is_nearest_to_its_own(tmp_path, light_ink):
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(CHARACTERS))[:15]
    found = []
    for i in chosen:
        path = tmp_path / f"{i}.jpg"
        Image.fromarray(put_on_paper(draw_large(CHARACTERS[i], rng), rng, light_ink)).save(path)
        image = read_character(path, 28)
        check_form(image)
        found.append(nearest(image))
    assert (found == chosen).mean() >= 0.9


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition(condition):
    """What is read looks like the original."""
    _, image, _ = photograph(condition, CHARACTERS[20], seed=1)
    assert image is not None
    check_form(image)
    assert likeness(image, CHARACTERS[20]) > 0.8


def likeness(image, original):
    """Their correlation, both centred and blurred by as much as pens differ."""
    a = ndimage.gaussian_filter(centred(image), 1)
    b = ndimage.gaussian_filter(centred(original), 1)
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def centred(image):
    middle = (np.array(image.shape) - 1) / 2
    return ndimage.shift(image, middle - ndimage.center_of_mass(image), order=1)


def blue_on_yellow(page):
    blue = Image.new("RGB", page.shape, "navy")
    yellow = Image.new("RGB", page.shape, "khaki")
    return Image.composite(blue, yellow, Image.fromarray(page))


def transparent(page, grey):
    return Image.fromarray(np.stack([np.full_like(page, grey), page], axis=-1), "LA")


def wide(page):
    return Image.fromarray(np.pad(255 - page, ((0, 0), (300, 0)), "edge"))


PICTURES = {  # name of the file -> from a page, 0 paper and 255 ink, to a picture
    "page.png": lambda page: Image.fromarray(255 - page),
    "white on black.png": lambda page: Image.fromarray(page),
    "blue on yellow.png": blue_on_yellow,
    "palette.gif": lambda page: Image.fromarray(255 - page).convert("P"),
    "two shades.png": lambda page: Image.fromarray(255 - page).convert("1"),
    "16 bits.png": lambda page: Image.fromarray(60_000 - page.astype("u2") * 200),
    "dark on nothing.png": lambda page: transparent(page, 0),
    "light on nothing.png": lambda page: transparent(page, 255),
    "tiny.png": lambda page: Image.fromarray(255 - page).resize((40, 40)),
    "large.png": lambda page: Image.fromarray(255 - page).resize((3000, 3000)),
    "wide.png": wide,
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture(tmp_path, name):
    PICTURES[name](draw_page()).save(tmp_path / name)
    image = read_character(tmp_path / name, 28)
    check_form(image)
    assert nearest(image) == 7


def draw_page():
    """CHARACTERS[7] on a page, uint8, 0 paper and 255 ink."""
    return np.uint8(255 * draw_large(CHARACTERS[7], np.random.default_rng(1)))


def test_a_camera_held_on_its_side(tmp_path):
    picture = Image.fromarray(255 - draw_page()).rotate(90, expand=True)
    exif = picture.getexif()
    exif[0x0112] = 6  # orientation: turn it by 90 degrees to see it upright
    picture.save(tmp_path / "turned.jpg", exif=exif)
    assert nearest(read_character(tmp_path / "turned.jpg", 28)) == 7


def test_broken_exif_is_passed_over_in_silence(tmp_path):
    """Where warnings are errors, as in these tests, a warning would end the reading."""
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010E] = "a description"
    cut_off = exif.tobytes()[:-20]
    Image.fromarray(255 - draw_page()).save(tmp_path / "cut.jpg", exif=cut_off)
    assert nearest(read_character(tmp_path / "cut.jpg", 28)) == 7


def test_an_image_of_another_size(tmp_path):
    Image.fromarray(255 - draw_page()).save(tmp_path / "page.png")
    image = read_character(tmp_path / "page.png", 56)
    assert image.shape == (56, 56)
    half = np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BOX))
    assert nearest(half) == 7


def test_specks_go_and_dots_stay(tmp_path):
    page = np.full((400, 300), 255, np.uint8)
    page[150:350, 130:160] = 20
    page[90:120, 130:160] = 20
    page[20:24, 20:24] = 0
    Image.fromarray(page).save(tmp_path / "i.png")
    image = read_character(tmp_path / "i.png", 28)
    rows = image.max(axis=1)
    assert 23 <= (rows > 0.05).sum() <= 26  # the speck would make it smaller
    assert rows[9:24].min() > 0.9
    assert (rows[2:8] < 0.1).any()  # between dot and stroke
    assert abs(image.sum(axis=0) @ np.arange(28) / image.sum() - 13.5) < 0.1


@pytest.mark.parametrize("paper", ["white", "noisy", "one pixel"])
def test_no_ink(tmp_path, paper):
    empty = np.zeros((300, 300), np.float32)
    pages = {
        "white": np.full((50, 80), 255, np.uint8),
        "noisy": put_on_paper(empty, np.random.default_rng(0)),
        "one pixel": np.zeros((1, 1), np.uint8),
    }
    path = tmp_path / "empty.png"
    Image.fromarray(pages[paper]).save(path)
    with pytest.raises(InputError, match=f"{path}: no ink"):
        read_character(path, 28)


def test_a_picture_of_108_megapixels(tmp_path):
    path = tmp_path / "large.jpg"
    Image.fromarray(255 - draw_page()).resize((10_400, 10_400)).save(path)
    limit = Image.MAX_IMAGE_PIXELS
    assert nearest(read_character(path, 28)) == 7
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_picture_that_is_too_large(tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 13_000)).save(path)
    with pytest.raises(InputError, match=r"huge\.png: more than 250 megapixels; scale it down"):
        read_character(path, 28)


def test_a_format_that_is_not_known(tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(InputError, match=r"photo\.heic: .* save it as JPEG"):
        read_character(path, 28)


def test_no_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    path = tmp_path / "bad.png"
    Image.fromarray(noise).save(path)
    half = path.read_bytes()[:5000]
    for content in (b"", b"no picture", half):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.png: not a picture"):
            read_character(path, 28)
    with pytest.raises(InputError, match="not a picture"):
        read_character(tmp_path, 28)
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_character(tmp_path / "none.png", 28)
