"""The page in a real browser: it agrees with Keras, and answers mouse and keyboard."""

import base64
import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import check_quiet, open_page, resize
from PIL import Image

import autoencoder
from support.console import InputError
from support.lazy_keras import keras
from support.morph import geodesic
from support.page import export

TITLE = "{{block}} $x <!--<script>&"
NAMES = {0: "<", 1: "&", 2: "{"}
SIDE = 20  # pixels of the little network's images
ENLARGED = 8  # times as large as its image is a picture on the page
IMAGES = 44  # their codes lie on a ring, the first on the right of the map

END, ENTER, UP, ESCAPE = "\ue010", "\ue007", "\ue013", "\ue00c"


class Page:
    """An open page without its tour: its elements, and what is in its pictures."""

    def __init__(self, browser, path):
        self.browser = browser
        open_page(browser, path)
        self.wait(lambda: self["tour"].is_displayed())
        self["tour-close"].click()

    def __call__(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def __getitem__(self, name):
        return self.browser.find_element("id", name)

    def wait(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.browser, 20, poll_frequency=0.05).until(lambda _: condition())

    def settle(self):
        """Waits until all frames of the morph are decoded."""
        busy = "return document.getElementById('morph-part').ariaBusy"
        self.wait(lambda: self(busy) == "false")

    def inks(self, selector):
        """The ink of the pictures that match a selector: (pictures, pixels) in [0, 1]."""
        script = "return [...document.querySelectorAll(arguments[0])].map(c => c.toDataURL())"
        inks = []
        for url in self(script, selector):
            picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
            inks.append(np.ravel(picture.getchannel("A")) / 255)
        return np.array(inks)

    def go_to(self, state):
        """Changes the address after #, like somebody who types it."""
        script = """
            const [state, done] = arguments;
            addEventListener("hashchange", () => done(), { once: true });
            location.hash = state;
        """
        self.browser.execute_async_script(script, state)
        self.settle()

    def address(self):
        """The part of the address after #."""
        return self("return location.hash.slice(1)")

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


# ---- the page of a run


@pytest.fixture(scope="module")
def explored(trained, tmp_path_factory):
    """A TrainedRun in whose folder the command has made the page."""
    folder = tmp_path_factory.mktemp("explore") / "run"
    shutil.copytree(trained[0], folder)
    autoencoder.cli(["explore", "--run-dir", str(folder)], standalone_mode=False)
    return autoencoder.TrainedRun(folder)


@pytest.fixture
def run_page(browser, explored):
    return Page(browser, explored.run.folder / "explore.html")


def test_it_opens_offline(run_page, explored):
    assert run_page.names() == ("W", "G")
    check_quiet(run_page.browser, explored.run.folder / "explore.html")
    content = json.loads(run_page("return document.getElementById('content').textContent"))
    assert content["made_from"] == explored.made_from
    resize(run_page.browser, 360)
    run_page.wait(lambda: run_page("return document.documentElement.scrollWidth") <= 360)


def test_it_agrees_with_keras(run_page, explored):
    x = explored.data.x_test[:20]
    codes = explored.test_codes[:20]
    errors = np.abs(run_page.run_network("encode", x) - codes)
    assert (errors.mean(axis=0) < 0.01 * explored.test_codes.std(axis=0)).all()
    images = explored.decode(codes).reshape(20, -1)
    assert np.abs(run_page.run_network("decode", codes) - images).mean() < 0.003


def test_its_geodesic_is_the_programs(run_page, explored):
    graph = geodesic.graph_of_training_images(explored, export.TRAINING_CODES)
    codes = explored.test_codes
    start, end = codes[:1], codes[-1:]
    labels = geodesic.vote_labels(codes, explored.data.y_test, start, end)
    functions = {"encode": explored.encode, "decode": explored.decode}
    (row,) = geodesic.geodesic_path(graph, start, end, *labels, steps=10, **functions)
    errors = np.abs(run_page.geodesic(start[0], end[0])[::10] - row) / codes.std(axis=0)
    assert errors.mean(axis=1).max() < 0.03  # the page's weights are rounded


# ---- a little page: small images, few codes, and settings that our network does not have


def build_little_networks():
    """An encoder and a decoder with layers and settings that our network does not have."""
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1))
    h = layers.Conv2D(6, 6, strides=2, activation="relu")(image)  # 8 x 8
    h = layers.BatchNormalization()(h)
    h = layers.Conv2D(3, (3, 2), strides=2, padding="same", activation="silu")(h)  # 4 x 4
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
    """A little page: its path, and the part of a TrainedRun that it was made of."""
    keras.utils.set_random_seed(1)
    encoder, decoder = build_little_networks()

    def decode(codes):
        return decoder.predict_on_batch(codes.reshape(-1, 6)).reshape(-1, SIDE, SIDE)

    angles = 2 * np.pi * np.arange(IMAGES) / IMAGES
    codes = np.zeros((IMAGES, 6), np.float32)
    codes[:, :2] = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = np.ones(IMAGES, int)
    labels[:4] = labels[-3:] = 0  # on the right
    labels[19:26] = 2  # on the left
    folder = tmp_path_factory.mktemp("little") / TITLE
    trained = SimpleNamespace(
        run=SimpleNamespace(folder=folder),
        made_from={},
        autoencoder=keras.Sequential([encoder, decoder]),
        data=SimpleNamespace(names=NAMES, x_test=decode(codes), y_test=labels, y_train=labels),
        test_codes=codes,
        decode=decode,
    )
    graph = geodesic.build_graph(codes, labels, decode)
    path = folder / "page.html"
    export.write_page(path, trained, graph, np.arange(IMAGES), codes[:, :2])
    return path, trained


@pytest.fixture
def page(browser, little):
    page = Page(browser, little[0])
    page.settle()
    return page


def test_other_sizes_and_settings(page, little):
    _, trained = little
    x = np.random.default_rng(0).random((5, SIDE, SIDE), np.float32)
    codes = trained.autoencoder.get_layer("encoder").predict_on_batch(x[..., None])
    assert np.abs(page.run_network("encode", x) - codes).max() < 0.02 * codes.std()
    pictures = trained.decode(codes).reshape(5, -1)
    assert np.abs(page.run_network("decode", codes) - pictures).max() < 0.01


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
            export.export_layers(model, export.Block())


def test_special_characters(page, little):
    assert f"run “{TITLE}”" in page.browser.find_element("tag name", "header").text
    assert page.names() == ("<", "{")
    check_quiet(page.browser, little[0])


def test_a_browser_that_hides_what_was_drawn(browser, little):
    noise = "CanvasRenderingContext2D.prototype.getImageData = (x, y, w, h) => new ImageData(w, h)"
    add = "Page.addScriptToEvaluateOnNewDocument"
    script = browser.execute_cdp_cmd(add, {"source": noise})
    assert Page(browser, little[0])["unreadable"].is_displayed()
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert not Page(browser, little[0])["unreadable"].is_displayed()


# ---- choosing


def test_two_clicks_choose_the_ends(page):
    page.drag("map", (0, 0), (-0.48, 0))  # a drag is no click
    page.click("map", (-0.48, 0))
    left = page.inks("#copy")[0]
    page.click("map", (0, -0.48))
    top = page.inks("#copy")[0]
    page.settle()
    assert page.names() == ("{", "&")
    frames = page.inks("#linear canvas")
    assert np.abs(frames[[0, -1]] - [left, top]).max() < 0.01
    assert np.array_equal(page.inks("#geodesic canvas")[[0, -1]], frames[[0, -1]])
    page["swap"].click()
    page.settle()
    assert page.names() == ("&", "{")
    assert np.abs(page.inks("#linear canvas") - frames[::-1]).max() < 0.01


def test_the_map_by_keyboard(page):
    page.press(page["map"], UP * 5)  # from the right of the ring
    assert page["peek-text"].text == "&"
    page.press(page["map"], ENTER)
    assert page.names()[0] == "&"
    assert page["next"].text == "B"


def test_play_and_the_slider(page):
    first = page.inks("#big-geodesic")[0]
    page.press(page["slider"], END)
    last = page.inks("#big-geodesic")[0]
    assert not np.array_equal(last, first)
    assert np.array_equal(last, page.inks("#geodesic canvas")[-1])
    page["play"].click()
    page.wait(lambda: not np.array_equal(page.inks("#big-geodesic")[0], last))


# ---- drawing, and the numbers


def test_a_drawing_gets_a_code(page):
    page.drag("pad", (-0.3, -0.3), (0.3, -0.3), (-0.2, 0.4))
    drawn = page.inks("#image")[0]
    copy = page.inks("#copy")[0]
    assert page["copy-text"].text.startswith("lost: ")
    assert len(page.inks("#nearest canvas")) == 5
    has_ink = drawn.reshape(SIDE, ENLARGED, SIDE, ENLARGED).mean(axis=(1, 3)) > 0.2
    lines = np.flatnonzero(has_ink.any(axis=1))
    columns = np.flatnonzero(has_ink.any(axis=0))
    assert abs(np.ptp(lines) + 1 - 0.84 * SIDE) <= 2  # as EMNIST's characters fill their images
    assert abs(lines.mean() - (SIDE - 1) / 2) <= 1
    assert abs(columns.mean() - (SIDE - 1) / 2) <= 1

    page["drawn-B"].click()
    page.settle()
    assert page.names()[1] == "drawn"
    assert np.abs(page.inks("#geodesic canvas")[-1] - copy).max() < 0.01

    page.drag("pad", (0, 0), (0.1, 0.1))
    assert not np.array_equal(page.inks("#image")[0], drawn)
    page["undo"].click()
    assert np.array_equal(page.inks("#image")[0], drawn)
    page["clear"].click()
    assert page.inks("#pad").max() == 0


def test_bars_change_the_picture(page):
    before = page.inks("#copy")[0]
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    changed = page.inks("#copy")[0]
    assert not np.array_equal(changed, before)
    page["code-B"].click()
    page.settle()
    assert page.names()[1] == "changed"
    assert np.array_equal(page.inks("#linear canvas")[-1], changed)
    page["reset"].click()
    assert np.array_equal(page.inks("#copy")[0], before)
    page.press(page["bars"].find_element("css selector", ":nth-child(4)"), UP)
    assert not np.array_equal(page.inks("#copy")[0], before)


def test_a_direction_leads_to_its_pictures(run_page):
    last = "return document.querySelector('#directions label:last-child canvas:last-child').width"
    run_page.wait(lambda: run_page(last) == 28 * 8)  # all are painted
    pictures = run_page.inks("#directions label:first-child canvas")
    assert np.array_equal(pictures[2], run_page.inks("#copy")[0])
    run_page.press(run_page["directions"].find_element("tag name", "input"), END)
    assert np.abs(run_page.inks("#copy")[0] - pictures[4]).max() < 0.02


def test_the_path_on_the_map(page):
    page.go_to(f"A=0&B={IMAGES // 4}&path=geodesic&at=0")  # from the right of the ring to its top
    page.wait(lambda: trail(page).any())
    at_a = trail(page)
    page.press(page["slider"], END)
    page.wait(lambda: trail(page).sum() > 1.5 * at_a.sum())  # what has been travelled is bold
    at_b = trail(page)
    y, x = np.argwhere(at_b).mean(axis=0) / at_b.shape
    assert x > 0.6  # it follows the ring
    assert y < 0.4


def trail(page):
    """(height, width), true where the map shows the geodesic."""
    url = page("return document.getElementById('map').toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    accent = [0x1F, 0x5F, 0xA8]
    return (np.abs(np.array(picture.convert("RGB")).astype(int) - accent) < 8).all(axis=2)


# ---- the tour, by keyboard


def test_the_tour(run_page):
    run_page.press(run_page["start-tour"], ENTER)
    parts = []
    for number in range(1, 6):
        assert run_page["tour-name"].text == f"Tour, {number} of 5"
        parts.append(run_page("return document.getElementById('tour').parentElement.id"))
        run_page.actions().send_keys(ENTER).perform()  # on Next, and on Done at the end
    assert parts == ["code-part", "morph-part", "map-part", "draw-part", "code-part"]
    assert not run_page["tour"].is_displayed()
    run_page.go_to("tour=3")
    run_page["tour-back"].click()
    assert run_page["tour-name"].text == "Tour, 2 of 5"
    run_page.actions().send_keys(ESCAPE).perform()
    assert not run_page["tour"].is_displayed()


# ---- the address


def test_the_address_leads_back(page):
    page.wait(lambda: page.address().endswith("at=50"))  # without the tour
    first_view = page.address()
    page.click("map", (-0.48, 0))
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    page["drawn-B"].click()
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    page.press(page["path"], "G")  # the option
    page.press(page["slider"], END)
    page.wait(lambda: page.address().endswith("path=geodesic&at=100"))
    selectors = ("#big-geodesic", "#geodesic canvas", "#copy")
    before = [page.inks(selector) for selector in selectors]

    page.browser.refresh()
    page.settle()
    assert page.names() == ("{", "drawn")
    assert not page["linear"].is_displayed()
    for selector, ink in zip(selectors, before, strict=True):
        assert np.abs(page.inks(selector) - ink).max() < 0.02

    page.go_to(f"A={IMAGES}&B=drawn.x&path=toString&at=1e1&tour=9")  # none of these makes sense
    page.wait(lambda: page.address() == first_view)


# ---- files


def save(page, path, button):
    """Clicks a button; the picture that it saves at `path`."""
    behavior = {"behavior": "allow", "downloadPath": str(path.parent)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    page[button].click()
    page.wait(path.exists)
    return Image.open(io.BytesIO(path.read_bytes()))


def ink_of(picture):
    return 1 - np.array(picture.convert("L")) / 255


def test_save_the_rows(page, tmp_path):
    page.go_to("A=10&B=11")
    rows = ink_of(save(page, tmp_path / "&-to-&.png", "save-png"))
    size = SIDE * 4
    last_row = rows[-24 - size : -24, 24:-24].reshape(size, 10, size).swapaxes(0, 1)
    frames = page.inks("#geodesic canvas").reshape(10, size, 2, size, 2).mean(axis=(2, 4))
    assert np.abs(last_row - frames).mean() < 0.01
    assert rows[:60].max() == 1  # the names of the ends


def test_save_an_animation_of_one_path(page, tmp_path):
    page.go_to("A=10&B=11&path=linear")
    frames = page.inks("#linear canvas")
    with save(page, tmp_path / "&-to-&-linear.gif", "save-gif") as gif:
        assert gif.n_frames == 80  # to B and back
        assert gif.info["loop"] == 0  # for ever
        for number, frame in ((0, frames[0]), (40, frames[-1])):
            gif.seek(number)
            assert gif.info["duration"] == 900
            shown = ink_of(gif)[-24 - SIDE * 8 : -24, 24:-24]
            assert np.abs(shown.ravel() - frame).max() < 0.02  # a grey of 32
