"""The page in a real browser: it agrees with Keras, and answers mouse and keyboard."""

import base64
import io
import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import check_quiet, open_page, resize
from PIL import Image

import autoencoder
from support.console import InputError
from support.lazy_keras import keras
from support.morph import geodesic
from support.page import export as explorer

TITLE = "{{block}} $x <!--<script>&"
NAMES = {0: "<", 1: "&", 2: "{"}
SIDE = 20  # pixels of the little network's images
ENLARGED = 8  # times as large as its image is a picture on the page
RADIUS = 2  # of the ring on which its codes lie
IMAGES = 44  # on the ring; the first lies on the right of the map
TRAINING_CODES = 300  # on the ring

TAB, END, ENTER = "\ue004", "\ue010", "\ue007"
UP, ESCAPE = "\ue013", "\ue00c"


class Page:
    """An open page without its tour: its elements, and what is in its pictures."""

    def __init__(self, browser, path):
        self.browser = browser
        self.path = path
        open_page(browser, path)
        self.settle()
        self["tour-close"].click()

    def reload(self):
        self.browser.refresh()
        self.settle()

    def __call__(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def __getitem__(self, name):
        return self.browser.find_element("id", name)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def wait(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.browser, 20, poll_frequency=0.05).until(lambda _: condition())

    def settle(self):
        """Waits until all frames of the morph are decoded, and the map is drawn."""
        busy = "return document.getElementById('morph-part').ariaBusy"
        self.wait(lambda: self(busy) == "false")
        self.wait_for_frame()

    def wait_for_frame(self):
        wait = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        self.browser.execute_async_script(wait)

    def inks(self, *selectors):
        """The ink of the pictures that match each selector: (pictures, pixels) in [0, 1]."""
        script = "return [...document.querySelectorAll(arguments[0])].map(c => c.toDataURL())"
        found = []
        for selector in selectors:
            alphas = [read_url(url).getchannel("A") for url in self(script, selector)]
            found.append(np.array([np.ravel(alpha) / 255 for alpha in alphas]))
        return found

    def go_to(self, state):
        """Changes the address after #, like somebody who types it."""
        self("location.hash = arguments[0]", state)
        self.settle()

    def address(self):
        """The part of the address after #."""
        return self("return location.hash.slice(1)")

    def map_picture(self):
        return self("return document.getElementById('map').toDataURL()")

    def names(self):
        """The names of both ends of the morph."""
        return self["name-A"].text, self["name-B"].text

    def run_network(self, part, inputs):
        """What the page's encode or decode makes of inputs (N, ...): (N, numbers)."""
        script = "return arguments[1].map(x => [...explorer[arguments[0]](Float32Array.from(x))])"
        return np.array(self(script, part, inputs.reshape(len(inputs), -1).tolist()))

    def geodesic(self, start, end):
        """The page's geodesic between codes (D,), (D,), as fine as its slider: (91, D)."""
        script = """
            const [a, b] = [...arguments].map(code => Float32Array.from(code));
            return explorer.geodesic(a, b).map(code => [...code]);
        """
        return np.array(self(script, start.tolist(), end.tolist()))

    def actions(self):
        from selenium.webdriver import ActionChains

        return ActionChains(self.browser, duration=0)

    def press(self, element, keys):
        self("arguments[0].focus()", element)
        self.actions().send_keys(keys).perform()

    def drag(self, name, *places):
        """Drags over an element; places are shares (x, y) of it, from its middle."""
        element = self[name]
        self("arguments[0].scrollIntoView({ block: 'center' })", element)
        actions = self.actions()
        for number, (x, y) in enumerate(places):
            x_pixels = round(x * element.size["width"])
            y_pixels = round(y * element.size["height"])
            actions.move_to_element_with_offset(element, x_pixels, y_pixels)
            if number == 0:
                actions.click_and_hold()
        actions.release().perform()

    click = drag  # at one place


def read_url(url):
    """The picture in a data: URL."""
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


# ---- the page of a run


@pytest.fixture(scope="module")
def run_folder(trained, tmp_path_factory):
    """A run with its page, made by the command itself."""
    folder = tmp_path_factory.mktemp("explore") / "run"
    shutil.copytree(trained[0], folder)
    result = CliRunner().invoke(autoencoder.cli, ["explore", "--run-dir", str(folder)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder / 'explore.html'}\n"
    return folder


@pytest.fixture
def run_page(browser, run_folder):
    return Page(browser, run_folder / "explore.html")


def test_it_loads_alone_and_shows_a_pair_at_once(run_page):
    assert run_page.names() == ("W", "G")
    (frames,) = run_page.inks(".strip canvas")
    assert (frames.max(axis=1) > 0.3).all()
    check_quiet(run_page.browser, run_page.path)
    content = json.loads(run_page("return document.getElementById('content').textContent"))
    assert all(content["made_from"][part] for part in ("model", "data"))


def test_it_agrees_with_keras(run_page, run_folder, loaded):
    _, (x, _) = loaded
    model, _ = autoencoder.load_autoencoder(run_folder / "model.keras")
    codes = autoencoder.encode(model, x)
    images = autoencoder.decode(model, codes[:20]).reshape(20, -1)
    code_errors = np.abs(run_page.run_network("encode", x[:20]) - codes[:20])
    assert (code_errors.mean(axis=0) < 0.01 * codes.std(axis=0)).all()
    assert np.abs(run_page.run_network("decode", codes[:20]) - images).mean() < 0.003


def test_its_geodesic_is_that_of_morph(run_page, run_folder, tmp_path):
    path = tmp_path / "morph.npz"
    words = ["morph", "--run-dir", run_folder, "--path", "geodesic", "--rows", "4", "--out", path]
    result = CliRunner().invoke(autoencoder.cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    with np.load(path) as arrays:
        codes = arrays["codes"]
    spread = codes.std(axis=(0, 1))
    for row in codes:
        frames = run_page.geodesic(row[0], row[-1])[::10]
        errors = np.abs(frames - row) / spread
        assert errors.mean(axis=1).max() < 0.05  # the page's weights are rounded


def test_nothing_overflows(run_page):
    run_page["start-tour"].click()
    for width in (360, 800, 1280):
        resize(run_page.browser, width)
        run_page.settle()
        outside = run_page("""
            for (const help of document.querySelectorAll("details")) help.open = true;
            const isOutside = element => {
                const box = element.getBoundingClientRect();
                return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
            };
            return [...document.querySelectorAll("body *")].filter(isOutside).map(e => e.outerHTML);
        """)
        assert outside == []


# ---- a little page: small images, few codes, and settings that our network does not have


def ring(count):
    """Codes (count, 6) at even angles on a circle, in the plane of the first two numbers."""
    angles = 2 * np.pi * np.arange(count) / count
    codes = np.zeros((count, 6), np.float32)
    codes[:, 0] = RADIUS * np.cos(angles)
    codes[:, 1] = RADIUS * np.sin(angles)
    return codes


def build_little_networks():
    """An encoder and a decoder with layers and settings that our network does not have."""
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1))
    h = layers.Conv2D(6, 6, strides=2, activation="relu")(image)  # 8 x 8
    h = layers.BatchNormalization()(h)
    h = layers.Conv2D(3, 3, strides=2, padding="same", activation="silu")(h)  # 4 x 4
    encoder = keras.Model(image, layers.Dense(6)(layers.Flatten()(h)), name="encoder")

    code = keras.Input((6,))
    wide = keras.initializers.RandomNormal(stddev=2)  # so that codes differ in their pictures
    h = layers.Dense(32, activation="silu", kernel_initializer=wide)(code)
    h = layers.Reshape((4, 4, 2))(h)
    h = layers.BatchNormalization()(h)
    h = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="silu")(h)  # 8 x 8
    h = layers.Conv2DTranspose(3, 6, strides=2, activation="silu")(h)  # 20 x 20
    ink = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    decoder = keras.Model(code, ink, name="decoder")

    rng = np.random.default_rng(0)
    for layer in (*encoder.layers, *decoder.layers):  # as after a training
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    return encoder, decoder


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """The little page's path, its encoder and its decoder."""
    keras.utils.set_random_seed(1)
    encoder, decoder = build_little_networks()
    labels = np.ones(IMAGES, int)
    labels[:4] = labels[-3:] = 0  # on the right
    labels[19:26] = 2  # on the left
    codes = ring(IMAGES)
    folder = tmp_path_factory.mktemp("little") / TITLE
    trained = SimpleNamespace(  # what write_page reads of a TrainedRun
        run=SimpleNamespace(folder=folder),
        made_from={},
        autoencoder=keras.Sequential([encoder, decoder]),
        data=SimpleNamespace(
            names=NAMES, x_test=draw(decoder, codes), y_test=labels, y_train=np.ones(TRAINING_CODES)
        ),
        test_codes=codes,
        decode=lambda codes: draw(decoder, codes),
    )
    labels = np.ones(TRAINING_CODES, int)
    graph = geodesic.build_graph(ring(TRAINING_CODES), labels, trained.decode)
    page = folder / "page.html"
    explorer.write_page(page, trained, graph, np.arange(IMAGES), codes[:, :2])
    return page, encoder, decoder


def draw(decoder, codes):
    """The decoder's pictures of codes (N, 6): (N, SIDE, SIDE)."""
    return decoder.predict(codes, verbose=0)[..., 0]


@pytest.fixture
def page(browser, little):
    return Page(browser, little[0])


def test_other_sizes_and_settings(page, little):
    _, encoder, decoder = little
    x = np.random.default_rng(0).random((5, SIDE, SIDE), np.float32)
    codes = encoder.predict(x[..., None], verbose=0)
    assert np.abs(page.run_network("encode", x) - codes).max() < 0.02 * codes.std()
    pictures = draw(decoder, codes).reshape(5, -1)
    assert np.abs(page.run_network("decode", codes) - pictures).max() < 0.01


def test_a_title_and_names_with_special_characters(page):
    assert TITLE in page["title"].text
    assert (page["name-A"].text, page["name-B"].text) == ("<", "{")
    check_quiet(page.browser, page.path)


# ---- choosing


def test_two_clicks_choose_the_ends(page):
    page.drag("map", (0, 0), (-0.48, 0))  # a drag is no click
    page.click("map", (-0.48, 0))
    (left,) = page.inks("#copy")
    page.click("map", (0, -0.48))
    (top,) = page.inks("#copy")
    page.settle()
    assert page.names() == ("{", "&")
    assert page["next"].text == "A"
    frames, geodesic_frames = page.inks("#linear canvas", "#geodesic canvas")
    assert np.abs(frames[[0, -1]] - [left[0], top[0]]).max() < 0.01
    assert np.array_equal(geodesic_frames[[0, -1]], frames[[0, -1]])
    page["swap"].click()
    page.settle()
    assert page.names() == ("&", "{")
    assert np.abs(page.inks("#linear canvas")[0] - frames[::-1]).max() < 0.01


def test_the_map_by_keyboard(page):
    page.press(page["map"], UP * 5)  # from the right of the ring
    assert page["peek-text"].text == "&"
    page.press(page["map"], ENTER)
    page.settle()
    assert (page["name-A"].text, page["next"].text) == ("&", "B")

    whole = page.map_picture()
    page.press(page["map"], "++")
    page.settle()
    assert page.map_picture() != whole
    page.press(page["map"], "0")
    page.settle()
    assert page.map_picture() == whole


def test_labels_on_the_map_never_overlap(page):
    for a, b in ((0, 0), (0, 1), (11, 12), (22, 21), (33, 33)):  # at each border of the map
        page.go_to(f"A={a}&B={b}")
        boxes = page("""
            const map = document.getElementById("map").getBoundingClientRect();
            return ["A", "B"].map(end => {
                const box = document.getElementById(`mark-${end}`).getBoundingClientRect();
                return [box.left - map.left, box.top - map.top,
                        map.right - box.right, map.bottom - box.bottom];
            });
        """)
        assert np.min(boxes) >= 0
        (left, top, *_), other = boxes
        width, height = page["mark-A"].size["width"], page["mark-A"].size["height"]
        assert abs(left - other[0]) >= width or abs(top - other[1]) >= height


# ---- the morph


def test_play_and_the_slider(page):
    (first,) = page.inks("#big-geodesic")
    page.press(page["slider"], END)
    (last,) = page.inks("#big-geodesic")
    assert not np.array_equal(last, first)
    (frames,) = page.inks("#geodesic canvas")
    assert np.array_equal(last[0], frames[-1])
    page.all("#geodesic canvas")[2].click()
    assert np.array_equal(page.inks("#big-geodesic")[0][0], frames[2])

    page["play"].click()
    assert page["play"].text == "Pause"
    page.wait(lambda: not np.array_equal(page.inks("#big-geodesic")[0][0], frames[2]))
    page["play"].click()
    assert page["play"].text == "Play"


def test_the_path_on_the_map(page):
    page.go_to(f"A=0&B={IMAGES // 4}&path=geodesic&at=0")  # from the right of the ring to its top
    at_a = trail(page)
    page.press(page["slider"], END)
    page.settle()
    at_b = trail(page)
    assert at_b.sum() > 1.5 * at_a.sum() > 0  # what has been travelled is bold
    y, x = np.argwhere(at_b).mean(axis=0) / at_b.shape
    assert x > 0.6  # it follows the ring
    assert y < 0.4


def trail(page):
    """(height, width), true where the map shows the geodesic."""
    picture = np.array(read_url(page.map_picture()).convert("RGB")).astype(int)
    accent = [0x1F, 0x5F, 0xA8]
    return (np.abs(picture - accent) < 8).all(axis=2)


# ---- drawing, and the numbers


def test_a_drawing_gets_a_code(page):
    assert not page["drawn-B"].is_enabled()
    page.drag("pad", (-0.3, -0.3), (0.3, -0.3), (-0.2, 0.4))
    drawn, copy, similar = page.inks("#image", "#copy", "#nearest canvas")
    assert page["image-text"].text == "drawn"
    assert page["copy-text"].text.startswith("lost: ")
    assert len(similar) == 5
    assert drawn.max() == 1
    has_ink = drawn.reshape(SIDE, ENLARGED, SIDE, ENLARGED).mean(axis=(1, 3)) > 0.2
    lines = np.flatnonzero(has_ink.any(axis=1))
    columns = np.flatnonzero(has_ink.any(axis=0))
    assert abs(np.ptp(lines) + 1 - 0.84 * SIDE) <= 2  # as EMNIST's characters fill their images
    assert abs(lines.mean() - (SIDE - 1) / 2) <= 1
    assert abs(columns.mean() - (SIDE - 1) / 2) <= 1

    page["drawn-B"].click()
    page.settle()
    assert page["name-B"].text == "drawn"
    assert np.abs(page.inks("#geodesic canvas")[0][-1] - copy).max() < 0.01

    page.drag("pad", (0, 0), (0.1, 0.1))
    assert not np.array_equal(page.inks("#image")[0], drawn)
    page["undo"].click()
    assert np.array_equal(page.inks("#image")[0], drawn)
    page["clear"].click()
    assert page.inks("#pad")[0].max() == 0
    assert not page["undo"].is_enabled()


def test_use_as_brings_the_morph_into_view(page):
    resize(page.browser, 360, height=740)
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    page("document.getElementById('pad').scrollIntoView({ behavior: 'instant' })")
    page["drawn-B"].click()
    top = "return document.getElementById('morph-part').getBoundingClientRect().top"
    page.wait(lambda: 0 <= page(top) < 200)


def test_bars_and_directions_change_the_picture(page):
    (before,) = page.inks("#copy")
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    (dragged,) = page.inks("#copy")
    assert not np.array_equal(dragged, before)
    page["code-B"].click()
    page.settle()
    assert page["name-B"].text == "changed"
    assert np.array_equal(page.inks("#linear canvas")[0][-1:], dragged)
    page["reset"].click()
    assert np.array_equal(page.inks("#copy")[0], before)

    bar = page.all("#bars div")[3]
    value = float(bar.get_attribute("aria-valuenow"))
    page.press(bar, UP)
    assert float(bar.get_attribute("aria-valuenow")) > value


def test_a_direction_leads_to_its_pictures(run_page):
    assert len(run_page.all("#directions input")) >= 3
    run_page.wait(lambda: (run_page.inks("#directions canvas")[0].max(axis=1) > 0.3).all())
    (pictures,) = run_page.inks("#directions label:first-child canvas")
    assert np.array_equal(pictures[2], run_page.inks("#copy")[0][0])
    run_page.press(run_page.all("#directions input")[0], END)
    assert np.abs(run_page.inks("#copy")[0] - pictures[4]).max() < 0.02
    (again,) = run_page.inks("#directions label:first-child canvas")
    assert np.abs(again - pictures).max() < 0.02  # they do not move with the slider


# ---- the tour


def test_the_tour_begins_where_the_address_has_no_state(browser, little):
    open_page(browser, little[0])
    browser.find_element("id", "tour-next").click()
    assert browser.find_element("id", "tour-name").text == "Tour, 2 of 4"  # without directions
    browser.get("about:blank")
    browser.get(f"{little[0].as_uri()}#A=1")
    assert not browser.find_element("id", "tour").is_displayed()


def test_the_tour_by_keyboard(run_page):
    run_page.press(run_page["start-tour"], ENTER)
    parts = []
    for number in range(1, 6):
        assert run_page["tour-name"].text == f"Tour, {number} of 5"
        assert run_page["tour-text"].text
        assert run_page["tour"].is_displayed()
        parts.append(run_page("return document.getElementById('tour').parentElement.id"))
        run_page.actions().send_keys(ENTER).perform()  # on Next, and on Done at the end
    assert parts == ["code-part", "morph-part", "map-part", "draw-part", "code-part"]
    assert not run_page["tour"].is_displayed()
    assert run_page("return document.activeElement.id") == "start-tour"

    run_page.go_to("tour=3")
    assert run_page["play"].text == "Pause"
    run_page["tour-back"].click()
    assert run_page["tour-name"].text == "Tour, 2 of 5"
    run_page.actions().send_keys(ESCAPE).perform()
    assert not run_page["tour"].is_displayed()


# ---- the address


def test_the_address_leads_back(page):
    from selenium.webdriver.support.select import Select

    page.wait(lambda: page.address().endswith("at=50"))  # without the tour
    first_view = page.address()
    entries = page("return history.length")
    page.click("map", (-0.48, 0))
    Select(page["path"]).select_by_visible_text("Geodesic")
    page.press(page["slider"], END)
    b = re.search(r"B=\d+", first_view)[0]
    page.wait(lambda: page.address() == f"A={IMAGES // 2}&{b}&path=geodesic&at=100")
    (last,) = page.inks("#big-geodesic")

    page.reload()
    assert page.names() == ("{", "{")
    assert np.array_equal(page.inks("#big-geodesic")[0], last)
    assert page["geodesic"].is_displayed()
    assert not page["linear"].is_displayed()
    assert page("return history.length") == entries

    page.go_to(f"A={IMAGES}&B=drawn.x&path=toString&at=1e1&tour=9")  # none of these makes sense
    page.wait(lambda: page.address() == first_view)
    assert page["linear"].is_displayed()


def test_the_address_holds_a_drawing_and_a_changed_code(page):
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    page["drawn-B"].click()
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    page.wait(lambda: "B=drawn." in page.address() and "shown=changed." in page.address())
    page.settle()
    before = page.inks("#linear canvas", "#copy")
    page.reload()
    assert page.names() == ("<", "drawn")
    after = page.inks("#linear canvas", "#copy")
    assert all(np.abs(a - b).max() < 0.02 for a, b in zip(before, after, strict=True))


# ---- files


def save(page, path, *buttons):
    """Clicks buttons, one at once after the other; the picture that the last saves at `path`."""
    behavior = {"behavior": "allow", "downloadPath": str(path.parent)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    page("for (const name of arguments) document.getElementById(name).click()", *buttons)
    page.wait(path.exists)
    return Image.open(io.BytesIO(path.read_bytes()))


def ink_of(picture):
    return 1 - np.array(picture.convert("L")) / 255


def test_save_the_rows(page, tmp_path):
    rows = ink_of(save(page, tmp_path / "u7b-to-u3c.png", "swap", "save-png"))
    page.settle()
    (frames,) = page.inks("#geodesic canvas")
    size = SIDE * 4
    last_row = rows[-24 - size : -24, 24:-24].reshape(size, 10, size).swapaxes(0, 1)
    shown = frames.reshape(10, size, 2, size, 2).mean(axis=(2, 4))
    assert np.abs(last_row - shown).mean() < 0.01
    assert rows[:, :24].max() == rows[:, -24:].max() == 0  # the margins
    assert rows[:60].max() == 1  # the names of the ends
    assert rows[60:90].max() > 0.5  # the path's title


def test_save_an_animation_of_one_path(page, tmp_path):
    from selenium.webdriver.support.select import Select

    Select(page["path"]).select_by_visible_text("Straight line")
    (frames,) = page.inks("#linear canvas")
    with save(page, tmp_path / "u3c-to-u7b-linear.gif", "save-gif") as gif:
        assert gif.n_frames == 80  # to B and back
        assert gif.info["loop"] == 0  # for ever
        for number, frame in ((0, frames[0]), (40, frames[-1])):
            gif.seek(number)
            assert gif.info["duration"] == 900
            shown = ink_of(gif)[-24 - SIDE * 8 : -24, 24:-24]
            assert np.abs(shown.ravel() - frame).max() < 0.02  # a grey of 32


def test_names_of_files_tell_a_from_capital_a(run_page, tmp_path):
    content = json.loads(run_page("return document.getElementById('content').textContent"))
    of_class = {name: content["labels"].index(k) for k, name in enumerate(content["names"])}
    run_page.go_to(f"A={of_class['A']}&B={of_class['a']}")
    save(run_page, tmp_path / "A-to-small-a.png", "save-png")
    run_page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    run_page["drawn-A"].click()
    save(run_page, tmp_path / "drawn-to-small-a.png", "save-png")


# ---- keyboards, other browsers, other networks


def test_tab_reaches_every_control(run_page):
    run_page.drag("pad", (-0.3, -0.3), (0.3, 0.3))  # its buttons are enabled now
    run_page["start-tour"].click()
    run_page["tour-next"].click()  # Back is enabled now
    controls = run_page("""
        const controls = "button, input, select, summary, [tabindex]";
        const all = [...document.querySelectorAll(controls)].filter(control => !control.disabled);
        all.forEach((control, i) => control.dataset.i = control.name === "class" ? "class" : i);
        document.activeElement.blur();
        getSelection().removeAllRanges();
        scrollTo(0, 0);
        return all.map(control => control.dataset.i);
    """)
    names = {}
    for _ in range(len(set(controls)) + 5):
        run_page.actions().send_keys(TAB).perform()
        control, name = run_page("""
            const { dataset, ariaLabel, labels, innerText } = document.activeElement;
            return [dataset.i, ariaLabel || innerText || labels?.[0]?.innerText];
        """)
        names[control] = name
    assert set(controls) <= set(names)
    assert all(names[control] for control in controls)


def test_a_browser_that_hides_what_was_drawn(browser, little):
    noise = "CanvasRenderingContext2D.prototype.getImageData = (x, y, w, h) => new ImageData(w, h)"
    add = "Page.addScriptToEvaluateOnNewDocument"
    script = browser.execute_cdp_cmd(add, {"source": noise})
    assert Page(browser, little[0])["unreadable"].is_displayed()
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert not Page(browser, little[0])["unreadable"].is_displayed()


def test_layers_that_the_page_cannot_run():
    layers = keras.layers
    for reason, layer in {
        "MaxPooling2D": layers.MaxPooling2D(2),
        "activation=gelu": layers.Conv2D(2, 3, activation="gelu"),
        "groups=2": layers.Conv2D(2, 3, groups=2),
    }.items():
        image = keras.Input((8, 8, 2))
        model = keras.Model(image, layer(image))
        with pytest.raises(InputError, match=rf"cannot run the layer {layer.name} \({reason}"):
            explorer.export_layers(model, explorer.Block())
