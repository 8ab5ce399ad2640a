"""autoencoder.py: the network, and train, test and morph on a small split of handwriting."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, held, random_set, script, write_files
from PIL import Image

import autoencoder
import dataset
from autoencoder import cli, linear_path
from support.emnist.demo import draw_demo_set
from support.lazy_keras import keras
from support.metrics import cross_entropy
from support.run import RUN_FILES

RUN = ("train", "--data", "emnist", "--batch-size", "32")


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [[float(n) for n in row] for row in list(csv.reader(file))[1:]]


def same(a, b):
    """The same histories to 1e-4 relative, seconds apart."""
    return np.allclose([row[:4] for row in a], [row[:4] for row in b], rtol=1e-4, atol=0)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


# ---- the network


def test_encoder_and_decoder():
    encoder, decoder = autoencoder.build_encoder(), autoencoder.build_decoder()
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.activation is keras.activations.relu
    assert encoder.layers[-1].activation is keras.activations.linear
    rng = np.random.default_rng(0)
    codes = encoder.predict(rng.random((3, 28, 28, 1)), verbose=0)
    assert codes.shape == (3, 32)
    images = decoder.predict(10 * rng.normal(size=(3, 32)), verbose=0)
    assert images.shape == (3, 28, 28, 1)
    assert 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize("count", [9, 10, 11])
def test_the_order_of_images_depends_on_seed_and_epoch_alone(count):
    x = np.arange(count)
    feed = autoencoder.batches(x, 3, seed=1, epoch=0)
    first = [next(feed)[0].tolist() for _ in range(6)]  # two epochs of three full batches
    later = autoencoder.batches(x, 3, seed=1, epoch=1)
    assert [next(later)[0].tolist() for _ in range(3)] == first[3:]
    assert first[:3] != first[3:]
    assert len(np.unique(first[:3])) == 9


def test_the_loss_is_exact_where_the_network_is_certain_and_wrong():
    model = autoencoder.build_autoencoder()
    autoencoder.compile_for_training(model, 0.005, epochs=1, steps_per_epoch=10)
    ink = model.get_layer("decoder").get_layer("ink")
    ink.set_weights([np.zeros_like(ink.get_weights()[0]), np.array([100.0])])
    paper = np.zeros((2, 28, 28, 1))
    assert model.evaluate(paper, paper, verbose=0) == pytest.approx(100)


@pytest.mark.parametrize(("count", "steps"), [(50, 5), (2500, 250), (3019, 300), (16159, 1610)])
def test_an_epoch_is_whole_groups_of_steps(count, steps):
    assert autoencoder.steps_in_epoch(count, batch_size=10) == steps
    assert steps % autoencoder.steps_in_group(steps) == 0


@pytest.mark.parametrize(("train", "test", "expected"), [(20, 10, 10), (19, 10, 3), (2, 9, 1)])
def test_validation_leaves_at_least_half_for_training(train, test, expected):
    assert autoencoder.validation_count(train, test) == expected


# ---- train


def test_train_writes_the_run(trained, loaded, characters):
    folder, result = trained
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.keras", "last.keras", "history.csv", "curves.png"} <= names
    config = json.loads((folder / "config.json").read_text())
    assert (config["data"], config["split"]) == ("emnist", "balanced")
    assert config["data_root"] == str(characters)
    assert config["counts"] == {"train": 1175, "validation": 235, "test": 235}
    assert config["fingerprint"] == dataset.fingerprint_of(dataset.split_in(characters))
    assert set(config["versions"]) == {"python", "keras", "numpy", keras.backend.backend()}
    rate = autoencoder.LEARNING_RATE
    options = {"epochs": 3, "batch_size": 32, "learning_rate": rate, "seed": 0}
    assert {key: config[key] for key in options} == options

    (x, _), _ = loaded
    rows = history(folder)
    assert [row[0] for row in rows] == [1, 2, 3]
    mean = np.broadcast_to(x[:-235].mean(0), x[-235:].shape)
    assert min(row[2] for row in rows) < cross_entropy(x[-235:], mean).mean()
    assert rows[0][3] == pytest.approx(rate)
    assert rows[2][3] < rows[1][3] < rows[0][3]
    assert len(result.stderr.splitlines()) == 4  # one of the cache, one an epoch: no chatter
    assert result.stderr.count("epoch") == 3
    assert "above the floor" in result.stdout


def test_the_model_loads_with_plain_keras(trained, loaded):
    folder, _ = trained
    model = keras.saving.load_model(folder / "model.keras")
    _, (x, _) = loaded
    codes = model.get_layer("encoder").predict(x, verbose=0)
    assert codes.shape == (len(x), 32)
    images = model.get_layer("decoder").predict(codes, verbose=0)
    assert np.allclose(images, model.predict(x[..., None], verbose=0), atol=1e-5)
    last = keras.saving.load_model(folder / "last.keras")
    assert last.optimizer.iterations == 3 * (1175 // 32)
    assert float(last.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)
    sizes = [(folder / name).stat().st_size for name in ("model.keras", "last.keras")]
    assert not model.compiled
    assert sizes[0] < sizes[1] / 1.5  # the best goes without the optimizer's state


def test_train_twice_does_nothing_or_refuses(trained, characters, run):
    folder, _ = trained
    before = contents(folder)
    same_options = [*RUN, "--data-root", characters, "--run-dir", folder, "--epochs", 3]
    for words in (same_options, ["train", "--run-dir", folder, "--resume"]):
        result = run(cli, *words)
        assert result.stdout == f"{folder}: already complete, 3 epochs\n"
    result = run(cli, *same_options[:-2], "--epochs", 4, "--seed", 5, code=1)
    for word in ("epochs 3, not 4", "seed 0, not 5", "--resume", "--overwrite", "test"):
        assert word in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert contents(folder) == before


def test_overwrite_begins_again_and_a_loss_that_is_not_finite_ends_it(copied_run, made, run):
    (copied_run / "mine.txt").write_text("kept")
    (copied_run / "test.json").write_text("{}")
    words = [*RUN, "--data-root", made[0], "--run-dir", copied_run, "--learning-rate", 1e30]
    result = run(cli, *words, "--seed", 1, "--overwrite", code=1)
    assert "a lower --learning-rate" in result.stderr.splitlines()[-1]
    left = {path.name for path in copied_run.iterdir()}
    assert left == {"config.json", "last.keras", "mine.txt"}
    assert (copied_run / "mine.txt").read_text() == "kept"
    assert json.loads((copied_run / "config.json").read_text())["seed"] == 1


def test_overwrite_removes_nothing_for_data_that_are_bad(trained, made, run):
    before = contents(trained[0])
    bad = made[0] / "emnist-balanced-test-labels-idx1-ubyte"
    bad.write_bytes(b"bad")
    words = [*RUN, "--data-root", made[0], "--run-dir", trained[0], "--overwrite"]
    assert bad.name in run(cli, *words, code=1).stderr
    assert contents(trained[0]) == before


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_of_somebodys_is_refused(trained, characters, tmp_path, run, options):
    folder = tmp_path / "somebodys"
    folder.mkdir()
    for name in ("model.keras", "history.csv", "test.json", "mine.txt"):
        (folder / name).write_text("mine")
    before = contents(folder)
    words = [*RUN, "--data-root", characters, "--run-dir", folder, *options]
    assert "not a run of this program" in run(cli, *words, code=1).stderr
    assert contents(folder) == before


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has only names in UTF-8")
def test_data_below_a_path_that_is_not_utf8(characters, copied_run, tmp_path, run):
    root = tmp_path / os.fsdecode(b"t\xff")
    shutil.copytree(characters, root, ignore=shutil.ignore_patterns("run"))
    words = ["--data-root", root, "--run-dir", copied_run, "--epochs", 1, "--overwrite"]
    run(cli, *RUN, *words)
    assert json.loads((copied_run / "config.json").read_text())["data_root"] == str(root)


def test_training_multiplies_in_bfloat16_and_nothing_else_does(copied_run, characters):
    code = """
import os, sys
import autoencoder
_, run, data_root = sys.argv
del os.environ["TF_SET_ONEDNN_FPMATH_MODE"]
autoencoder.cli(["morph", "--run-dir", run], standalone_mode=False)
print(os.environ.get("TF_SET_ONEDNN_FPMATH_MODE"))
words = ["--run-dir", run, "--data-root", data_root, "--epochs", "1", "--overwrite"]
autoencoder.cli(["train", *words], standalone_mode=False)
print(os.environ.get("TF_SET_ONEDNN_FPMATH_MODE"))
"""
    words = [sys.executable, "-c", code, copied_run, characters]
    printed = subprocess.check_output(words, cwd=PROJECT, text=True)
    assert [line for line in printed.splitlines() if line in ("None", "BF16")] == ["None", "BF16"]


# ---- resume


def test_interrupted_and_resumed_equals_uninterrupted(trained, characters, tmp_path, run):
    whole, _ = trained
    folder = tmp_path / "run"
    words = [*RUN, "--data-root", characters, "--run-dir", folder, "--epochs", 3]
    with script("autoencoder.py", *words) as process:
        for line in process.stderr:
            if line.startswith("epoch 1/3"):
                process.send_signal(signal.SIGINT)
                break
        output = process.stderr.read()
    assert process.returncode == 130
    assert "1 finished epochs are kept" in output
    assert "--resume" in output
    assert "Traceback" not in output
    assert len(history(folder)) == 1
    assert not list(folder.glob(".*"))
    run(cli, "train", "--run-dir", folder, "--resume")
    assert same(history(folder), history(whole))
    assert (folder / "curves.png").exists()


def test_killed_in_the_first_epoch_and_started_again(trained, characters, tmp_path, run):
    folder = tmp_path / "run"
    words = [*RUN, "--data-root", characters, "--run-dir", folder, "--epochs", 1]
    with script("autoencoder.py", *words) as process:
        while not (folder / "last.keras").exists():
            assert process.poll() is None
        process.kill()
    assert not (folder / "history.csv").exists()
    run(cli, *words)
    run(cli, *words[:-2], "--epochs", 1, "--overwrite", "--run-dir", tmp_path / "whole")
    assert same(history(folder), history(tmp_path / "whole"))


def test_the_best_is_never_forgotten(copied_run, run):
    change_config(copied_run, epochs=4)
    rows = (copied_run / "history.csv").read_text().splitlines()
    rows[2] = "2,0.1,0.001,0.002,1.0"  # as if epoch 2 had been the best by far
    (copied_run / "history.csv").write_text("\n".join([*rows, "4,1,1,1,1\n"]))
    (copied_run / "curves.png").unlink()  # killed after epoch 4's row, before its last.keras
    best = (copied_run / "model.keras").read_bytes()
    run(cli, "train", "--run-dir", copied_run, "--resume")
    assert [row[0] for row in history(copied_run)] == [1, 2, 3, 4]
    assert history(copied_run)[3][1] != 1  # done again
    assert (copied_run / "model.keras").read_bytes() == best


@pytest.mark.parametrize("name", ["last.keras", "model.keras"])
def test_finished_epochs_without_their_models_are_refused(copied_run, run, name):
    change_config(copied_run, epochs=4)
    (copied_run / name).unlink()
    before = contents(copied_run)
    result = run(cli, "train", "--run-dir", copied_run, "--resume", code=1)
    assert f"{name} is missing" in result.stderr
    assert contents(copied_run) == before


def test_a_model_without_its_optimizer_cannot_be_resumed(copied_run, run):
    change_config(copied_run, epochs=4)
    shutil.copy(copied_run / "model.keras", copied_run / "last.keras")
    result = run(cli, "train", "--run-dir", copied_run, "--resume", code=1)
    assert "no optimizer state" in result.stderr


def test_killed_before_the_picture_of_the_losses(copied_run, run):
    before = history(copied_run)
    (copied_run / "curves.png").unlink()
    run(cli, "train", "--run-dir", copied_run, "--resume")
    assert (copied_run / "curves.png").exists()
    assert history(copied_run) == before


@pytest.mark.parametrize("name", ["history.csv", "last.keras"])
def test_a_damaged_run_is_named(copied_run, run, name):
    change_config(copied_run, epochs=4)
    (copied_run / name).write_bytes(b"\x80\x00,,\n1,2")
    result = run(cli, "train", "--run-dir", copied_run, "--resume", code=1)
    assert name in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_one_training_image(tmp_path, run):
    (x, y), _ = draw_demo_set(28, 1, 1)
    write_files(tmp_path, (x[:1], y[:1]), (x, y))
    words = ["train", "--data", "emnist", "--data-root", tmp_path, "--run-dir", tmp_path / "run"]
    assert "at least 2 are needed" in run(cli, *words, code=1).stderr
    assert not (tmp_path / "run/config.json").exists()


def test_data_and_run_in_one_folder(made, run):
    root, _, _ = made
    run(cli, *RUN, "--data-root", root, "--run-dir", root, "--epochs", 1)
    assert (root / "model.keras").exists()


def test_a_run_is_locked_while_it_is_trained(made, tmp_path, run):
    folder = tmp_path / "run"
    folder.mkdir()
    words = ["train", "--data", "emnist", "--data-root", made[0], "--run-dir", folder]
    with held(folder):
        assert f"{folder} is locked by another process" in run(cli, *words, code=1).stderr
    assert not list(folder.iterdir())


# ---- which data


def test_moved_data_are_found(characters, copied_run, tmp_path, run):
    moved = tmp_path / "data"
    shutil.copytree(characters, moved, ignore=shutil.ignore_patterns("run"))
    change_config(copied_run, data_root=str(tmp_path / "gone"))
    words = ["morph", "--run-dir", copied_run, "--rows", 1]
    result = run(cli, *words, env={"DATA_ROOT": str(tmp_path / "nowhere")}, code=1)
    assert "--data-root" in result.stderr
    run(cli, *words, env={"DATA_ROOT": str(moved)})
    run(cli, *words, "--data-root", moved)
    result = run(cli, *RUN, "--epochs", 3, "--run-dir", copied_run, "--data-root", moved)
    assert "already complete" in result.stdout


def test_other_data_are_refused(trained, copied_run, tmp_path, run):
    write_files(tmp_path / "other", *draw_demo_set(28, 30, 5, seed=1))
    before = contents(copied_run)
    other = ["--run-dir", copied_run, "--data-root", tmp_path / "other"]
    for words in (["test"], ["morph"], ["explore"], ["train", "--resume"]):
        assert "not the run's" in run(cli, *words, *other, code=1).stderr
    assert "other images" in run(cli, *RUN, "--epochs", 3, *other, code=1).stderr
    assert contents(copied_run) == before


def test_auto_falls_back_to_demo_and_says_so(tmp_path, run):
    write_files(tmp_path / "data/demo", *draw_demo_set(28, 4, 1))  # small; else it would be drawn
    words = ["--data-root", tmp_path / "data", "--run-dir", tmp_path / "run", "--epochs", 1]
    result = run(cli, "train", *words)
    lines = result.stderr.splitlines()
    assert "demo" in lines[0]
    assert "demo" in lines[-1]
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert (config["data"], config["data_root"]) == ("demo", str(tmp_path / "data"))
    (tmp_path / "data").rename(tmp_path / "moved")
    words = ["morph", "--run-dir", tmp_path / "run", "--rows", 1]
    run(cli, *words, "--data-root", tmp_path / "moved")
    assert not (tmp_path / "data").exists()  # the demo set is not drawn again


# ---- wrong usage


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--data", "demo", "--split", "letters"], "only for --split balanced"),
        (["train", "--epochs", "0"], "0 is not in the range x>=1"),
        (["train", "--learning-rate", "0"], "expected a finite number above 0"),
        (["train", "--learning-rate", "nan"], "expected a finite number above 0"),
        (["train", "--seed", "5000000000"], "not in the range"),
        (["train", "--run-dir", ""], "expected the name of a folder"),
        (["train", "--resume", "--epochs", "9"], "--resume takes its options from the run"),
        (["train", "--resume", "--overwrite"], "--resume takes its options from the run"),
        (["morph", "--steps", "1"], "1 is not in the range 2<=x<=1000"),
        (["morph", "--rows", "1001"], "1001 is not in the range"),
        (["morph", "--out", "morph.bmp"], "ends in .png or .gif or .html or .npz"),
        (["morph", "--from", "a" * 2000, "--to", "b" * 2000], "at most 1,000"),
        (["morph", "--rows", "1000", "--steps", "1000"], "more than 300,000,000 pixels"),
        (["morph", "--from", "a"], "must be given together"),
    ],
)
def test_wrong_usage(run, words, message):
    assert message in run(cli, *words, code=2).stderr


def test_without_a_run_the_command_that_makes_one_is_named(run, tmp_path):
    for name in ("test", "morph", "explore"):
        result = run(cli, name, "--run-dir", tmp_path / "none", code=1)
        assert "make one with: python autoencoder.py train" in result.stderr
    result = run(cli, "train", "--resume", "--run-dir", tmp_path / "none", code=1)
    assert "no run in" in result.stderr
    assert not (tmp_path / "none").exists()


# ---- test


def test_test(copied_run, loaded, run):
    folder = copied_run
    result = run(cli, "test", "--run-dir", folder)
    report = json.loads((folder / "test.json").read_text())
    _, (x, y) = loaded
    p = keras.saving.load_model(folder / "model.keras").predict(x, verbose=0)[..., 0]
    p = p.astype(float).clip(1e-7, 1 - 1e-7)
    bce = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    grey = np.where((x == 0) | (x == 1), 0.5, x).astype(float)
    entropy = -(grey * np.log(grey) + (1 - grey) * np.log(1 - grey))
    floor = np.where((x == 0) | (x == 1), 0, entropy)
    assert report["images"] == len(x)
    assert report["bce"] == pytest.approx(bce.mean(), rel=1e-5)
    assert report["bce_floor"] == pytest.approx(floor.mean(), rel=1e-5)
    assert report["excess"] == pytest.approx((bce - floor).mean(), rel=1e-4)
    assert report["mse"] == pytest.approx(((x - p) ** 2).mean(), rel=1e-4)
    assert report["psnr"] == pytest.approx(10 * math.log10(1 / report["mse"]), rel=1e-6)
    assert sorted(report["pca"]) == ["bce", "excess", "mse", "psnr"]
    assert 0 < report["pca"]["excess"] < 0.2
    assert len(report["classes"]) == 47
    assert report["classes"]["A"] == pytest.approx((bce - floor)[y == 10].mean(), rel=1e-4)
    config = json.loads((folder / "config.json").read_text())
    assert report["data"] == config["fingerprint"]
    assert len(report["model"]) == 32
    assert f"{report['excess']:.4f}" in result.stdout
    for name in ("reconstructions.png", "codes.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200


def save_test_images_alone(characters, root):
    """Copies the cache to another folder without the training images, so that none can be read."""
    root.mkdir()
    with np.load(characters / "emnist-balanced.npz") as file:
        kept = {name: file[name] for name in ("x_test", "y_test", "note")}
    np.savez(root / "emnist-balanced.npz", **kept)


def test_a_second_test_of_a_model_reads_no_training_images(characters, copied_run, tmp_path, run):
    run(cli, "test", "--run-dir", copied_run)
    names = ("test.json", "codes.png")
    before = [(copied_run / name).read_bytes() for name in names]
    for name in names:
        (copied_run / name).unlink()
    save_test_images_alone(characters, tmp_path / "data")
    run(cli, "test", "--run-dir", copied_run, "--data-root", tmp_path / "data")
    assert [(copied_run / name).read_bytes() for name in names] == before


def test_a_model_from_elsewhere(copied_run, run):
    for model, message in (
        (keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()]), "encoder"),
        (keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)]), "model.keras"),
    ):
        model.save(copied_run / "model.keras")
        result = run(cli, "morph", "--run-dir", copied_run, code=1)
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    (copied_run / "model.keras").write_bytes(b"no model")
    assert "model.keras" in run(cli, "test", "--run-dir", copied_run, code=1).stderr
    (copied_run / "model.keras").unlink()
    assert "--resume" in run(cli, "test", "--run-dir", copied_run, code=1).stderr


def test_a_mapping_that_lacks_labels_is_refused(characters, copied_run, tmp_path, run):
    root = tmp_path / "data"
    shutil.copytree(characters, root, ignore=shutil.ignore_patterns("run"))
    (root / "emnist-balanced-mapping.txt").write_text("0 48\n1 49\n2 50\n")
    for name in ("test", "morph", "explore"):
        result = run(cli, name, "--run-dir", copied_run, "--data-root", root, code=1)
        assert "mapping.txt lacks the label" in result.stderr


# ---- while the model is replaced


class OtherModelMeanwhile:
    """Saves another model in the run when test images are first encoded, as train may do."""

    def __init__(self, folder, encode):
        self.folder = folder
        self.encode = encode
        self.is_done = False

    def __call__(self, model, x, label=None):
        if not self.is_done:
            self.is_done = True
            other = autoencoder.load_autoencoder(self.folder / "model.keras")
            other.set_weights([weights * 1.01 for weights in other.get_weights()])
            other.save(self.folder / "model.keras")
        return self.encode(model, x, label)


def test_test_and_morph_begin_again_when_the_model_is_replaced(
    copied_run, loaded, tmp_path, run, monkeypatch
):
    encode = autoencoder.encode
    for words in (
        ["test"],
        ["morph", "--path", "geodesic", "--rows", 3, "--out", tmp_path / "m.npz"],
    ):
        monkeypatch.setattr(autoencoder, "encode", OtherModelMeanwhile(copied_run, encode))
        result = run(cli, *words, "--run-dir", copied_run)
        assert "beginning again" in result.stderr
    model = autoencoder.load_autoencoder(copied_run / "model.keras")
    report = json.loads((copied_run / "test.json").read_text())
    assert report["mse"] > 0
    _, (x, _) = loaded
    with np.load(tmp_path / "m.npz") as file:
        ends = file["frames"][:, [0, -1]]
        codes = autoencoder.encode(model, x[file["indices"].ravel()])
        expected = autoencoder.decode(model, codes)
    assert np.abs(ends.reshape(expected.shape) - expected).max() < 1e-5


def test_a_new_run_gets_no_result_of_the_old_one(copied_run, run, monkeypatch):
    encode = autoencoder.encode

    def overwrite_meanwhile(model, x):
        for name in RUN_FILES:
            if name != "config.json":
                (copied_run / name).unlink(missing_ok=True)
        return encode(model, x)

    monkeypatch.setattr(autoencoder, "encode", overwrite_meanwhile)
    result = run(cli, "test", "--run-dir", copied_run, code=1)
    assert "no finished epoch" in result.stderr
    assert not (copied_run / "test.json").exists()


# ---- morph


def test_linear_path():
    a, b = np.zeros((2, 32)), np.ones((2, 32))
    path = linear_path(a, b, 5)
    assert path.shape == (2, 5, 32)
    assert np.allclose(path[1, :, 7], [0, 0.25, 0.5, 0.75, 1])


def test_morph_arrays(trained, loaded, tmp_path, run):
    folder, _ = trained
    out = tmp_path / "new/m.npz"
    words = ["--from", "Hi 4", "--to", "by 2", "--steps", 5, "--out", out]
    assert run(cli, "morph", "--run-dir", folder, *words).stdout == f"{out}\n"
    _, (x, y) = loaded
    with np.load(out) as file:
        frames, codes = file["frames"], file["codes"]
        labels, indices = file["labels"], file["indices"]
    assert frames.shape == (4, 5, 28, 28)
    assert frames.dtype == np.float32
    assert codes.shape == (4, 5, 32)
    assert labels.tolist() == [[17, 37], [18, 34], [-1, -1], [4, 2]]
    assert indices[2].tolist() == [-1, -1]
    assert not frames[2].any()
    shown = [0, 1, 3]
    assert (y[indices[shown]] == labels[shown]).all()
    model = keras.saving.load_model(folder / "model.keras")
    for end in (0, -1):
        p = model.predict(x[indices[shown, end]], verbose=0)[..., 0]
        assert np.abs(frames[shown, end] - p).max() < 1e-5
    steps = np.diff(codes[shown], axis=1)
    assert np.allclose(steps, steps[:, :1], atol=1e-4)  # even steps on a straight line


def test_morph_picture(copied_run, run, tmp_path):
    folder = copied_run
    assert run(cli, "morph", "--run-dir", folder, "--rows", 2).stdout == f"{folder}/morph.png\n"
    run(cli, "morph", "--run-dir", folder, "--rows", 4, "--out", tmp_path / "m.PNG")
    with Image.open(folder / "morph.png") as two, Image.open(tmp_path / "m.PNG") as four:
        assert four.width == two.width
        assert four.height > two.height + 60
        assert four.width > four.height
    result = run(cli, "morph", "--run-dir", folder, "--from", "a%", "--to", "bc", code=1)
    assert "no class for %" in result.stderr


def test_the_linear_morph_reads_the_test_images_alone(characters, copied_run, tmp_path, run):
    root = tmp_path / "data"
    save_test_images_alone(characters, root)
    words = ["morph", "--run-dir", copied_run, "--data-root", root, "--rows", 1]
    run(cli, *words)
    assert "x_train" in run(cli, *words, "--path", "geodesic", code=1).stderr


def test_geodesic_keeps_its_index(copied_run, loaded, tmp_path, run):
    words = ["morph", "--run-dir", copied_run, "--path", "geodesic", "--rows", 3]

    def morph(name):
        stderr = run(cli, *words, "--out", tmp_path / name).stderr
        with np.load(tmp_path / name) as file:
            return stderr, file["frames"], file["codes"], file["indices"]

    stderr, frames, codes, indices = morph("a.npz")
    assert "building the graph" in stderr
    linear = linear_path(codes[:, 0], codes[:, -1], 10)
    assert np.abs(codes - linear).max() > 0.1 * np.abs(linear).max()
    _, (x, _) = loaded
    model = autoencoder.load_autoencoder(copied_run / "model.keras")
    ends = autoencoder.decode(model, autoencoder.encode(model, x[indices.ravel()])).reshape(
        3, 2, 28, 28
    )
    assert np.abs(frames[:, [0, -1]] - ends).max() < 1e-5

    stderr, again, _, _ = morph("b.npz")
    assert stderr == ""
    assert (again == frames).all()

    (copied_run / "index.npz").write_bytes((copied_run / "index.npz").read_bytes()[:-100])
    stderr, again, _, _ = morph("c.npz")
    assert "index.npz" in stderr
    assert (again == frames).all()

    model.set_weights([weights * 1.01 for weights in model.get_weights()])
    model.save(copied_run / "model.keras")  # another model: the index does not belong to it
    stderr, again, _, _ = morph("d.npz")
    assert "building the graph" in stderr
    assert (again != frames).any()


@pytest.mark.parametrize("ending", ["gif", "html"])
def test_moving_morphs(trained, run, tmp_path, ending):
    words = ["--from", "to", "--to", "be", "--steps", 4, "--scale", 2]
    result = run(cli, "morph", "--run-dir", trained[0], *words, "--out", tmp_path / f"m.{ending}")
    assert "--path geodesic" in result.stderr  # linear says that there is a better way
    content = (tmp_path / f"m.{ending}").read_bytes()
    assert content.startswith(b"GIF89a" if ending == "gif" else b"<!doctype html>")
    if ending == "html":
        assert "to → be, linear path" in content.decode()


def draw_pictures(folder, x):
    """Draws images (N, 28, 28) as photos, large and dark on light: their paths."""
    paths = []
    for i, image in enumerate(x):
        grey = Image.fromarray(np.uint8(230 - 200 * image)).resize((280, 280))
        paths.append(folder / f"{i}.png")
        Image.fromarray(np.pad(np.array(grey), 90, constant_values=230)).save(paths[-1])
    return paths


def test_own_pictures(copied_run, loaded, tmp_path, run):
    folder = copied_run
    _, (x, _) = loaded
    words = ["morph", "--run-dir", folder, "--path", "geodesic", "--steps", 4]
    for path in draw_pictures(tmp_path, x[:3]):
        words += ["--image", path]
    run(cli, *words, "--out", tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        assert file["frames"].shape == (2, 4, 28, 28)
        assert (file["labels"] == -1).all()
        assert (file["indices"] == -1).all()
        assert np.abs(file["frames"][0, -1] - file["frames"][1, 0]).max() < 1e-5
        own = autoencoder.encode(autoencoder.load_autoencoder(folder / "model.keras"), x[:3])
        distances = np.linalg.norm(file["codes"][:, 0, None] - own, axis=-1)
        assert distances.argmin(1).tolist() == [0, 1]  # each is itself, drawn large or not
    with Image.open(folder / "morph-read.png") as sheet:
        assert sheet.width > 1.5 * sheet.height  # three pictures, each over what was read from it
    (tmp_path / "1.png").write_text("no picture")
    assert str(tmp_path / "1.png") in run(cli, *words, code=1).stderr


def test_pictures_as_a_shell_expands_them(copied_run, loaded, tmp_path, run):
    first, second, third = draw_pictures(tmp_path, loaded[1][0][:3])
    words = ["morph", "--run-dir", copied_run, "--steps", 3, "--out", tmp_path / "m.npz"]
    run(cli, *words, "--image", first, second, third)
    with np.load(tmp_path / "m.npz") as file:
        assert file["frames"].shape == (2, 3, 28, 28)
    result = run(cli, *words, "--rows", 2, first, second, code=2)
    assert "only one of --rows" in result.stderr


def test_out_never_replaces_an_input(copied_run, loaded, tmp_path, run):
    first, second = draw_pictures(tmp_path, loaded[1][0][:2])
    link = tmp_path / "link.png"
    link.symlink_to(first)
    images = ["--image", first, "--image", second]
    data = tmp_path / "emnist-digits.npz"
    data.write_text("data")
    linked = tmp_path / "m.npz"
    linked.symlink_to(data)
    for out in (first, link, copied_run / "index.npz", copied_run / "explore.html", data, linked):
        before = out.read_bytes() if out.exists() else None
        words = ["morph", "--run-dir", copied_run, *images, "--out", out]
        assert "would replace" in run(cli, *words, code=1).stderr
        assert (out.read_bytes() if out.exists() else None) == before
    words = ["explore", "--run-dir", copied_run, "--out", copied_run / "test.json"]
    assert "ends in .html" in run(cli, *words, code=2).stderr


def test_an_explicit_out_follows_a_link_and_the_default_replaces_it(copied_run, tmp_path, run):
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    target.write_text("old")
    link.symlink_to(target)
    run(cli, "morph", "--run-dir", copied_run, "--rows", 1, "--out", link)
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"\x89PNG")
    target.write_text("precious")
    (copied_run / "morph.png").symlink_to(target)
    run(cli, "morph", "--run-dir", copied_run, "--rows", 1)
    assert target.read_text() == "precious"


def test_shell_scripts_have_unix_line_ends_everywhere(tmp_path):
    shutil.copy(PROJECT / ".gitattributes", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = ["git", "check-attr", "eol", "convert_idx.sh", ".ci/run"]
    printed = subprocess.check_output(command, cwd=tmp_path, text=True)
    assert printed == "convert_idx.sh: eol: lf\n.ci/run: eol: lf\n"


def test_letters_are_trained_too(tmp_path, run):
    write_files(tmp_path, random_set(52, 1, 26), random_set(26, 1, 26), split="letters")
    words = ["--split", "letters", "--data-root", tmp_path, "--run-dir", tmp_path / "run"]
    run(cli, *RUN, *words, "--epochs", 1)
    run(cli, "test", "--run-dir", tmp_path / "run")
    report = json.loads((tmp_path / "run/test.json").read_text())
    assert "".join(report["classes"]) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
