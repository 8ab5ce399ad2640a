"""support/own.py: pictures of characters on all sorts of paper come out as they were."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from autoencoder import encode, load_autoencoder
from support.demo import draw_demo_set
from support.own import read_character

CHARACTERS = draw_demo_set(4, 1)[0][0] / np.float32(255)  # four of each class


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
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in page.shape), indexing="ij")
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
    chosen = rng.permutation(len(CHARACTERS))[:40]
    found = []
    for i in chosen:
        path = tmp_path / f"{i}.jpg"
        Image.fromarray(put_on_paper(draw_large(CHARACTERS[i], rng), rng, light_ink)).save(path)
        image = read_character(path)
        check_form(image)
        found.append(nearest(image))
    assert (found == chosen).mean() >= 0.95


def test_its_code_is_nearest_to_the_characters_own(trained, loaded, tmp_path):
    _, (x, _) = loaded
    model = load_autoencoder(trained[0] / "model.keras")
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(x))[:47]
    read = []
    for number, i in enumerate(chosen):
        path = tmp_path / f"{i}.png"
        paper = put_on_paper(draw_large(x[i], rng), rng, light_ink=number % 3 == 0)
        Image.fromarray(paper).save(path)
        read.append(read_character(path))
    found, codes = encode(model, np.stack(read)), encode(model, x)
    nearest_code = np.linalg.norm(found[:, None] - codes, axis=2).argmin(axis=1)
    assert (nearest_code == chosen).mean() >= 0.95


def turned(page):
    picture = Image.fromarray(255 - page).rotate(90, expand=True)
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was held on its side: turn it by 90 degrees to see it upright
    return picture, {"exif": exif}


def transparent(page, grey):
    ink = np.full_like(page, grey)
    return Image.fromarray(np.stack([ink, page], axis=-1), "LA"), {}


WAYS = {
    "page.png": lambda page: (Image.fromarray(255 - page), {}),
    "white on black.png": lambda page: (Image.fromarray(page), {}),
    "blue on yellow.png": lambda page: (
        Image.composite(
            Image.new("RGB", page.shape, "navy"),
            Image.new("RGB", page.shape, "khaki"),
            Image.fromarray(page),
        ),
        {},
    ),
    "palette.gif": lambda page: (Image.fromarray(255 - page).convert("P"), {}),
    "two shades.png": lambda page: (Image.fromarray(255 - page).convert("1"), {}),
    "16 bits.png": lambda page: (Image.fromarray(60_000 - page.astype("u2") * 200), {}),
    "dark on nothing.png": lambda page: transparent(page, 0),
    "light on nothing.png": lambda page: transparent(page, 255),
    "turned.jpg": turned,
    "tiny.png": lambda page: (Image.fromarray(255 - page).resize((40, 40)), {}),
    "large.png": lambda page: (Image.fromarray(255 - page).resize((3000, 3000)), {}),
    "wide.png": lambda page: (Image.fromarray(np.pad(255 - page, ((0, 0), (300, 0)), "edge")), {}),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_kind_of_picture(tmp_path, name):
    page = np.uint8(255 * draw_large(CHARACTERS[7], np.random.default_rng(1)))
    picture, options = WAYS[name](page)
    picture.save(tmp_path / name, **options)
    image = read_character(tmp_path / name)
    check_form(image)
    assert nearest(image) == 7


def test_specks_go_and_dots_stay(tmp_path):
    page = np.full((400, 300), 255, np.uint8)
    page[150:350, 130:160] = 20
    page[90:120, 130:160] = 20
    page[20:24, 20:24] = 0
    Image.fromarray(page).save(tmp_path / "i.png")
    image = read_character(tmp_path / "i.png")
    rows = image.max(axis=1)
    assert 23 <= (rows > 0.05).sum() <= 26  # the speck would make it smaller
    assert rows[9:24].min() > 0.9
    assert (rows[2:8] < 0.1).any()  # between dot and stroke
    assert abs(image.sum(axis=0) @ np.arange(28) / image.sum() - 13.5) < 0.1


def test_no_ink_and_no_picture(tmp_path):
    rng = np.random.default_rng(0)
    for name, page in {
        "white.png": np.full((50, 80), 255.0),
        "paper.png": put_on_paper(np.zeros((300, 300), np.float32), rng),
        "pixel.png": np.zeros((1, 1)),
    }.items():
        Image.fromarray(np.uint8(page)).save(tmp_path / name)
        with pytest.raises(ValueError, match=f"{tmp_path / name}: no ink"):
            read_character(tmp_path / name)
    whole = tmp_path / "whole.png"
    Image.fromarray(np.uint8(rng.integers(0, 256, (99, 99)))).save(whole)
    for content in (b"", b"no picture", whole.read_bytes()[:5000]):
        (tmp_path / "bad.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.png: not a picture"):
            read_character(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_character(tmp_path / "none.png")
    with pytest.raises(ValueError, match="not a picture"):
        read_character(tmp_path)
