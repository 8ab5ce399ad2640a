"""The benchmarks run, on a handful of images; the figures that they print there mean nothing."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, script, write_files
from PIL import Image

from autoencoder import build_autoencoder, compile_for_training
from benchmarks import data, morph, photos, speed, training
from benchmarks.training import VARIANTS, Curve, Variant
from dataset import IMAGE_SIZE
from support.emnist.demo import draw_demo_set
from support.lazy_keras import keras


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with a handful of images: after validation, 141 remain, more than a batch."""
    root = tmp_path_factory.mktemp("few")
    write_files(root, *draw_demo_set(IMAGE_SIZE, train_per_class=4, test_per_class=1))
    return root


@pytest.mark.parametrize("name", ["data.py", "morph.py", "photos.py", "speed.py", "training.py"])
def test_each_is_a_script(name, tmp_path):
    command = [sys.executable, PROJECT / "benchmarks" / name, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"Usage: {name} [OPTIONS]"), done.stderr


def table(result):
    """The rows of the table that a script printed, the head first: lists of cells."""
    rows = []
    for line in result.stdout.splitlines():
        if line.startswith("|") and "---" not in line:
            rows.append([cell.strip() for cell in line.split("|")[1:-1]])
    return rows


def test_data(few, run):
    rows = table(run(data.main, "--data-root", few, "--rounds", 1))
    names = [row[0].split(":")[0].split(",")[0] for row in rows]
    assert names == ["step", "od", "parse", "cache", "load", "np.loadtxt", "np.frombuffer"]


# ---- morph.py


def test_morph(trained, few, run, tmp_path):
    words = ["--run-dir", trained[0], "--data-root", few, "--pairs", 4, "--steps", 4]
    words += ["--judges", tmp_path / "judges"]
    rows = table(run(morph.main, *words))
    names = ["reconstructions, at random", "cross-fade", "linear", "slerp", "geodesic"]
    assert [row[0] for row in rows[1:]] == names
    assert rows[0][6:] == ["length", "smoothness", "pen"]
    assert rows[2][6:8] == ["1.00", "0.000"]  # a cross-fade is straight and even
    for name in ("character.keras", "ghost.keras"):  # kept: there are no images to train them
        morph.open_judge(tmp_path / "judges" / name, images=iter([]), y=None, epochs=1, seed=0)


def test_frechet_distance_of_normal_distributions():
    a = np.random.default_rng(0).normal(size=(1000, 4))
    b = 2 * a + 3
    between_means = ((a.mean(axis=0) + 3) ** 2).sum()
    between_widths = a.var(axis=0, ddof=1).sum()  # (2 - 1) ** 2 times the variance of a
    assert morph.frechet_distance(a, b) == pytest.approx(between_means + between_widths)
    assert morph.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_false_characters_are_made_of_both_images():
    x = np.zeros((200, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    y = np.arange(200) % 2
    x[y == 0, :, :14] = 1
    x[y == 1, :, 14:] = 1
    for image in morph.draw_false_characters(x, y, np.random.default_rng(0)):
        assert not np.array_equal(image, x[0])
        assert not np.array_equal(image, x[1])


# ---- photos.py


def test_photos(trained, run, tmp_path):
    words = ["--run-dir", trained[0], "--only", "hard shadow", "--only", "plain"]
    rows = table(run(photos.cli, "table", *words, "--count", 2))
    assert rows[0] == ["condition", "read right", "refused", "seconds"]
    assert [row[0] for row in rows[1:]] == ["hard shadow", "plain"]
    assert [row[2] for row in rows[1:]] == ["0%", "0%"]
    out = tmp_path / "sheet.png"
    run(photos.cli, "sheet", *words, "--out", out)
    with Image.open(out) as sheet:
        assert sheet.width > sheet.height  # two pictures side by side, each over what was read
        darkest = np.asarray(sheet.convert("L"))[-2 * 84 :].min()
    assert darkest < 100
    out = tmp_path / "example.png"
    run(photos.cli, "example", "--out", out)
    with Image.open(out) as example:
        assert example.width > 2 * example.height


# ---- speed.py

SPEED = r": (\S+) images a second \((\S+)-(\S+)\), (\S+) GFLOP/s, (\S+) of a matrix product\n"


def check_speed(name, line):
    numbers = re.fullmatch(re.escape(name) + SPEED, line).groups()
    middle, low, high, gflops, share = (float(number.replace(",", "")) for number in numbers)
    assert 0 < low <= middle <= high
    operations = speed.training_operations(speed.layers_of(build_autoencoder()))
    assert gflops == pytest.approx(middle * operations / 1e9, abs=1)
    assert share > 0


def test_speed_in_keras(run):
    result = run(speed.cli, "keras", "--rounds", 2, "--groups", 1)
    check_speed(f"keras on {keras.backend.backend()}", result.stdout)


@pytest.mark.backend
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
def test_speed_in_pytorch():
    with script("benchmarks/speed.py", "pytorch", "--rounds", 2, "--groups", 1) as process:
        stdout, stderr = process.communicate()
    assert stderr == ""
    check_speed("pytorch", stdout)


def test_operations_of_each_kind_of_layer():
    convolution = keras.layers.Conv2D(4, 3, strides=2, padding="same")
    transposed = keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same")
    dense = keras.layers.Dense(5)
    convolution(keras.Input((6, 6, 2)))
    transposed(keras.Input((3, 3, 4)))
    dense(keras.Input((7,)))
    kernel = 3 * 3 * 2 * 4
    assert speed.training_operations([convolution]) == 3 * 2 * kernel * 3 * 3
    assert speed.training_operations([transposed]) == 3 * 2 * kernel * 3 * 3
    assert speed.training_operations([dense]) == 3 * 2 * 7 * 5


# ---- training.py


def test_compare(few, run, tmp_path):
    out = tmp_path / "compare.png"
    words = ["--data-root", few, "--seeds", 1, "--epochs", 1, "--out", out]
    rows = table(run(training.cli, "compare", *words))
    assert rows[0] == ["", "seconds", "to 0.042", "validation", "test", "mse then"]
    names = [row[0] for row in rows[1:5]]
    others = ["design of 2017", "nearest public relative", "PCA, 32 components"]
    assert names == ["this autoencoder", *others]
    assert out.read_bytes().startswith(b"\x89PNG")


def test_ablate(few, run):
    change = "upsampling for transposed convolutions"
    words = ["--data-root", few, "--seeds", 1, "--only", change]
    ((head, _), (name, figures)) = table(run(training.cli, "ablate", *words))
    assert (head, name) == ("change", change)
    middle, low, high = figures.replace("(", "").replace(")", "").replace("-", " ").split()
    assert 0 < float(low) <= float(middle) <= float(high)


def layers_of(model):
    """The layers of both halves, in order: kinds and settings."""
    found = []
    halves = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    for half in halves:
        for layer in half.layers:
            found.append((type(layer).__name__, layer.output.shape, settings(layer)))
    return found


def settings(part):
    return {key: value for key, value in part.get_config().items() if key != "name"}


def built(variant):
    """Layers and optimizer of a variant."""
    model = training.build_variant(variant)
    training.compile_variant(model, variant, epochs=20, steps_per_epoch=7)
    return layers_of(model), type(model.optimizer), settings(model.optimizer)


def test_without_a_change_a_variant_is_the_network_of_train():
    model = build_autoencoder()
    compile_for_training(model, training.LEARNING_RATE, epochs=20, steps_per_epoch=7)
    layers, optimizer, options = built(Variant())
    assert layers == layers_of(model)
    assert optimizer is type(model.optimizer)
    assert options == settings(model.optimizer)


def test_each_variant_differs_from_the_others():
    seen = []
    for variant in VARIANTS.values():
        parts = built(variant), variant.batch_size
        assert parts not in seen
        seen.append(parts)


def test_the_clock_of_a_curve_stands_still_while_it_measures(loaded):
    (_, (x, _)) = loaded
    now = 0.0

    def clock():
        return now

    def predict(images):
        nonlocal now
        now += 1000
        return np.clip(images, 1e-7, 1 - 1e-7) if curve.points else np.full_like(images, 0.5)

    curve = Curve(x, predict, clock)
    for _ in range(3):
        now += 1
        curve.tick()
    seconds = [point[0] for point in curve.points]
    excesses = [point[1] for point in curve.points]
    mses = [point[2] for point in curve.points]
    assert seconds == [1, 2, 3]
    assert excesses[0] > 0.1 > 0.001 > excesses[1]
    assert curve.time_to(1) == 1
    assert curve.time_to((excesses[0] + excesses[1]) / 2) == pytest.approx(1.5)
    assert curve.time_to(-1) == float("inf")
    assert curve.mse_after(1.5) == pytest.approx((mses[0] + mses[1]) / 2)
    assert curve.mse_after(9) == mses[2]
