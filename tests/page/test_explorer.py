"""page/export.py: the page in a real browser agrees with Keras, and answers mouse and keyboard."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import check_quiet, open_page, resize
from PIL import Image
from scipy.ndimage import convolve1d

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
UP, RIGHT = "\ue013", "\ue014"


class Page:
    """An open page: its elements, and what is in its pictures."""

    def __init__(self, browser, path):
        self.browser = browser
        self.path = path
        open_page(browser, path)
        self.wait(lambda: self("return !document.querySelector('main').hidden"))
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
        self.wait(lambda: self["morph-part"].get_attribute("aria-busy") == "false")
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
        """Changes what stands in the address after #, as somebody does who types it."""
        self("location.hash = arguments[0]", state)
        self.settle()

    def address(self):
        """What stands in the address after #."""
        return self("return location.hash.slice(1)")

    def map_picture(self):
        return self("return document.getElementById('map').toDataURL()")

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
    assert (run_page["name-A"].text, run_page["name-B"].text) == ("W", "G")
    (frames,) = run_page.inks(".strip canvas")
    assert (frames.max(axis=1) > 0.3).all()
    for dark in (True, False):
        resize(run_page.browser, 1280, dark=dark)
        run_page.settle()
    check_quiet(run_page.browser, run_page.path)


def test_it_agrees_with_keras(run_page, run_folder, loaded):
    _, (x, _) = loaded
    model = autoencoder.load_autoencoder(run_folder / "model.keras")
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
    assert run_page["sample-text"].text == ""  # both graphs have all codes


def test_nothing_overflows(run_page):
    for width in (360, 800, 1280):
        resize(run_page.browser, width)
        run_page.settle()
        outside = run_page("""
            const isOutside = element => {
                const box = element.getBoundingClientRect();
                return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
            };
            return [...document.querySelectorAll("body *")].filter(isOutside).map(e => e.outerHTML);
        """)
        assert outside == []


def test_it_carries_what_it_was_made_from(run_folder):
    page = (run_folder / "explore.html").read_text("utf-8")
    content = json.loads(re.search('id="content">(.*?)</script>', page)[1])
    assert set(content["made_from"]) == {"model", "data"}
    assert all(content["made_from"].values())


# ---- a little page: small images, few codes, and settings that our network does not have


def ring(count):
    """Codes (count, 6) at even angles on a circle, in the plane of the first two numbers."""
    angles = 2 * np.pi * np.arange(count) / count
    codes = np.zeros((count, 6), np.float32)
    codes[:, 0] = RADIUS * np.cos(angles)
    codes[:, 1] = RADIUS * np.sin(angles)
    return codes


def build_little_encoder():
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1))
    h = layers.Conv2D(6, 5, strides=2, padding="same", activation="relu")(image)
    h = layers.BatchNormalization()(h)
    h = layers.Conv2D(3, 3, strides=2, activation="silu")(h)
    return keras.Model(image, layers.Dense(6)(layers.Flatten()(h)))


def build_little_decoder():
    layers = keras.layers
    code = keras.Input((6,))
    wide = keras.initializers.RandomNormal(stddev=2)  # so that codes differ in their pictures
    h = layers.Dense(200, activation="silu", kernel_initializer=wide)(code)
    h = layers.Reshape((10, 10, 2))(h)
    h = layers.BatchNormalization()(h)
    h = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="silu")(h)
    ink = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    return keras.Model(code, ink)


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """The little page's path, its encoder and its decoder."""
    keras.utils.set_random_seed(1)
    encoder = build_little_encoder()
    decoder = build_little_decoder()
    rng = np.random.default_rng(0)
    for layer in (*encoder.layers, *decoder.layers):  # as after a training
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    codes = ring(IMAGES)
    labels = np.ones(IMAGES, int)
    labels[:4] = labels[-3:] = 0  # on the right
    labels[19:26] = 2  # on the left
    path = tmp_path_factory.mktemp("little") / "folder" / "page.html"
    explorer.write_page(
        path,
        title=TITLE,
        encoder=encoder,
        decoder=decoder,
        names=NAMES,
        images=draw(decoder, codes),
        labels=labels,
        codes=codes,
        points=codes[:, :2],
        graph=geodesic.build_graph(ring(TRAINING_CODES), lambda codes: draw(decoder, codes)),
        settings=vars(geodesic),
        graph_codes={"page": TRAINING_CODES, "program": 112_800},
        made_from={},
    )
    return path, encoder, decoder


def draw(decoder, codes):
    """The decoder's pictures of codes (N, 6): (N, SIDE, SIDE)."""
    return decoder.predict(codes, verbose=0)[..., 0]


def as_ink(images):
    """Images (N, SIDE, SIDE) as the page shows them, smooth with sharp edges: (N, pixels)."""
    for _ in range(3):
        images = images.repeat(2, axis=1).repeat(2, axis=2)
        for axis in (1, 2):
            images = convolve1d(images, [0.25, 0.5, 0.25], axis, mode="nearest")
    share = np.clip((images - 0.1) / 0.7, 0, 1)
    return (share**2 * (3 - 2 * share)).reshape(len(images), -1)


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
    assert "on 300 of the program\u2019s 112,800 images" in page["sample-text"].text
    check_quiet(page.browser, page.path)


def test_a_sentence_where_scripts_are_off(browser, little):
    switch = "Emulation.setScriptExecutionDisabled"
    browser.execute_cdp_cmd(switch, {"value": True})
    open_page(browser, little[0])
    text = browser.find_element("css selector", "body").text
    browser.execute_cdp_cmd(switch, {"value": False})
    assert "Scripts are off" in text


def test_two_clicks_choose_the_ends(page, little):
    *_, decoder = little
    page.click("map", (-0.48, 0))
    page.click("map", (0, -0.48))
    page.settle()
    assert (page["name-A"].text, page["name-B"].text) == ("{", "&")
    assert page["next"].text == "A"
    codes = ring(IMAGES)[[IMAGES // 2, IMAGES // 4]]  # left, top
    frames, geodesic_frames = page.inks("#linear canvas", "#geodesic canvas")
    assert np.abs(frames[[0, -1]] - as_ink(draw(decoder, codes))).max() < 0.02
    assert np.array_equal(geodesic_frames[[0, -1]], frames[[0, -1]])
    page["swap"].click()
    page.settle()
    assert (page["name-A"].text, page["name-B"].text) == ("&", "{")
    assert np.abs(page.inks("#linear canvas")[0] - frames[::-1]).max() < 0.01


def test_another_pair(page):
    (before,) = page.inks(".strip canvas")
    page["random"].click()
    page.settle()
    assert page["name-A"].text != page["name-B"].text
    assert not np.array_equal(page.inks(".strip canvas")[0], before)


def test_a_drawing_gets_a_code(page):
    assert not page["drawn-B"].is_enabled()
    page.drag("pad", (-0.3, -0.3), (0.3, -0.3), (-0.2, 0.4))
    assert page["drawn-text"].text.startswith("Excess ")
    drawn, copy, similar = page.inks("#drawn", "#drawn-copy", "#nearest canvas")
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
    assert page["name-B"].text == "ink"
    assert np.abs(page.inks("#geodesic canvas")[0][-1] - copy).max() < 0.01

    page.drag("pad", (0, 0), (0.1, 0.1))
    assert not np.array_equal(page.inks("#drawn")[0], drawn)
    page["undo"].click()
    assert np.array_equal(page.inks("#drawn")[0], drawn)
    page["clear"].click()
    drawn, pad = page.inks("#drawn", "#pad")
    assert drawn.max() == pad.max() == 0
    assert not page["undo"].is_enabled()


def test_bars_and_components_change_the_picture(page):
    (before,) = page.inks("#decoded")
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    (dragged,) = page.inks("#decoded")
    assert not np.array_equal(dragged, before)
    page["code-B"].click()
    page.settle()
    assert page["name-B"].text == "code"
    assert np.array_equal(page.inks("#linear canvas")[0][-1:], dragged)
    page["reset"].click()
    assert np.array_equal(page.inks("#decoded")[0], before)

    page.press(page.all("#axes input")[0], RIGHT * 20)
    assert not np.array_equal(page.inks("#decoded")[0], before)
    bar = page.all("#bars div")[3]
    value = float(bar.get_attribute("aria-valuenow"))
    page.press(bar, UP)
    assert float(bar.get_attribute("aria-valuenow")) > value


def test_the_map_by_keyboard(page):
    page.press(page["map"], UP * 5)  # from the right of the ring
    assert page["peek-text"].text.startswith("&, excess ")
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


def test_one_class_on_the_map(page):
    legend = page.all("#legend label")
    assert [label.text for label in legend] == ["all", "<", "&", "{"]
    all_classes = page.map_picture()
    legend[1].find_element("css selector", "input").click()
    page.settle()
    assert page.map_picture() != all_classes
    page.click("map", (-0.48, 0))  # on an image of another class
    assert page["next"].text == "A"
    page.click("map", (0.48, 0))
    assert page["next"].text == "B"


def test_the_map_by_mouse(page):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    whole = page.map_picture()
    origin = ScrollOrigin.from_element(page["map"])
    page.actions().scroll_from_origin(origin, 0, -200).perform()  # towards the map
    page.settle()
    zoomed = page.map_picture()
    page.drag("map", (0, 0), (0.2, 0.1), (0.3, 0.2))
    page.settle()
    moved = page.map_picture()
    assert len({whole, zoomed, moved}) == 3


def test_a_drag_is_no_click(page):
    page.drag("map", (0, 0), (0.48, 0))
    assert page["next"].text == "A"
    page.click("map", (0.48, 0))
    assert page["next"].text == "B"


def test_play_and_the_slider(page):
    (first,) = page.inks("#big-geodesic")
    page.press(page["slider"], END)
    (last,) = page.inks("#big-geodesic")
    assert not np.array_equal(last, first)
    (frames,) = page.inks("#geodesic canvas")
    assert np.array_equal(last[0], frames[-1])
    page.all("#geodesic canvas")[2].click()
    assert np.array_equal(page.inks("#big-geodesic")[0][0], frames[2])

    page.press(page["slider"], END)
    page["play"].click()
    assert page["play"].text == "Pause"
    page.wait(lambda: not np.array_equal(page.inks("#big-geodesic")[0], last))
    page["play"].click()
    assert page["play"].text == "Play"


def test_labels_on_the_map_never_overlap(page):
    page.drag("pad", (-0.3, -0.3), (0.3, -0.3), (-0.2, 0.4))
    page["drawn-B"].click()
    page.settle()
    check_labels(page)
    page["drawn-A"].click()
    page.settle()
    check_labels(page)
    for a, b in ((0, 0), (0, 1), (11, 12), (22, 21), (33, 33)):  # at each border of the map
        page.go_to(f"A={a}&B={b}")
        check_labels(page)


def check_labels(page):
    """Checks that the map's three labels lie on it, and apart from each other."""
    boxes = page("""
        const map = document.getElementById("map").getBoundingClientRect();
        return [...document.querySelectorAll(".mark")].map(mark => {
            const box = mark.getBoundingClientRect();
            const [x, y] = [box.x - map.x, box.y - map.y];
            return [x / map.width, y / map.width, (x + box.width) / map.width,
                    (y + box.height) / map.width];
        });
    """)
    assert all(mark.is_displayed() for mark in page.all(".mark"))
    assert np.min(boxes) >= 0
    assert np.max(boxes) <= 1
    for i, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:i]:
            is_aside = other[2] <= left or right <= other[0]
            assert is_aside or other[3] <= top or bottom <= other[1]


# ---- links and files


def test_the_address_leads_back(page):
    from selenium.webdriver.support.select import Select

    page.wait(page.address)
    first_view = page.address()
    entries = page("return history.length")
    page.click("map", (-0.48, 0))
    Select(page["path"]).select_by_visible_text("Geodesic")
    page.press(page["slider"], END)
    b = re.search(r"B=\d+", first_view)[0]
    page.wait(lambda: page.address() == f"A={IMAGES // 2}&{b}&path=geodesic&at=100")
    assert "leads back" in page["link-text"].text
    (last,) = page.inks("#big-geodesic")

    page.browser.refresh()
    page.wait(lambda: not page("return document.querySelector('main').hidden"))
    page.settle()
    assert (page["name-A"].text, page["name-B"].text) == ("{", "{")
    assert np.array_equal(page.inks("#big-geodesic")[0], last)
    assert page["geodesic"].is_displayed()
    assert not page["linear"].is_displayed()
    assert page("return history.length") == entries

    page.go_to(f"A={IMAGES}&B=-1&path=toString&at=1e1")  # none of these makes sense
    page.wait(lambda: page.address() == first_view)
    assert page["linear"].is_displayed()


def test_the_address_cannot_hold_a_drawing(page):
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    page["drawn-B"].click()
    page.wait(lambda: page.address() and "B=" not in page.address())
    assert "cannot hold a drawing" in page["link-text"].text


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
    with save(page, tmp_path / "u3c-to-u7b-linear.gif", "save-gif") as gif:
        moments = []
        durations = []
        for number in range(gif.n_frames):
            gif.seek(number)
            moments.append(ink_of(gif))
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0  # for ever
    assert page["save-gif"].text == "Save GIF"
    (frames,) = page.inks("#linear canvas")
    for moment, frame in ((moments[0], frames[0]), (moments[40], frames[-1])):
        shown = moment[-24 - SIDE * 8 : -24, 24:-24]
        assert np.abs(shown.ravel() - frame).max() < 0.02  # a grey of 32
    assert len(moments) == 80
    assert all(np.array_equal(moments[k], moments[-k]) for k in range(1, 40))  # and back
    assert durations[0] == durations[40] == 900
    assert set(durations[1:40]) == {60}


def test_names_of_files_tell_a_from_capital_a(run_page, tmp_path):
    content = json.loads(run_page("return document.getElementById('content').textContent"))
    of_class = {name: content["labels"].index(k) for k, name in enumerate(content["names"])}
    run_page.go_to(f"A={of_class['A']}&B={of_class['a']}")
    save(run_page, tmp_path / "A-to-small-a.png", "save-png")
    run_page.drag("pad", (-0.3, -0.3), (0.3, 0.3))
    run_page["drawn-A"].click()
    save(run_page, tmp_path / "ink-to-small-a.png", "save-png")


def test_tab_reaches_every_control(page):
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))  # its buttons are enabled now
    controls = page("""
        const all = [...document.querySelectorAll("button, input, select, [tabindex]")];
        all.forEach((control, i) => control.dataset.i = control.name === "class" ? "class" : i);
        document.activeElement.blur();
        getSelection().removeAllRanges();
        scrollTo(0, 0);
        return all.map(control => control.dataset.i);
    """)
    names = {}
    for _ in range(len(set(controls)) + 5):
        page.actions().send_keys(TAB).perform()
        control, name = page("""
            const { dataset, ariaLabel, labels, innerText } = document.activeElement;
            return [dataset.i, ariaLabel || innerText || labels?.[0]?.innerText];
        """)
        names[control] = name
    assert set(controls) <= set(names)
    assert all(names[control] for control in controls)


# ---- what the page cannot run


def unknown_layers():
    layers = keras.layers
    return {
        "MaxPooling2D": layers.MaxPooling2D(2),
        "activation=gelu": layers.Conv2D(2, 3, activation="gelu"),
        "dilation_rate=": layers.Conv2D(2, 3, dilation_rate=2),
        "groups=2": layers.Conv2D(2, 3, groups=2),
        "axis=1": layers.BatchNormalization(axis=1),
    }


def test_layers_that_the_page_cannot_run():
    for reason, layer in unknown_layers().items():
        image = keras.Input((8, 8, 2))
        model = keras.Model(image, layer(image))
        with pytest.raises(InputError, match=rf"cannot run the layer {layer.name} \({reason}"):
            explorer.export_layers(model, explorer.Block())
