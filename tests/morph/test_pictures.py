"""pictures.py: GIF and page read back, the page in a real browser, and sizes that are refused."""

import base64
import io
import re

import click
import numpy as np
import pytest
from conftest import check_quiet, open_page, resize
from PIL import Image

from support.morph.pictures import MAX_PIXELS, MAX_SIDE, check_size, write_gif, write_html

SIDE = 28
TITLE = "{{block}} $x <!--<script>&"


def moving_square(rows, steps):
    """Frames in which a square of ink moves down by two pixels a step."""
    frames = np.zeros((rows, steps, SIDE, SIDE), np.float32)
    for step in range(steps):
        frames[:, step, 2 * step : 2 * step + 6, 10:16] = 1
    return frames


def top_of_ink(picture):
    return (picture < 128).any(axis=1).argmax()


def test_gif(tmp_path):
    path = tmp_path / "m.gif"
    write_gif(path, moving_square(3, 6), scale=2)
    durations = []
    tops = []
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0  # for ever
        assert gif.size == (3 * SIDE * 2, SIDE * 2)
        for number in range(gif.n_frames):
            gif.seek(number)
            durations.append(gif.info["duration"])
            picture = np.array(gif.convert("L"))
            assert picture[-1].min() == 255  # white paper
            assert (picture[:, :56] == picture[:, 56:112]).all()
            tops.append(top_of_ink(picture) // 4)
    assert tops == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert durations[0] == durations[5] == 900
    assert min(durations) >= 40
    assert durations[1] > durations[2]  # slower near the ends
    assert list(tmp_path.iterdir()) == [path]


def test_gif_of_two_steps_and_of_many(tmp_path):
    rng = np.random.default_rng(0)
    for steps in (2, 60):
        write_gif(tmp_path / "m.gif", rng.random((1, steps, SIDE, SIDE)), scale=1)
        with Image.open(tmp_path / "m.gif") as gif:
            assert gif.n_frames == 2 * steps - 2


def test_page_holds_all_frames(tmp_path):
    path = tmp_path / "m.html"
    write_html(path, moving_square(2, 5), scale=3, title=TITLE)
    page = path.read_text("utf-8")
    png = re.search(r"url\(data:image/png;base64,([^)]+)\)", page)[1]
    with Image.open(io.BytesIO(base64.b64decode(png))) as stacked:
        assert stacked.size == (2 * SIDE * 3, 5 * SIDE * 3)
        for step, strip in enumerate(np.split(np.array(stacked), 5)):
            assert abs(top_of_ink(strip) - 6 * step) <= 1


def test_page_in_a_browser(tmp_path, browser):
    from selenium.webdriver.support.wait import WebDriverWait

    path = tmp_path / "m.html"
    write_html(path, moving_square(2, 5), scale=3, title=TITLE)
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
    assert np.abs(np.diff(tops) - 6).max() <= 1
    play.click()
    assert play.text == "Pause"
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: shown() != "5 / 5")
    play.click()
    assert play.text == "Play"
    for width, dark in ((360, True), (1280, False)):
        resize(browser, width, dark=dark)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    check_quiet(browser, path)


def test_a_sentence_where_scripts_are_off(tmp_path, browser):
    path = tmp_path / "m.html"
    write_html(path, moving_square(1, 2), scale=1, title="two frames")
    switch = "Emulation.setScriptExecutionDisabled"
    browser.execute_cdp_cmd(switch, {"value": True})
    open_page(browser, path)
    text = browser.find_element("css selector", "body").text
    browser.execute_cdp_cmd(switch, {"value": False})
    assert "Scripts are off" in text


@pytest.mark.parametrize(
    ("suffix", "rows", "steps", "scale", "advice"),
    [
        (".png", 1000, 96, 1, "rows, --steps"),
        (".npz", 1000, 383, 1, "rows, --steps"),
        (".gif", 20, 1000, 5, "rows, --steps or --scale"),
        (".html", 200, 150, 4, "rows, --steps or --scale"),
        (".gif", 586, 2, 4, "rows or --scale"),
        (".html", 586, 2, 4, "rows or --scale"),
        (".html", 1, 586, 4, "--steps or --scale"),
    ],
)
def test_sizes_that_are_refused(suffix, rows, steps, scale, advice):
    message = f"more than ({MAX_PIXELS:,} pixels|{MAX_SIDE:,}); lower (the number of )?{advice}$"
    with pytest.raises(click.UsageError, match=message):
        check_size(suffix, rows, steps, SIDE, scale)


@pytest.mark.parametrize(
    ("suffix", "rows", "steps", "scale"),
    [
        (".png", 1000, 95, 50),  # --scale is for .gif and .html
        (".npz", 1000, 382, 50),
        (".gif", 585, 2, 4),
        (".gif", 1, 1000, 4),
        (".html", 585, 2, 4),
        (".html", 1, 585, 4),
    ],
)
def test_sizes_that_are_allowed(suffix, rows, steps, scale):
    check_size(suffix, rows, steps, SIDE, scale)
