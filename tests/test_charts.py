"""charts.py: each picture, read back."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support import charts as plots
from support.morph.endpoints import picture_pairs

HISTORY = [
    {"epoch": 1, "loss": 0.3, "val_loss": 0.2},
    {"epoch": 2, "loss": 0.2, "val_loss": 0.15},
    {"epoch": 3, "loss": 0.1, "val_loss": 0.16},
]
WILD_SETTINGS = """
image.origin: lower
axes.facecolor: black
font.size: 30
savefig.dpi: 30
savefig.bbox: tight
"""


def half_dark(count):
    """Images (count, 28, 28) with ink in the upper half."""
    images = np.zeros((count, 28, 28), np.float32)
    images[:, :14] = 1
    return images


def read(path):
    """The brightness of a picture's pixels, (H, W), 0..255."""
    with Image.open(path) as picture:
        return np.array(picture.convert("L"))


def dark_rows(picture, at_least):
    """The rows of a picture with so many dark pixels."""
    return np.flatnonzero((picture < 128).sum(axis=1) >= at_least)


def draw_all(folder):
    """Draws a picture of each kind; other tests and other processes draw the same."""
    plots.draw_strips(folder / "strips.png", half_dark(2), "ab", "AB", title="a → b")
    plots.draw_curves(folder / "curves.png", HISTORY, floor=0.1)
    points = np.random.default_rng(0).random((20, 2))
    names = {0: "a", 1: "b"}
    plots.draw_codes(folder / "codes.png", points, np.arange(20) % 2, names, code_size=8)


def test_strips(tmp_path):
    path = tmp_path / "new folder" / "strips.png"
    plots.draw_strips(path, half_dark(5), "abcde", "ABCDE", columns=2, title="five")
    picture = read(path)
    rows = dark_rows(picture, at_least=56)  # a strip is 28 pixels wide, drawn at twice its size
    tops = rows[np.diff(rows, prepend=-1) > 1]
    assert len(rows) == 3 * 28
    assert np.diff(tops).tolist() == [2 * 34, 2 * 34]  # upright, and with a gap
    assert picture[0].min() == picture[-1].min() == 255
    assert picture[:, 0].min() == picture[:, -1].min() == 255
    assert [file.name for file in path.parent.iterdir()] == ["strips.png"]


def test_long_names_and_titles_are_not_cut_off(tmp_path):
    plots.draw_strips(tmp_path / "names.png", half_dark(1), ["1000"], ["1000"])
    names = read(tmp_path / "names.png")
    inner = names[:, plots.MARGIN : -plots.MARGIN]
    assert inner[:, 0].min() == inner[:, -1].min() == 255  # else a digit would go on outside
    plots.draw_strips(tmp_path / "title.png", half_dark(1), ["1000"], title="word " * 50)
    title = read(tmp_path / "title.png")
    assert title.shape[1] > 250 * 5
    assert (title[:, : title.shape[1] // 4] < 128).any()


def test_a_link_is_replaced(tmp_path):
    (tmp_path / "precious.txt").write_text("precious", "utf-8")
    link = tmp_path / "curves.png"
    link.symlink_to("precious.txt")
    plots.draw_curves(link, HISTORY, floor=0.1)
    assert not link.is_symlink()
    assert read(link).shape == (400, 700)
    assert (tmp_path / "precious.txt").read_text("utf-8") == "precious"


def test_pictures_do_not_depend_on_the_users_settings(tmp_path):
    settings = tmp_path / "matplotlibrc"
    settings.write_text(WILD_SETTINGS, "utf-8")
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    draw_all(tmp_path / "here")
    code = "import sys, pathlib, test_charts; test_charts.draw_all(pathlib.Path(sys.argv[1]))"
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests), str(tests.parent)])
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "there"],
        env=os.environ | {"MATPLOTLIBRC": str(settings), "PYTHONPATH": paths},
        check=True,
    )
    for name in ("strips.png", "curves.png", "codes.png"):
        here = (tmp_path / "here" / name).read_bytes()
        there = (tmp_path / "there" / name).read_bytes()
        assert here == there, name


def test_settings_of_a_host_program_stay(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30}):
        plots.draw_curves(tmp_path / "curves.png", HISTORY, floor=0.1)
        assert matplotlib.rcParams["font.size"] == 30


def test_dollars_are_no_mathematics(tmp_path):
    plots.draw_strips(tmp_path / "s.png", half_dark(1), ["$$"], title="$\\frac{$")
    plots.draw_codes(tmp_path / "c.png", np.zeros((1, 2)), np.array([0]), {0: "$$"}, code_size=8)


def test_morph(tmp_path):
    ends = picture_pairs(list(half_dark(3)))
    frames = np.stack([half_dark(5), half_dark(5)])
    plots.draw_morph(tmp_path / "morph.png", frames, ends, "two rows")
    rows = dark_rows(read(tmp_path / "morph.png"), at_least=(5 + 2) * 56)
    assert len(rows) == 2 * 28


def test_preview_of_classes_with_few_images(tmp_path):
    images = {"a": half_dark(12), "b": half_dark(3), "c": half_dark(0)}
    plots.draw_preview(tmp_path / "preview.png", images)
    row = read(tmp_path / "preview.png")[20]
    assert (row < 128).sum() == (10 + 3) * 56


@pytest.mark.parametrize("has_second", [True, False])
def test_reconstructions(tmp_path, has_second):
    x = half_dark(4)
    p = x[:, ::-1]
    members = {
        "a": np.array([False, True, True, True]),
        "b": np.array([has_second, False, False, False]),
    }
    plots.draw_reconstructions(tmp_path / "r.png", x, p, members, code_size=8)
    picture = read(tmp_path / "r.png")[40:]  # below the title
    rows = dark_rows(picture, at_least=56)
    assert len(rows) == 2 * 28
    assert rows[-1] - rows[0] == 2 * 56 - 1  # dark above, and dark at the bottom of the lower one
    assert (picture[rows[0]] < 128).sum() == (2 if has_second else 1) * 56


def test_place_codes(monkeypatch):
    monkeypatch.setattr(plots, "MAP_CODES", 20)
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(0, 1, (15, 8)), rng.normal(20, 1, (15, 8))])
    sample, points = plots.place_codes(codes.astype(np.float32))
    assert points.shape == (20, 2)
    assert len(set(sample)) == 20
    first = points[sample < 15]
    second = points[sample >= 15]
    distance = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert distance > 2 * first.std()
    assert distance > 2 * second.std()
    assert (plots.place_codes(codes.astype(np.float32))[0] == sample).all()


def test_codes_are_drawn_in_the_colour_of_their_class(tmp_path):
    points = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    plots.draw_codes(tmp_path / "c.png", points, np.array([0, 0, 1, 1]), {0: "W", 1: "M"}, 8)
    with Image.open(tmp_path / "c.png") as picture:
        colours = np.array(picture.convert("RGB"), int)[60:]  # below the title
    left, right = np.split(colours, 2, axis=1)
    is_red = left[..., 0] - left[..., 1:].max(axis=-1) > 50  # the first class
    assert is_red.any()
    assert not (right[..., 0] - right[..., 1:].max(axis=-1) > 50).any()
    assert (right < 200).any()


def test_what_was_read_stands_below_each_photo(tmp_path):
    photo = np.full((60, 120), 240.0)
    photo[20:40, 50:70] = 30
    character = np.zeros((28, 28), np.float32)
    character[10:18, 10:18] = 1
    plots.draw_read(tmp_path / "read.png", [photo] * 3, [character] * 3)
    picture = read(tmp_path / "read.png")[40:]  # below the title
    rows = dark_rows(picture, at_least=3 * 2 * 10)
    assert (np.diff(rows) > 1).sum() == 1  # the ink of the photos, and below it what was read
    assert (picture[rows[0]] < 128).sum() < (picture[rows[-1]] < 128).sum()
