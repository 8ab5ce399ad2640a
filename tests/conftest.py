"""What the tests share: EMNIST's files made on the spot, a small run, a browser."""

import contextlib
import fcntl
import gzip
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for each other are slow on a busy machine

import numpy as np
import pytest
from click.testing import CliRunner

import autoencoder
import dataset
from support.emnist.demo import draw_demo_set
from support.files import PARTIAL

PROJECT = Path(__file__).parent.parent
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where we run in the background
os.environ["https_proxy"] = "http://127.0.0.1:9"  # where nobody listens: no test gets to NIST


def idx(array, magic=None):
    """The bytes of an idx file, written from the format's description."""
    magic = magic or {1: 2049, 3: 2051}[array.ndim]
    return struct.pack(f">{array.ndim + 1}I", magic, *array.shape) + array.astype("u1").tobytes()


def write_files(root, train, test, split="balanced", gz=False):
    """Writes upright images and labels as NIST does: four files, each image transposed."""
    root.mkdir(parents=True, exist_ok=True)
    for part, (x, y) in (("train", train), ("test", test)):
        for kind, array in (("images-idx3", x.transpose(0, 2, 1)), ("labels-idx1", y)):
            path = root / f"emnist-{split}-{part}-{kind}-ubyte"
            if gz:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx(array)))
            else:
                path.write_bytes(idx(array))


def random_set(n, first=0, classes=47, seed=0):
    """n random images and labels; every grey and every label comes up."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, 28, 28), np.uint8)
    return x, (np.arange(n) % classes + first).astype(np.uint8)


@pytest.fixture
def made(tmp_path):
    """A folder with a made-up Balanced split: (folder, train, test), the images upright."""
    train, test = random_set(94, seed=1), random_set(47, seed=2)
    write_files(tmp_path / "emnist", train, test)
    return tmp_path / "emnist", train, test


@pytest.fixture
def run():
    """Runs a command of one of the scripts in this process: run(cli, *words) -> click's result."""

    def run(cli, *words, code=0, env=None):
        result = CliRunner().invoke(cli, [str(word) for word in words], env=env)
        assert result.exit_code == code, result.output
        return result

    return run


def script(*words, **options):
    """Starts a script of the project as a user does, or Python with -c or -m; returns the Popen."""
    name, *rest = map(str, words)
    if name.startswith("-"):
        command = [sys.executable, name, *rest]
    elif name.endswith(".sh"):
        command = ["bash", PROJECT / name, *rest]
    else:
        command = [sys.executable, PROJECT / name, *rest]
    options = {"cwd": PROJECT} | options
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, **options)


@contextlib.contextmanager
def held(folder):
    """A lock on the folder that others may share, as another process would hold it."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(handle)


def leftovers(folder):
    """The names of partial files in a folder."""
    return [path.name for path in folder.glob(f"{PARTIAL}*")]


def wait_until(condition, seconds=60):
    """Waits for what other processes do; whether it came in time."""
    end = time.monotonic() + seconds
    while not (came := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return came


@pytest.fixture(scope="session")
def characters(tmp_path_factory):
    """A folder with a small split of handwriting: 30 training and 5 test images a class."""
    root = tmp_path_factory.mktemp("characters")
    write_files(root, *draw_demo_set(train_per_class=30, test_per_class=5))
    return root


@pytest.fixture(scope="session")
def trained(characters):
    """The folder of a run of three epochs on `characters`, and what train printed."""
    words = ["train", "--data-root", characters, "--run-dir", characters / "run"]
    words += ["--epochs", "3", "--batch-size", "32"]
    result = CliRunner().invoke(autoencoder.cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return characters / "run", result


@pytest.fixture
def copied_run(trained, tmp_path):
    """A copy of the trained run, for tests that change it."""
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    return folder


@pytest.fixture
def loaded(characters):
    return dataset.load_emnist("balanced", characters)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a window, driven by selenium; the log of its console and its requests."""
    webdriver = pytest.importorskip("selenium.webdriver")
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium, driver = next(filter(None, map(shutil.which, names)), None), "chromedriver"
    if not (chromium and shutil.which(driver)):
        pytest.skip("no Chromium here; on Debian: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    words = "headless=new no-sandbox disable-gpu no-first-run disable-sync disable-component-update"
    words += " force-prefers-reduced-motion"  # scrolls at once
    words += f" disable-background-networking user-data-dir={tmp_path_factory.mktemp('chromium')}"
    for word in words.split():
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which(driver))
    chrome = webdriver.Chrome(options, service)
    yield chrome
    chrome.quit()


def open_page(browser, path):
    """Opens a page, 1280 pixels wide, and forgets what those before it logged."""
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    resize(browser, 1280)
    browser.get(path.as_uri())


def check_quiet(browser, path):
    """Checks that the console stayed empty and that nothing but the file at `path` was loaded."""
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    sent = [request for request in sent if request["documentURL"].startswith("file:")]
    urls = {request["request"]["url"] for request in sent}  # Chromium loads pages of its own, too
    assert {url for url in urls if not url.startswith("data:")} == {path.as_uri()}


def resize(browser, width, height=900, dark=False):
    """Sets the size of the page, also one smaller than Chromium's windows, and its colours."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
