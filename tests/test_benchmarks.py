"""The benchmarks run, on a handful of images; the figures that they print there mean nothing."""

import importlib.util
import re

import numpy as np
import pytest
from conftest import script, write_files

import autoencoder
from benchmarks import morph, photos, speed, training
from support.emnist.demo import draw_demo_set
from support.lazy_keras import keras


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with a handful of images: after validation, 141 remain, more than a batch."""
    root = tmp_path_factory.mktemp("few")
    write_files(root, *draw_demo_set(train_per_class=4, test_per_class=1))
    return root


def table(result):
    """The rows of the table that a script printed, the head first: lists of cells."""
    rows = []
    for line in result.stdout.splitlines():
        if line.startswith("|") and "---" not in line:
            rows.append([cell.strip() for cell in line.split("|")[1:-1]])
    return rows


def test_morph(few, run, tmp_path):
    words = ["--run-dir", tmp_path / "run", "--data-root", few]
    run(autoencoder.cli, "train", *words, "--epochs", 1)
    words += ["--pairs", 4, "--steps", 4, "--judges", tmp_path / "judges"]
    rows = table(run(morph.main, *words))
    names = ["reconstructions, at random", "cross-fade", "straight line", "geodesic"]
    assert [row[0] for row in rows[1:]] == names
    assert rows[0][5:] == ["same letter", "bias", "length", "smoothness", "pen"]
    assert rows[2][7:9] == ["1.00", "0.000"]  # a cross-fade is straight and even


def test_frechet_distance_of_normal_distributions():
    a = np.random.default_rng(0).normal(size=(1000, 4))
    b = 2 * a + 3
    between_means = ((a.mean(axis=0) + 3) ** 2).sum()
    between_widths = a.var(axis=0, ddof=1).sum()  # (2 - 1) ** 2 times the variance of a
    assert morph.frechet_distance(a, b) == pytest.approx(between_means + between_widths)
    assert morph.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_photos(trained, run, tmp_path):
    words = ["--run-dir", trained[0], "--only", "shadow of a hand", "--only", "plain"]
    rows = table(run(photos.cli, "table", *words, "--count", 2))
    assert [row[0] for row in rows[1:]] == ["plain", "shadow of a hand"]
    run(photos.cli, "example", "--out", tmp_path / "example.png")
    assert (tmp_path / "example.png").exists()


def check_speed(line):
    pattern = r".*: (\S+) images a second \((\S+)-(\S+)\), (\S+) GFLOP/s, \S+ of a matrix product\n"
    numbers = re.fullmatch(pattern, line).groups()
    middle, low, high, gflops = (float(number.replace(",", "")) for number in numbers)
    assert 0 < low <= middle <= high
    layers = speed.layers_of(autoencoder.build_autoencoder())
    assert gflops == pytest.approx(middle * speed.training_operations(layers) / 1e9, abs=1)


def test_speed(run):
    check_speed(run(speed.cli, "keras", "--rounds", 2, "--steps", 5).stdout)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="torch is not installed")
def test_speed_in_pytorch():
    with script("-m", "benchmarks.speed", "pytorch", "--rounds", 2, "--steps", 5) as process:
        stdout, stderr = process.communicate()
    assert stderr == ""
    check_speed(stdout)


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


def test_compare_and_ablate(few, run, tmp_path):
    out = tmp_path / "compare.png"
    words = ["--data-root", few, "--seeds", 1, "--epochs", 1]
    rows = table(run(training.cli, "compare", *words, "--out", out))
    assert rows[0] == ["", "seconds", "to 0.042", "validation", "test"]
    assert rows[1][0] == "this autoencoder"
    assert out.read_bytes().startswith(b"\x89PNG")
    (_, (name, figures)) = table(run(training.cli, "ablate", *words, "--only", "Nadam"))
    middle, low, high = re.fullmatch(r"(\S+) \((\S+)-(\S+)\)", figures).groups()
    assert name == "Nadam"
    assert 0 < float(low) <= float(middle) <= float(high)
