"""pictures.py: each kind of file, read back."""

import base64
import io
import re

import numpy as np
from conftest import check_quiet, open_page, resize
from PIL import Image

from support import pictures


def rows(n, steps):
    """n rows in which a square of ink moves down, from frame to frame."""
    frames = np.zeros((n, steps, 28, 28), np.float32)
    for step in range(steps):
        frames[:, step, 2 * step : 2 * step + 6, 10:16] = 1
    return frames


def test_gif(tmp_path):
    path = tmp_path / "m.gif"
    pictures.write_gif(path, rows(3, 6), scale=2)
    with Image.open(path) as gif:
        assert gif.n_frames == 10  # there and back, the ends once
        assert gif.info["loop"] == 0  # for ever
        assert gif.size == (3 * 28 * 2, 28 * 2)
        times, tops = [], []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            times.append(gif.info["duration"])
            picture = np.array(gif.convert("L"))
            assert picture[-1].min() == 255  # white paper
            assert (picture[:, :56] == picture[:, 56:112]).all()
            tops.append((picture < 128).any(1).argmax() // 4)
    assert tops == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    assert times[0] == times[5] == 900
    assert min(times) >= 40
    assert times[1] > times[2]  # slower towards the characters
    assert list(tmp_path.iterdir()) == [path]


def test_two_steps_and_many(tmp_path):
    for steps in (2, 60):
        pictures.write_gif(tmp_path / "m.gif", np.random.rand(1, steps, 28, 28), scale=1)
        with Image.open(tmp_path / "m.gif") as gif:
            assert gif.n_frames == 2 * steps - 2


def test_page(tmp_path):
    path = tmp_path / "m.html"
    frames = rows(2, 5)
    pictures.write_html(path, frames, scale=3, title="<a & b>, linear path")
    page = path.read_text("utf-8")
    assert not re.search(r"https?:|//[a-z]|src=|href=|@import|\$", page)  # nothing from elsewhere
    assert page.count("&lt;a &amp; b&gt;, linear path") == 3
    assert "<a & b>" not in page
    assert 'type="range" min="0" max="4"' in page
    png = re.search(r"url\(data:image/png;base64,([^)]+)\)", page).group(1)
    with Image.open(io.BytesIO(base64.b64decode(png))) as stacked:
        assert stacked.size == (2 * 28 * 3, 5 * 28 * 3)
        for step, strip in enumerate(np.split(np.array(stacked), 5)):
            assert abs((strip < 128).any(1).argmax() - 6 * step) <= 1


def test_page_in_a_browser(tmp_path, browser):
    from selenium.webdriver.support.wait import WebDriverWait

    path = tmp_path / "m.html"
    pictures.write_html(path, rows(2, 5), scale=3, title="two rows, linear path")
    open_page(browser, path)
    slider, play, picture = (browser.find_element("id", i) for i in ("slider", "play", "picture"))

    def seen():
        return browser.find_element("id", "position").text, slider.get_property("value")

    assert seen() == ("1 / 5", "0")
    first = picture.screenshot_as_png
    slider.send_keys("\ue014")  # arrow right
    assert seen() == ("2 / 5", "1")
    assert picture.screenshot_as_png != first
    slider.send_keys("\ue010")  # End
    assert seen() == ("5 / 5", "4")
    play.click()
    assert play.text == "Pause"
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: seen()[1] != "4")
    play.click()
    assert play.text == "Play"
    for width, dark in ((360, True), (1280, False)):
        resize(browser, width, dark=dark)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    check_quiet(browser, path)


def test_strips(tmp_path):
    path = tmp_path / "s.png"
    strip = np.zeros((28, 56))
    strip[:14] = 1
    pictures.draw_strips(path, [strip] * 5, "abcde", "ABCDE", columns=2, title="five")
    with Image.open(path) as picture:
        grey = np.array(picture.convert("L"))
    dark = (grey < 128).sum(1)
    assert (dark > 2 * 56).sum() > 3 * 14  # three rows of ink, each in its upper half
    assert grey[-1].min() == 255


def test_curves(tmp_path):
    keys = ("epoch", "loss", "val_loss")
    rows = ((1, 0.3, 0.2), (2, 0.2, 0.15), (3, 0.1, 0.16))
    history = [dict(zip(keys, row, strict=True)) for row in rows]
    pictures.draw_curves(tmp_path / "c.png", history, floor=0.1)
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (700, 400)
