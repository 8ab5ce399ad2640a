"""The benchmarks run, on a handful of images; the figures that they print there mean nothing."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import PROJECT, write_files

from benchmarks import data, morph, training
from support.console import import_keras
from support.demo import draw_demo_set


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with a handful of images: after validation, 141 remain, more than a batch."""
    root = tmp_path_factory.mktemp("few")
    write_files(root, *draw_demo_set(train_per_class=4, test_per_class=1))
    return root


@pytest.mark.parametrize("name", ["data.py", "morph.py", "training.py"])
def test_each_is_a_script(name, tmp_path):
    command = [sys.executable, PROJECT / "benchmarks" / name, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"Usage: {name} [OPTIONS]"), done.stderr


def benchmark(cli, *words):
    """The rows of the tables that a script prints, each a list of cells, and all its lines."""
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    return [[c.strip() for c in line.split("|")[1:-1]] for line in lines if line[:1] == "|"], lines


def figures(row):
    """The middle, smallest and largest of each cell like 0.0150 (0.0148-0.0153)."""
    words = [cell.replace("(", "").replace(")", "").replace("-", " ").split() for cell in row[1:]]
    return [tuple(map(float, some)) for some in words]


def test_morph(trained, few, tmp_path):
    words = ["--run-dir", trained[0], "--data-root", few, "--pairs", 4, "--steps", 4]
    words += ["--judges", tmp_path / "judges"]
    rows, _ = benchmark(morph.main, *words)
    names = ["reconstructions, at random", "cross-fade", "linear", "slerp"]
    assert [row[0] for row in rows[2:]] == [*names, "geodesic, earlier settings", "geodesic"]
    assert rows[3][6:] == ["1.00", "0.000"]  # a cross-fade is straight and even
    assert all(0 <= float(cell[:-1]) <= 100 for row in rows[2:] for cell in row[1:5])
    assert all(float(rows[2][column][:-1]) >= 75 for column in (1, 3))  # of all images, 95%
    assert rows[-1][6:] != rows[-2][6:]  # other settings, another path
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "judges").iterdir()}
    assert sorted(kept) == ["character.keras", "ghost.keras"]
    assert benchmark(morph.main, *words)[0] == rows
    assert kept == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "judges").iterdir()}
    judge = import_keras().saving.load_model(tmp_path / "judges" / "character.keras")
    images = np.random.default_rng(0).random((300, 28, 28), "float32")
    same, other = (morph.frechet_distance(judge, images, some) for some in (images, images / 2))
    assert same == pytest.approx(0, abs=0.01 * other)


def test_data(few):
    rows, _ = benchmark(data.main, "--data-root", few, "--rounds", 1)
    names = [row[0].split(":")[0] for row in rows[2:]]
    assert names[:4] == ["od", "parse", "cache", "load"]
    assert all(float(row[1]) >= 0 for row in rows[2:])


def test_curves(few, tmp_path):
    words = ["--data-root", few, "--seeds", 1, "--epochs", 1, "--out", tmp_path / "c.png"]
    rows, lines = benchmark(training.cli, "curves", *words)
    names = [row[0] for row in rows[2:]]
    others = ["design of 2017", "nearest public relative", "PCA, 32 components"]
    assert names[:4] == ["this autoencoder", *others]
    assert rows[0] == ["", "seconds", "to 0.042", "validation", "test", "mse then"]
    for row in rows[2:]:
        seconds, _, validation, test, mse = figures(row)
        assert seconds[0] > 0 or row[0].startswith("PCA")  # which takes less than is shown
        assert 0 < validation[0] < 1 and 0 < test[0] < 1 and 0 < mse[0] < 1
    assert lines[-2].startswith("seconds to 0.042, design of 2017 / this autoencoder: ")
    assert lines[-1].startswith("mse then, nearest public relative / this autoencoder: ")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_choices(few):
    change = "upsampling for transposed convolutions"
    words = ["--data-root", few, "--seeds", 1, "--only", change]
    rows, _ = benchmark(training.cli, "choices", *words)
    assert [row[0] for row in rows[2:]] == [change]
    assert all(0 < figures(row)[0][0] < 1 for row in rows[2:])


def test_each_choice_changes_the_network_or_its_optimizer(loaded, monkeypatch):
    settings = "activation", "filters", "kernel_size", "momentum"

    def built(change):
        model = training.this_autoencoder(x, config, **change)
        parts = [layer for name in ("encoder", "decoder") for layer in model.get_layer(name).layers]
        layers = [
            (type(a).__name__, a.output.shape, *map(a.get_config().get, settings)) for a in parts
        ]
        optimizer = model.optimizer.get_config() | {"name": type(model.optimizer).__name__}
        return str([layers, optimizer])

    monkeypatch.setattr(training, "in_keras", lambda model, x, config: model)
    x = loaded[0][0]
    config = training.CONFIG | {"epochs": 1, "seed": 0}
    assert len({built(change) for change in training.CHOICES.values()}) == len(training.CHOICES)
    assert built({}) == built({})


def test_the_clock_of_a_curve_stands_still_while_it_measures(loaded, monkeypatch):
    now = 0.0
    x = loaded[1][0]
    monkeypatch.setattr(training, "time", type("Clock", (), {"perf_counter": lambda: now}))

    def predict(images):
        nonlocal now
        now += 1000
        return images.clip(1e-7, 1 - 1e-7) if len(curve.points) else 0 * images + 0.5

    curve = training.Curve(x, predict)
    for _ in range(3):
        now += 1
        curve.tick()
    seconds, excesses, mses = zip(*curve.points, strict=True)
    assert seconds == pytest.approx((1, 2, 3))
    assert excesses[0] > 0.1 > 0.001 > excesses[1]
    assert curve.time_to(1) == 1 and curve.time_to(-1) == float("inf")
    assert curve.time_to((excesses[0] + excesses[1]) / 2) == pytest.approx(1.5)
    assert curve.mse_after(1.5) == pytest.approx((mses[0] + mses[1]) / 2)
    assert curve.mse_after(9) == mses[2]


def test_the_network_in_pytorch_is_of_the_same_size():
    torch = pytest.importorskip("torch")
    network = training.torch_network(torch.nn)
    weights = training.autoencoder.build_autoencoder().trainable_variables
    assert [p.numel() for p in network.parameters()] == [v.numpy().size for v in weights]
