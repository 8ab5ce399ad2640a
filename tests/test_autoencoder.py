"""autoencoder.py: the network, and train, test and morph on a small split of handwriting."""

import csv
import json
import math
import os
import shutil
import signal

import numpy as np
import pytest
from conftest import random_set, script, write_files

import autoencoder
import dataset
from autoencoder import cli, linear_path
from support.console import import_keras
from support.demo import draw_demo_set
from support.ends import random_pairs
from support.figures import cross_entropy
from support.files import is_stale, take_note
from support.geodesic import KEPT

RUN = ("train", "--data", "emnist", "--batch-size", "32")


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [[float(n) for n in row] for row in list(csv.reader(file))[1:]]


def same(a, b):
    """The same histories to 1e-4 relative, seconds apart."""
    return np.allclose([row[:4] for row in a], [row[:4] for row in b], rtol=1e-4, atol=0)


# ---- the network


def test_encoder_and_decoder():
    keras = import_keras()
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
    config = {"seed": 0, "learning_rate": 0.005, "epochs": 1}
    model = autoencoder.new_model(config, steps=1)
    ink = model.get_layer("decoder").get_layer("ink")
    ink.set_weights([np.zeros_like(ink.get_weights()[0]), np.array([100.0])])
    paper = np.zeros((2, 28, 28, 1))
    assert model.evaluate(paper, paper, verbose=0) == pytest.approx(100)


def test_longer_runs_decay_their_weights_more():
    config = {"seed": 0, "learning_rate": 0.005}
    few, default, many = (
        autoencoder.new_model(config | {"epochs": epochs}, steps=10).optimizer.weight_decay
        for epochs in (5, autoencoder.EPOCHS, 2 * autoencoder.EPOCHS)
    )
    assert 0 < few == default < many


# ---- train


def test_train_writes_the_run(trained, loaded, characters):
    folder, result = trained
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.keras", "last.keras", "history.csv", "curves.png"} <= names
    config = json.loads((folder / "config.json").read_text())
    assert config["data"] == "emnist"
    assert config["split"] == "balanced"
    assert config["data_root"] == str(characters)
    assert config["counts"] == {"train": 1175, "validation": 235, "test": 235}
    assert {"python", "keras", "numpy"} < set(config["versions"])
    options = {"epochs": 3, "batch_size": 32, "learning_rate": 0.005, "seed": 0}
    assert {key: config[key] for key in options} == options

    (x, _), _ = loaded
    rows = history(folder)
    assert [row[0] for row in rows] == [1, 2, 3]
    mean = np.broadcast_to(x[:-235].mean(0), x[-235:].shape)
    assert min(row[2] for row in rows) < cross_entropy(x[-235:], mean).mean()
    assert rows[0][3] == pytest.approx(0.005)
    assert rows[2][3] < rows[1][3] < rows[0][3]
    assert len(result.stderr.splitlines()) == 4  # one of the cache, one an epoch: no chatter
    assert result.stderr.count("epoch") == 3
    assert "above the floor" in result.stdout


def test_model_loads_with_plain_keras(trained, loaded):
    keras = import_keras()
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
    assert sizes[0] < sizes[1] / 2  # the best goes without the optimizer's state


def test_train_twice_goes_on_or_refuses(trained, characters, run):
    folder, _ = trained
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    same_options = [*RUN, "--data-root", characters, "--run-dir", folder, "--epochs", 3]
    for words in (same_options, ["train", "--run-dir", folder, "--resume"]):
        result = run(cli, *words)
        assert result.stdout == f"{folder}: already complete, 3 epochs\n"
    result = run(cli, *same_options[:-2], "--epochs", 4, "--seed", 5, code=1)
    for word in ("epochs 3, not 4", "seed 0, not 5", "--resume", "--overwrite", "test"):
        assert word in result.stderr
    assert len(result.stderr.splitlines()) == 1
    for words in (["--resume", "--epochs", "9"], ["--resume", "--overwrite"]):
        run(cli, "train", "--run-dir", folder, *words, code=2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_overwrite_begins_anew_and_a_loss_that_is_no_number_ends_it(trained, made, tmp_path, run):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    (folder / "mine.txt").write_text("kept")
    (folder / "test.json").write_text("{}")
    words = [*RUN, "--data-root", made[0], "--run-dir", folder, "--learning-rate", 1e30]
    result = run(cli, *words, "--seed", 1, "--overwrite", code=1)
    assert "lower --learning-rate" in result.stderr.splitlines()[-1]
    assert {path.name for path in folder.iterdir()} == {"config.json", "mine.txt"}
    assert (folder / "mine.txt").read_text() == "kept"
    assert json.loads((folder / "config.json").read_text())["seed"] == 1


def unfinished(trained, tmp_path):
    """A copy of the trained run, as if it were to have a fourth epoch."""
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"epochs": 4}))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("per_class", [20, 30])
def test_resume_refuses_other_images(trained, tmp_path, run, per_class):
    folder = unfinished(trained, tmp_path)
    write_files(tmp_path / "other", *draw_demo_set(per_class, 5, seed=1))
    before = contents(folder)
    words = ["train", "--run-dir", folder, "--resume", "--data-root", tmp_path / "other"]
    result = run(cli, *words, code=1)
    assert "trained on other images" in result.stderr.splitlines()[-1]
    assert contents(folder) == before


@pytest.mark.parametrize(
    "words", [["--seed", 5_000_000_000], ["--learning-rate", "nan"], ["--learning-rate", "inf"]]
)
def test_overwrite_removes_nothing_for_an_option_that_is_wrong(trained, run, words):
    before = contents(trained[0])
    run(cli, *RUN, "--run-dir", trained[0], "--overwrite", *words, code=2)
    assert contents(trained[0]) == before


def test_overwrite_removes_nothing_for_data_that_are_bad(trained, made, run):
    before = contents(trained[0])
    bad = made[0] / "emnist-balanced-test-labels-idx1-ubyte"
    bad.write_bytes(b"bad")
    words = [*RUN, "--data-root", made[0], "--run-dir", trained[0], "--overwrite"]
    assert bad.name in run(cli, *words, code=1).stderr
    assert contents(trained[0]) == before


def test_a_model_without_its_optimizer_is_no_training(trained, tmp_path, run):
    folder = unfinished(trained, tmp_path)
    shutil.copy(folder / "model.keras", folder / "last.keras")
    result = run(cli, "train", "--run-dir", folder, "--resume", code=1)
    assert "last.keras: from another version of this program" in result.stderr


@pytest.mark.parametrize(
    ("train", "test", "validation"), [(94, 47, 47), (94, 46, 46), (94, 48, 15), (5, 9, 1)]
)
def test_validation_is_the_end_of_the_training_set(tmp_path, train, test, validation):
    x, x_test = random_set(train, seed=1), random_set(test, seed=2)
    write_files(tmp_path, x, x_test)
    config = {"data": "emnist", "split": "balanced", "data_root": tmp_path}
    *parts, y_test, names = autoencoder.load_data(config)
    wanted = x[0][:-validation], x[0][-validation:], x_test[0]
    for part, images in zip(parts, wanted, strict=True):
        assert np.array_equal(part, images / np.float32(255))
    assert np.array_equal(y_test, x_test[1])
    assert names[10] == "A"


def test_one_training_image(tmp_path, run):
    x, y = draw_demo_set(1, 1)[0]
    write_files(tmp_path, (x[:1], y[:1]), (x, y))
    words = ["train", "--data", "emnist", "--data-root", tmp_path, "--run-dir", tmp_path / "run"]
    assert "at least 2 are needed" in run(cli, *words, code=1).stderr


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

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"data_root": "/nowhere"}))
    assert "nowhere" in run(cli, "train", "--run-dir", folder, "--resume", code=1).stderr
    run(cli, "train", "--run-dir", folder, "--resume", "--data-root", characters)  # they moved
    assert same(history(folder), history(whole))
    assert (folder / "curves.png").exists()


def test_the_best_is_never_forgotten(trained, tmp_path, run):
    folder = unfinished(trained, tmp_path)
    rows = (folder / "history.csv").read_text().splitlines()
    rows[2] = "2,0.1,0.001,0.002,1.0"  # as if epoch 2 had been the best by far
    (folder / "history.csv").write_text("\n".join([*rows, "4,1,1,1,1\n"]))
    (folder / "curves.png").unlink()  # killed after epoch 4's row, before its last.keras
    best = (folder / "model.keras").read_bytes()
    run(cli, "train", "--run-dir", folder, "--resume")
    assert [row[0] for row in history(folder)] == [1, 2, 3, 4]
    assert history(folder)[3][1] != 1  # done again
    assert (folder / "model.keras").read_bytes() == best


def test_killed_before_the_picture_of_the_losses(trained, tmp_path, run):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    (folder / "curves.png").unlink()
    run(cli, "train", "--run-dir", folder, "--resume")
    assert (folder / "curves.png").exists()
    assert history(folder) == history(trained[0])


@pytest.mark.parametrize("name", ["config.json", "history.csv", "last.keras"])
@pytest.mark.parametrize("content", [b"", b"[1]", b"\x80\x00,,\n1,2"])
def test_a_damaged_run_is_named(trained, tmp_path, run, name, content):
    folder = unfinished(trained, tmp_path)
    (folder / name).write_bytes(content)
    result = run(cli, "train", "--run-dir", folder, "--resume", code=1)
    assert name in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_wrong_usage(run, tmp_path):
    for words in (
        ["train", "--data", "demo", "--split", "letters"],
        ["train", "--epochs", "0"],
        ["train", "--learning-rate", "0"],
        ["morph", "--steps", "1"],
        ["morph", "--steps", "1001"],
        ["morph", "--rows", "0"],
        ["morph", "--rows", "1001"],
        ["morph", "--scale", "51"],
        ["morph", "--from", "a"],
        ["morph", "--to", "a"],
        ["morph", "--from", "ab", "--to", "c"],
        ["morph", "--from", "a b", "--to", "abc"],
        ["morph", "--from", "", "--to", ""],
        ["morph", "--rows", "1", "--from", "a", "--to", "b"],
        ["morph", "--out", "morph.bmp"],
        ["morph", "--out", "m.gif", "--rows", "600"],
        ["morph", "--out", "m.html", "--rows", "100", "--steps", "1000"],
        ["morph", "--image", "a.png"],
        ["morph", "--image", "a.png", "--image", "b.png", "--rows", "2"],
        ["morph", "--image", "a.png", "--image", "b.png", "--from", "a", "--to", "b"],
    ):
        run(cli, *words, "--run-dir", tmp_path, code=2)
    for name in ("test", "morph"):
        result = run(cli, name, "--run-dir", tmp_path / "none", code=1)
        assert "make one with: python autoencoder.py train" in result.stderr
    result = run(cli, "train", "--resume", "--run-dir", tmp_path / "none", code=1)
    assert "no run in" in result.stderr
    assert not (tmp_path / "none").exists()
    words = ["--data", "auto", "--split", "letters", "--data-root", tmp_path]
    result = run(cli, "train", *words, "--run-dir", tmp_path / "none", code=1)
    assert "emnist-letters-train-images" in result.stderr
    assert not (tmp_path / "none").exists()


def test_auto_falls_back_to_demo_and_says_so(trained, tmp_path, run):
    write_files(tmp_path / "data/demo", *draw_demo_set(4, 1))  # small; else it would be drawn
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    config = json.loads((folder / "config.json").read_text())
    demo = {"data": "demo", "data_root": str(tmp_path / "data")}
    (folder / "config.json").write_text(json.dumps(config | demo))
    options = ["--data-root", tmp_path / "data", "--epochs", 3, "--batch-size", 32]
    result = run(cli, "train", "--run-dir", folder, *options)  # the same run, so data is demo
    assert "already complete" in result.stdout
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all("demo" in line for line in lines)
    run(cli, "morph", "--run-dir", folder, "--rows", 1)


# ---- test


def test_test(trained, loaded, run):
    keras = import_keras()
    folder, _ = trained
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
    assert f"{report['excess']:.4f}" in result.stdout
    for name in ("reconstructions.png", "codes.png"):
        assert (folder / name).stat().st_size > 10_000


def test_a_model_from_elsewhere(trained, tmp_path, run):
    keras = import_keras()
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    for model, message in (
        (keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()]), "encoder"),
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), "No such layer: encoder"),
        (keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)]), "model.keras"),
    ):
        model.save(folder / "model.keras")
        result = run(cli, "morph", "--run-dir", folder, code=1)
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    (folder / "model.keras").write_bytes(b"no model")
    assert "model.keras" in run(cli, "test", "--run-dir", folder, code=1).stderr
    (folder / "model.keras").unlink()
    assert "--resume" in run(cli, "test", "--run-dir", folder, code=1).stderr


def test_data_root_overrides_the_runs(trained, tmp_path, run):
    folder, _ = trained
    words = ["morph", "--run-dir", folder, "--out", tmp_path / "m.npz"]
    result = run(cli, *words, "--data-root", tmp_path / "gone", code=1)
    assert str(tmp_path / "gone") in result.stderr
    run(cli, *words, env={"DATA_ROOT": str(tmp_path / "gone")})  # the run knows better


def test_a_model_or_data_replaced_while_they_are_read_are_noticed(
    trained, made, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    dataset.load_emnist("balanced", made[0])
    files = [folder / "model.keras", made[0] / "emnist-balanced.npz"]
    real = autoencoder.load_data

    def load_and_replace(config):
        loaded = real(config)
        for path in files:
            os.utime(path, ns=(10**18, 10**18))
        return loaded

    monkeypatch.setattr(autoencoder, "load_data", load_and_replace)
    *_, note = autoencoder.open_run(folder, made[0])
    for path in files:
        assert is_stale(note, take_note(path))


# ---- morph


def test_linear_path():
    a, b = np.zeros((2, 32)), np.ones((2, 32))
    path = linear_path(a, b, 5)
    assert path.shape == (2, 5, 32)
    assert np.allclose(path[1, :, 7], [0, 0.25, 0.5, 0.75, 1])


def test_morph_arrays(trained, loaded, tmp_path, run):
    keras = import_keras()
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


def test_morph_picture(trained, run, tmp_path):
    from matplotlib.image import imread

    folder, _ = trained
    assert run(cli, "morph", "--run-dir", folder, "--rows", 2).stdout == f"{folder}/morph.png\n"
    two = imread(folder / "morph.png")
    run(cli, "morph", "--run-dir", folder, "--rows", 4, "--out", tmp_path / "m.PNG")
    four = imread(tmp_path / "m.PNG")
    assert four.shape[1] == two.shape[1]
    assert four.shape[0] > two.shape[0] + 60
    assert four.shape[1] > four.shape[0]
    result = run(cli, "morph", "--run-dir", folder, "--from", "a%", "--to", "bc", code=1)
    assert "no class for %" in result.stderr


def test_geodesic_keeps_its_index(trained, loaded, tmp_path, run):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    words = ["morph", "--run-dir", folder, "--path", "geodesic", "--rows", 3]

    def morph(name):
        stderr = run(cli, *words, "--out", tmp_path / name).stderr
        with np.load(tmp_path / name) as file:
            return stderr, file["frames"], file["codes"]

    stderr, frames, codes = morph("a.npz")
    assert "building the index" in stderr
    model = autoencoder.load_autoencoder(folder / "model.keras")
    with np.load(folder / "index.npz") as file:
        nodes, near, lengths = (file[name] for name in ("codes", "indices", "data"))
        first = slice(*file["indptr"][:2])
    assert len(nodes) == KEPT * 47 * 30  # of the validation images too
    drawn = autoencoder.decode(model, nodes[np.append(0, near[first])])
    hops = np.linalg.norm(drawn[1:] - drawn[0], axis=(1, 2))
    np.testing.assert_allclose(lengths[first], hops, atol=1e-4)  # between pictures
    linear = linear_path(codes[:, 0], codes[:, -1], 10)
    assert np.abs(codes - linear).max() > 0.1 * np.abs(linear).max()
    _, (x, y) = loaded
    ends = model.predict(x[random_pairs(y, 3, 0)].reshape(-1, 28, 28, 1), verbose=0)
    assert np.abs(frames[:, [0, -1]].reshape(-1, 28, 28, 1) - ends).max() < 1e-5

    stderr, again, _ = morph("b.npz")
    assert stderr == ""
    assert (again == frames).all()

    (folder / "index.npz").write_bytes((folder / "index.npz").read_bytes()[:-100])
    stderr, again, _ = morph("c.npz")
    assert "index.npz" in stderr
    assert "building the index" in stderr
    assert (again == frames).all()

    model.set_weights([w * 1.01 for w in model.get_weights()])
    model.save(folder / "model.keras")  # another model: the index does not belong to it
    stderr, again, _ = morph("d.npz")
    assert "another model" in stderr
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


def test_own_pictures(trained, loaded, tmp_path, run):
    from PIL import Image

    folder, _ = trained
    _, (x, _) = loaded
    images = []
    for i in range(3):
        images += ["--image", tmp_path / f"{i}.png"]
        grey = Image.fromarray(np.uint8(230 - 200 * x[i])).resize((280, 280))
        Image.fromarray(np.pad(np.array(grey), 90, constant_values=230)).save(images[-1])
    words = ["morph", "--run-dir", folder, *images, "--path", "geodesic", "--steps", 4]
    run(cli, *words, "--out", tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        assert file["frames"].shape == (2, 4, 28, 28)
        assert (file["labels"] == -1).all()
        assert (file["indices"] == -1).all()
        assert np.abs(file["frames"][0, -1] - file["frames"][1, 0]).max() < 1e-5
        own = autoencoder.encode(autoencoder.load_autoencoder(folder / "model.keras"), x[:3])
        distances = np.linalg.norm(file["codes"][:, 0, None] - own, axis=-1)
        assert distances.argmin(1).tolist() == [0, 1]  # each is itself, drawn large or not
    images[1].write_text("no picture")
    result = run(cli, *words, code=1)
    assert str(images[1]) in result.stderr
