"""pictures.py: each kind of picture read back, the page in a real browser, sizes."""

import base64
import io
import re

import click
import numpy as np
import pytest
from conftest import check_quiet, open_page, resize
from PIL import Image

from support.morph import pictures
from support.morph.endpoints import Endpoints
from support.morph.pictures import check_size, write_morph

TITLE = "{{block}} $x → <!--<script>&"
MIDDLE_IS_BLANK = [False, True, False]


def moving_square(rows, steps):
    """Frames in which a square of ink moves down by two pixels a step, 0.9 of ink."""
    frames = np.zeros((rows, steps, 28, 28), np.float32)
    for step in range(steps):
        frames[:, step, 2 * step : 2 * step + 6, 10:16] = 0.9
    return frames


def write(path, steps, is_blank):
    """Writes the morph of a moving square; is_blank: a bool for each row. Returns its arrays."""
    rows = np.flatnonzero(~np.array(is_blank))
    count = len(rows)
    ends = Endpoints(
        images=np.ones((count, 2, 28, 28), np.float32),
        codes=np.ones((count, 2, 5), np.float32),
        indices=np.full((count, 2), [7, 8]),
        labels=np.full((count, 2), [7, 8]),
        names=np.full((count, 2), ["a", "b"]),
        rows=rows,
        row_count=len(is_blank),
        title="title",
        source="test images",
    )
    frames = moving_square(count, steps)
    codes = np.ones((count, steps, 5), np.float32)
    write_morph(path, frames, codes, ends, TITLE)
    return frames, codes


def read(path):
    """The brightness of a picture's pixels, (H, W), 0..255."""
    with Image.open(path) as picture:
        return np.array(picture.convert("L"))


def dark_rows(picture, at_least):
    """The rows of a picture with so many dark pixels."""
    return np.flatnonzero((picture < 128).sum(axis=1) >= at_least)


def top_of_ink(picture):
    return (picture < 128).any(axis=1).argmax()


# ---- strips


def test_png(tmp_path):
    path = tmp_path / "new folder" / "m.PNG"
    write(path, 11, MIDDLE_IS_BLANK)
    picture = read(path)
    assert [file.name for file in path.parent.iterdir()] == ["m.PNG"]
    border = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert min(line.min() for line in border) == 255

    picture = picture[40:]  # below the title
    rows = dark_rows(picture, at_least=2 * 56)  # the images at the ends, which are all ink
    assert len(rows) == 2 * 56  # the row in the middle is blank
    assert rows[56] - rows[0] == 2 * 2 * (28 + pictures.ROW_GAP)
    first, last = (np.flatnonzero(picture[rows[0] + 2 * y] < 128)[56:-56] for y in (1, 24))
    assert len(first) == len(last) == 2 * 6  # the square at the top, and at the bottom
    assert last[0] - first[0] == 10 * 56  # of the first frame, and of the last


def test_long_names_and_titles_are_not_cut_off(tmp_path):
    strip = np.zeros((28, 28), np.float32)
    for words in ({"left": ["$$ 1000 1000"]}, {"left": [""], "title": "word " * 50}):
        pictures.draw_strips(tmp_path / "s.png", [strip], **words)
        picture = read(tmp_path / "s.png")
        assert picture[:, 0].min() == picture[:, -1].min() == 255
        assert picture[:, : 2 * pictures.MARGIN].min() < 128  # the first letter


def test_preview_of_classes_with_few_images(tmp_path):
    images = {name: np.ones((count, 28, 28)) for name, count in (("a", 12), ("b", 3), ("c", 0))}
    pictures.draw_preview(tmp_path / "preview.png", images)
    assert (read(tmp_path / "preview.png")[20] < 128).sum() == (10 + 3) * 56


def test_reconstructions_stand_below_the_first_image_of_each_class(tmp_path):
    x = np.zeros((4, 28, 28), np.float32)
    x[1:, :14] = 1
    y = np.array([1, 0, 0, 0])
    pictures.draw_reconstructions(tmp_path / "r.png", x, x[:, ::-1], y, {0: "a", 2: "b"})
    rows = dark_rows(read(tmp_path / "r.png")[40:], at_least=56)
    assert len(rows) == 2 * 28
    assert rows[-1] - rows[0] == 2 * 56 - 1  # above in the upper half, below in the lower


def test_what_was_read_stands_below_each_photo(tmp_path):
    photo = np.full((60, 120), 240.0)
    photo[20:40, 50:70] = 30
    character = np.zeros((28, 28), np.float32)
    character[10:18, 10:18] = 1
    pictures.draw_read(tmp_path / "read.png", [photo] * 3, [character] * 3)
    picture = read(tmp_path / "read.png")[40:]
    rows = dark_rows(picture, at_least=3 * 2 * 10)
    assert (np.diff(rows) > 1).sum() == 1  # the ink of the photos, and below it what was read
    assert (picture[rows[0]] < 128).sum() < (picture[rows[-1]] < 128).sum()


# ---- arrays, and morphs in motion


def test_npz(tmp_path):
    shown, codes = write(tmp_path / "m.npz", 5, MIDDLE_IS_BLANK)
    with np.load(tmp_path / "m.npz") as arrays:
        assert set(arrays) == {"frames", "codes", "labels", "indices"}
        for name, expected in (("frames", shown), ("codes", codes)):
            assert arrays[name].dtype == np.float32
            assert (arrays[name][[0, 2]] == expected).all()
            assert not arrays[name][1].any()
        assert arrays["labels"].tolist() == arrays["indices"].tolist() == [[7, 8], [-1, -1], [7, 8]]


def test_gif(tmp_path):
    write(tmp_path / "m.gif", 6, MIDDLE_IS_BLANK)
    durations = []
    tops = []
    with Image.open(tmp_path / "m.gif") as gif:
        assert gif.info["loop"] == 0  # for ever
        assert gif.size == (3 * 28 * 4, 28 * 4)
        for number in range(gif.n_frames):
            gif.seek(number)
            durations.append(gif.info["duration"])
            picture = np.array(gif.convert("L"))
            left, blank, right = np.split(picture, 3, axis=1)
            assert (left == right).all() and blank.min() == 255
            tops.append(top_of_ink(left) // 8)
    assert tops == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert durations[0] == durations[5] == 900
    assert min(durations) >= 40
    assert durations[1] > durations[2]  # slower near the ends


def test_page(tmp_path, browser):
    from selenium.webdriver.support.wait import WebDriverWait

    path = tmp_path / "m.html"
    write(path, 5, [False, False])
    open_page(browser, path)
    slider = browser.find_element("id", "slider")
    play = browser.find_element("id", "play")
    picture = browser.find_element("id", "picture")

    def shown():
        return browser.find_element("id", "position").text

    assert browser.title == TITLE
    assert TITLE in browser.find_element("css selector", "main").text
    assert shown() == "1 / 5"
    tops = []
    for number in range(5):
        screenshot = Image.open(io.BytesIO(picture.screenshot_as_png)).convert("L")
        tops.append(int(top_of_ink(np.array(screenshot))))
        assert shown() == f"{number + 1} / 5"
        slider.send_keys("\ue014")  # arrow right
    assert np.abs(np.diff(tops) - 8).max() <= 1
    play.click()
    assert play.text == "Pause"
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: shown() != "5 / 5")
    play.click()
    assert play.text == "Play"
    for width, dark in ((360, True), (1280, False)):
        resize(browser, width, dark=dark)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    check_quiet(browser, path)


# ---- sizes


def test_too_many_frames_are_refused():
    check_size(1000, 30)
    with pytest.raises(click.UsageError, match=r"more than 30,000 .*; lower .* rows or --steps"):
        check_size(1000, 31)


@pytest.mark.parametrize(("rows", "steps"), [(1000, 2), (1, 1000)])
def test_the_largest_pictures_can_be_shown(tmp_path, rows, steps):
    for kind in (".gif", ".png", ".html"):
        write(tmp_path / f"m{kind}", steps, [False] * rows)
    page = (tmp_path / "m.html").read_text("utf-8")
    png = re.search(r"url\(data:image/png;base64,([^)]+)\)", page)[1]
    for file in (tmp_path / "m.gif", tmp_path / "m.png", io.BytesIO(base64.b64decode(png))):
        with Image.open(file) as picture:
            assert max(picture.size) <= 65_535
