"""pictures.py: each kind of picture read back, the page in a real browser, the largest size."""

import io

import numpy as np
from conftest import check_quiet, open_page, resize
from PIL import Image

from support.morph import pictures
from support.morph.endpoints import Endpoints
from support.morph.pictures import MAX_SIDE

TITLE = "{{block}} $x → <!--<script>&"
MIDDLE_IS_BLANK = [True, False, True]


def write(path, steps, is_shown):
    """Writes a morph in which a square of ink moves down by two pixels a step.

    is_shown: a bool for each row; the others are blank.
    """
    count = sum(is_shown)
    frames = np.zeros((count, steps, 28, 28), np.float32)
    for step in range(steps):
        frames[:, step, 2 * step : 2 * step + 6, 10:16] = 0.9
    ends = Endpoints(
        images=np.ones((count, 2, 28, 28), np.float32),
        codes=np.ones((count, 2, 5), np.float32),
        indices=np.full((count, 2), [7, 8]),
        labels=np.full((count, 2), [7, 8]),
        names=np.full((count, 2), ["a", "b"]),
        is_shown=np.array(is_shown),
        title="title",
    )
    codes = np.ones((count, steps, 5), np.float32)
    pictures.write_morph(path, frames, codes, ends, TITLE)


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
    assert rows[56] - rows[0] == 2 * (56 + pictures.GAP)
    first, last = (np.flatnonzero(picture[rows[0] + 2 * y] < 128)[56:-56] for y in (1, 24))
    assert len(first) == len(last) == 2 * 6  # the square at the top, and at the bottom
    assert last[0] - first[0] == 10 * 56  # of the first frame, and of the last


def test_reconstructions_stand_below_the_first_image_of_each_class(tmp_path):
    x = np.zeros((4, 28, 28), np.float32)
    x[1:, :14] = 1
    y = np.array([1, 0, 0, 0])
    pictures.draw_reconstructions(tmp_path / "r.png", x, x[:, ::-1], y, {0: "a", 2: "b"})
    rows = dark_rows(read(tmp_path / "r.png")[40:], at_least=56)
    assert len(rows) == 2 * 28
    assert rows[-1] - rows[0] == 2 * 56 - 1  # above in the upper half, below in the lower


def test_what_was_read_stands_below_each_photo(tmp_path):
    photo = np.full((60, 120), 240, np.float32)
    photo[20:40, 50:70] = 30
    character = np.zeros((28, 28), np.float32)
    character[10:18, 10:18] = 1
    pictures.draw_read(tmp_path / "read.png", 3 * [(photo, character)])
    picture = read(tmp_path / "read.png")[40:]
    rows = dark_rows(picture, at_least=3 * 2 * 10)
    assert (np.diff(rows) > 1).sum() == 1  # the ink of the photos, and below it what was read
    assert (picture[rows[0]] < 128).sum() < (picture[rows[-1]] < 128).sum()


# ---- morphs in motion


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
    write(path, 5, [True, True])
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


def test_1000_rows_are_not_too_high_nor_too_wide(tmp_path):
    write(tmp_path / "m.png", 2, [True] * 1000)
    assert max(read(tmp_path / "m.png").shape) <= MAX_SIDE
    for rows, steps in ((1000, 2), (1, 1000)):
        width, height = pictures.draw_steps(np.zeros((rows, steps, 28, 28)))[0].size
        assert max(width, steps * height) <= MAX_SIDE
