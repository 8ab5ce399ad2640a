"""explorer.py: the page in a real browser agrees with Keras, and answers hand and keyboard."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import check_quiet, open_page, resize

import autoencoder
from autoencoder import cli, load_autoencoder
from support import explorer
from support.console import InputError, import_keras
from support.geodesic import build_index, geodesic

INKS = """
    return arguments[0].map(id => [...document.querySelectorAll(id)].map(canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return Array.from(data.filter((_, i) => i % 4 === 3));
    }))
"""


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """A run with its page, made by the command itself; what it printed."""
    run = tmp_path_factory.mktemp("explore") / "run"
    shutil.copytree(trained[0], run)
    result = CliRunner().invoke(cli, ["explore", "--run-dir", str(run)])
    assert result.exit_code == 0, result.output
    return run, result


class Page:
    """An open page: its elements, and what is in its pictures."""

    def __init__(self, browser, path):
        self.browser, self.path = browser, path
        open_page(browser, path)
        self.wait(lambda: self("return !document.querySelector('main').hidden"))
        self.settle()

    def __call__(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def __getitem__(self, name):
        return self.browser.find_element("id", name)

    def wait(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, 20, poll_frequency=0.05).until(lambda _: condition())

    def settle(self):
        """Waits until all frames of the morph are decoded, and the map is drawn."""
        self.wait(lambda: self["morph-part"].get_attribute("aria-busy") == "false")
        wait = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        self.browser.execute_async_script(wait)

    def inks(self, *selectors):
        """The ink of each picture that matches: arrays (pictures, pixels) in [0, 1]."""
        return [np.array(found) / 255 for found in self(INKS, selectors)]

    def actions(self):
        from selenium.webdriver import ActionChains

        return ActionChains(self.browser, duration=0)

    def press(self, *keys):
        self.actions().send_keys(*keys).perform()

    def drag(self, name, *places):
        """Drags over an element; places are shares (x, y) of it, from its middle."""
        size = self[name].size
        self("arguments[0].scrollIntoView({ block: 'center' })", self[name])
        moves = [(round(x * size["width"]), round(y * size["height"])) for x, y in places]
        actions = self.actions().move_to_element_with_offset(self[name], *moves[0])
        actions.click_and_hold()
        for move in moves[1:]:
            actions.move_to_element_with_offset(self[name], *move)
        actions.release().perform()


@pytest.fixture
def page(browser, made):
    return Page(browser, made[0] / "explore.html")


def test_the_command_writes_the_page(made):
    run, result = made
    assert result.stdout == f"{run / 'explore.html'}\n"
    assert (run / "explore.html").stat().st_size < 9_000_000


def test_it_loads_alone_and_shows_a_pair_at_once(page):
    for dark in (True, False):
        resize(page.browser, 1280, dark=dark)
        page.settle()
    check_quiet(page.browser, page.path)
    linear, geodesic = page.inks("#linear canvas", "#geodesic canvas")
    assert linear.shape == geodesic.shape == (10, 784)
    assert (linear.max(axis=1) > 0.3).all()
    assert page["name-A"].text != page["name-B"].text


def test_it_agrees_with_keras(page, made, loaded):
    _, (x, _) = loaded
    model = load_autoencoder(made[0] / "model.keras")
    codes = autoencoder.encode(model, x)
    images = autoencoder.decode(model, codes[:50]).reshape(50, -1)
    run = "return arguments[1].map(x => Array.from(explorer[arguments[0]](Float32Array.from(x))))"
    found = np.array(page(run, "encode", x[:50].reshape(50, -1).tolist()))
    drawn = np.array(page(run, "decode", codes[:50].tolist()))
    assert (np.abs(found - codes[:50]).mean(axis=0) < 0.01 * codes.std(axis=0)).all()
    assert np.abs(drawn - images).mean() < 0.003


def test_its_geodesics_are_those_of_the_program(page, made):
    model, (x_train, _, x, *_), _ = autoencoder.open_run(made[0], None)
    sample = np.random.default_rng(0).permutation(len(x_train))[: explorer.TRAINING_CODES]
    index = build_index(autoencoder.encode(model, x_train[sample]))
    start, end = autoencoder.encode(model, x[:20]).reshape(2, 10, -1)
    walk = "explorer.paths.geodesic(...arguments[0].map(x => Float32Array.from(x)))"
    for path, *ends in zip(geodesic(index, start, end, 30)[0], start, end, strict=True):
        line = np.array(page(f"return {walk}.map(z => Array.from(z))", np.array(ends).tolist()))
        off = np.linalg.norm(path[:, None] - line, axis=2).min(axis=1)
        assert off.max() < 0.01 * np.linalg.norm(np.diff(path, axis=0), axis=1).sum()


def test_two_clicks_choose_the_ends_of_two_paths(page, made):
    ends = []
    for end in "AB":
        for place in np.random.default_rng(0).uniform(-0.3, 0.3, (50, 2)):
            if page["next"].text != end:
                break
            page.drag("map", place + (0.1 if end == "B" else 0))
        ends += page.inks("#peek-image, #peek-copy")
    assert page["next"].text == "A"
    page.settle()
    model = load_autoencoder(made[0] / "model.keras")
    images = np.stack([end[0] for end in ends]).reshape(2, 28, 28)
    assert np.abs(images[0] - images[1]).mean() > 0.02
    expected = autoencoder.reconstruct(model, images.astype("f4")).reshape(2, -1)
    linear, geodesic = page.inks("#linear canvas", "#geodesic canvas")
    assert np.abs(linear[[0, -1]] - expected).mean() < 0.005
    assert np.abs(geodesic[[0, -1]] - expected).mean() < 0.005


def test_a_geodesic_is_not_the_straight_line(page):
    apart = []
    for _ in range(10):  # between two near characters it may be
        page["random"].click()
        page.settle()
        linear, geodesic = page.inks("#linear canvas", "#geodesic canvas")
        assert np.array_equal(linear[[0, -1]], geodesic[[0, -1]])
        apart.append(np.abs(linear - geodesic)[1:-1].mean())
    assert np.median(apart) > 0.005


def test_a_drawing_gets_a_code(page):
    assert not page["drawn-B"].is_enabled()
    page.drag("pad", (-0.3, -0.3), (0.3, -0.3), (-0.2, 0.4))
    assert page["drawn-text"].text.startswith("Excess 0.")
    drawn, copy, nearest = page.inks("#drawn", "#drawn-copy", "#nearest canvas")
    image = drawn.reshape(28, 28)
    assert len(nearest) == 5
    assert image.max() == 1
    rows, columns = (np.flatnonzero((image > 0.05).any(axis=axis)) for axis in (1, 0))
    assert 22 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 26
    assert abs(rows.mean() - 13.5) <= 1
    assert copy.max() > 0.3
    page["drawn-B"].click()
    page.settle()
    assert page["name-B"].text == "ink"
    (frames,) = page.inks("#geodesic canvas")
    assert np.abs(frames[-1] - copy).max() < 0.01
    page.drag("pad", (0, 0), (0.1, 0.1))
    page["undo"].click()
    assert np.array_equal(page.inks("#drawn")[0], drawn)
    page["clear"].click()
    assert page.inks("#drawn")[0].max() == 0
    assert not page["undo"].is_enabled()


def test_bars_and_components_change_the_picture(page):
    (before,) = page.inks("#decoded")
    page.drag("bars", (-0.3, 0), (-0.3, -0.45))
    (dragged,) = page.inks("#decoded")
    assert np.abs(dragged - before).max() > 0.05
    page["reset"].click()
    assert np.array_equal(page.inks("#decoded")[0], before)
    first = page.browser.find_element("css selector", "#axes input")
    page("arguments[0].focus()", first)
    page.press("\ue014" * 20)  # arrow right
    assert np.abs(page.inks("#decoded")[0] - before).max() > 0.05
    bar = page.browser.find_elements("css selector", "#bars div")[3]
    value = float(bar.get_attribute("aria-valuenow"))
    page("arguments[0].focus()", bar)
    page.press("\ue013")  # arrow up
    assert float(bar.get_attribute("aria-valuenow")) > value


def test_the_map_by_keyboard(page):
    page("document.getElementById('map').focus()")
    shown, seen = page["peek-text"].text, page.inks("#map")
    page.press("\ue014", "\ue015")  # right, down
    page.settle()
    assert page["peek-text"].text != shown
    name = page["peek-text"].text[0]
    page.press("\ue007")  # Enter
    assert page["name-A"].text == name
    page.press("++")
    page.settle()
    assert not np.array_equal(page.inks("#map"), seen)
    page.press("0")
    page.settle()
    whole = page.inks("#map")
    page("document.querySelectorAll('#legend input')[5].click()")  # one class
    page.settle()
    assert page.inks("#map")[0].sum() < whole[0].sum()


def test_the_map_by_mouse(page):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    origin = ScrollOrigin.from_element(page["map"])
    seen = [page.inks("#map")[0]]
    page.actions().scroll_from_origin(origin, 0, -800).perform()  # towards the map
    page.settle()
    seen += page.inks("#map")
    page.drag("map", (0, 0), (0.2, 0.1), (0.3, 0.2))
    page.settle()
    seen += page.inks("#map")
    assert page["next"].text == "A"  # a drag is no click
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_play_and_the_slider(page):
    page("arguments[0].focus()", page["slider"])
    (before,) = page.inks("#big-geodesic")
    page.press("\ue010")  # End
    (last,) = page.inks("#big-geodesic")
    assert np.array_equal(last[0], page.inks("#geodesic canvas")[0][-1])
    assert not np.array_equal(last, before)
    page["play"].click()
    page.wait(lambda: page["slider"].get_property("value") != "90")
    page["play"].click()
    assert page["play"].text == "Play"


def test_tab_reaches_every_control(page):
    page.drag("pad", (-0.3, -0.3), (0.3, 0.3))  # its buttons are enabled now
    wanted = page("""
        const all = [...document.querySelectorAll("button, input, [tabindex]")];
        all.forEach((control, i) => control.dataset.i = control.name === "class" ? "class" : i);
        document.activeElement.blur();
        getSelection().removeAllRanges();
        scrollTo(0, 0);
        return [...new Set(all.map(control => control.dataset.i))];
    """)
    seen, unnamed = set(), []
    for _ in range(len(wanted) + 5):
        page.press("\ue004")  # Tab
        at = page("""
            const { dataset, ariaLabel, labels, innerText } = document.activeElement;
            return [dataset.i, ariaLabel || innerText || labels?.[0]?.innerText];
        """)
        seen.add(at[0])
        unnamed += [at[0]] if at[0] and not at[1] else []
    assert set(wanted) <= seen
    assert unnamed == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows(page, width):
    resize(page.browser, width)
    page.settle()
    across, outside = page("""
        const wide = [...document.querySelectorAll("body *")].filter(element => {
            const box = element.getBoundingClientRect();
            return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5);
        });
        return [document.documentElement.scrollWidth, wide.map(element => element.outerHTML)]
    """)
    assert across <= width
    assert outside == []


def test_other_networks(browser, tmp_path):
    keras = import_keras()
    layers = keras.layers
    keras.utils.set_random_seed(1)
    image, code = keras.Input((28, 28, 1)), keras.Input((4,))
    h = layers.Conv2D(6, 5, strides=2, padding="same", activation="gelu", use_bias=False)(image)
    h = layers.BatchNormalization()(h)
    h = layers.Add()([h, layers.Conv2D(6, 3, padding="same", activation="relu")(h)])
    h = layers.Conv2D(3, 3, strides=2)(h)
    encoder = keras.Model(image, layers.Dense(4)(layers.Flatten()(layers.Activation("silu")(h))))
    h = layers.Reshape((7, 7, 2))(layers.Dense(98)(code))
    h = layers.Conv2DTranspose(5, 3, strides=2, padding="same", activation="silu")(h)
    h = layers.BatchNormalization(scale=False)(layers.UpSampling2D(2)(h))
    decoder = keras.Model(code, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h))
    rng = np.random.default_rng(0)
    for layer in (*encoder.layers, *decoder.layers):  # as after a training
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    block = explorer.Block()
    network = {"encoder": explorer.describe(encoder, block)}
    network["decoder"] = explorer.describe(decoder, block)
    x, y = rng.random((40, 28, 28), np.float32), np.arange(40) % 2
    codes = encoder.predict(x, verbose=0)
    tests = x, y, codes, rng.normal(size=(40, 2))
    names = {0: "<", 1: "&"}
    index = build_index(codes)
    explorer.write_page(tmp_path / "other.html", "other", network, block, names, tests, index)
    page = Page(browser, tmp_path / "other.html")
    run = "return arguments[1].map(x => Array.from(explorer[arguments[0]](Float32Array.from(x))))"
    found = np.array(page(run, "encode", x[:5].reshape(5, -1).tolist()))
    drawn = np.array(page(run, "decode", codes[:5].tolist()))
    assert np.abs(found - codes[:5]).max() < 0.02 * codes.std()
    assert np.abs(drawn - decoder.predict(codes[:5], verbose=0).reshape(5, -1)).max() < 0.01
    assert {page["name-A"].text, page["name-B"].text} == {"<", "&"}


def test_layers_that_the_page_cannot_run():
    keras = import_keras()
    layers = keras.layers
    image = keras.Input((8, 8, 2))
    twice = layers.Conv2D(2, 3, padding="same")
    for output, reason in {
        layers.MaxPooling2D(2)(image): "MaxPooling2D",
        layers.Conv2D(2, 3, activation="selu")(image): "selu",
        layers.Conv2D(2, 3, dilation_rate=2)(image): "dilation_rate",
        layers.UpSampling2D(2, interpolation="bilinear")(image): "bilinear",
        twice(twice(image)): "twice",
    }.items():
        with pytest.raises(InputError, match=f"the page cannot run .*{reason}"):
            explorer.describe(keras.Model(image, output), explorer.Block())


def test_no_page_without_a_sound_run(trained, tmp_path, run):
    result = run(cli, "explore", "--run-dir", tmp_path / "none", code=1)
    assert "no run in" in result.stderr
    shutil.copytree(trained[0], tmp_path / "run")
    (tmp_path / "run/model.keras").write_bytes(b"no model")
    result = run(cli, "explore", "--run-dir", tmp_path / "run", code=1)
    assert "model.keras" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "run/explore.html").exists()
