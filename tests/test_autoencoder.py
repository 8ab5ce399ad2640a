"""autoencoder.py: the network, and its commands on a small split of handwriting."""

import csv
import errno
import json
import os
import shutil
import signal

import numpy as np
import pytest
from conftest import held, random_set, script, write_files
from PIL import Image

import autoencoder
import dataset
from autoencoder import cli, linear_path
from support.emnist.demo import draw_demo_set
from support.lazy_keras import keras
from support.metrics import cross_entropy

BATCH = ("--batch-size", "32")


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


def test_the_order_of_images_depends_on_seed_and_epoch_alone():
    x = np.arange(10)
    first = [batch.tolist() for batch in autoencoder.batches(x, 3, seed=1, epoch=0)]
    again = [batch.tolist() for batch in autoencoder.batches(x, 3, seed=1, epoch=0)]
    later = [batch.tolist() for batch in autoencoder.batches(x, 3, seed=1, epoch=1)]
    assert first == again != later
    assert np.shape(first) == np.shape(later) == (3, 3, 1)
    assert len(np.unique(first)) == 9


def test_the_loss_is_exact_where_the_network_is_certain_and_wrong():
    model = autoencoder.build_autoencoder()
    autoencoder.compile_for_training(model, 0.005, total_steps=10)
    ink = model.get_layer("decoder").get_layer("ink")
    ink.set_weights([np.zeros_like(ink.get_weights()[0]), np.array([100.0])])
    paper = np.zeros((2, 28, 28, 1))
    assert model.evaluate(paper, paper, verbose=0) == pytest.approx(100)


@pytest.mark.parametrize(("train", "test", "expected"), [(20, 10, 10), (19, 10, 3), (2, 9, 1)])
def test_validation_leaves_at_least_half_for_training(train, test, expected):
    assert autoencoder.validation_count(train, test) == expected


# ---- train


def test_train_writes_the_run(trained, loaded, characters):
    folder, result = trained
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.keras", "last.keras", "history.csv", "curves.png"} <= names
    config = json.loads((folder / "config.json").read_text())
    rate = autoencoder.DEFAULTS["learning_rate"]
    expected = {
        "split": "balanced",
        "data_root": str(characters),
        "counts": {"train": 1175, "validation": 235, "test": 235},
        "fingerprint": dataset.open_data("balanced", characters).fingerprint,
        "code_size": 32,
        "epochs": 3,
        "batch_size": 32,
        "learning_rate": rate,
        "seed": 0,
    }
    assert set(config.pop("versions")) == {"python", "keras", "numpy", keras.backend.backend()}
    assert config == expected

    (x, _), _ = loaded
    rows = history(folder)
    assert [row[0] for row in rows] == [1, 2, 3]
    mean = np.broadcast_to(x[:-235].mean(0), x[-235:].shape)
    assert min(row[2] for row in rows) < cross_entropy(x[-235:], mean).mean()
    assert rows[0][3] == pytest.approx(rate)
    assert rows[2][3] < rows[1][3] < rows[0][3]
    assert len(result.stderr.splitlines()) == 4  # of the conversion, and one an epoch: no chatter
    assert "above the floor" in result.stdout


def test_the_model_loads_with_plain_keras(trained, loaded):
    folder, _ = trained
    model = keras.saving.load_model(folder / "model.keras")
    _, (x, _) = loaded
    codes = model.get_layer("encoder").predict(x[..., None], verbose=0)
    assert codes.shape == (len(x), 32)
    images = model.get_layer("decoder").predict(codes, verbose=0)
    assert np.allclose(images, model.predict(x[..., None], verbose=0), atol=1e-5)
    assert not model.compiled
    sizes = [(folder / name).stat().st_size for name in ("model.keras", "last.keras")]
    assert sizes[0] < sizes[1] / 1.5  # the best goes without the optimizer's state


def test_the_same_command_twice_does_nothing(trained, characters, run):
    folder, _ = trained
    before = contents(folder)
    where = ["train", "--run-dir", folder]
    for words in (where, [*where, "--data-root", characters, "--epochs", 3, *BATCH]):
        result = run(cli, *words)
        assert "already complete (split balanced, epochs 3, batch_size 32" in result.stdout
        assert "another --run-dir" in result.stdout
        assert result.stderr == ""
    assert contents(folder) == before


def test_other_options_are_refused(trained, run):
    folder, _ = trained
    before = contents(folder)
    words = ["--run-dir", folder, "--epochs", 4, "--seed", 5, "--split", "letters"]
    (line,) = run(cli, "train", *words, code=1).stderr.splitlines()
    for word in ("epochs 3, not 4", "seed 0, not 5", "split balanced, not letters"):
        assert word in line
    assert "a longer training is a new run" in line
    assert f"python autoencoder.py test --run-dir {folder}" in line
    assert contents(folder) == before


def test_codes_of_another_size_are_refused(trained, run, monkeypatch):
    monkeypatch.setattr(autoencoder, "CODE_SIZE", 16)
    result = run(cli, "train", "--run-dir", trained[0], code=1)
    assert "have 32 numbers, CODE_SIZE is 16: give another --run-dir" in result.stderr


def test_overwrite_keeps_the_runs_data_and_a_loss_that_is_not_finite_ends_it(copied_run, run):
    (copied_run / "mine.txt").write_text("kept")
    (copied_run / "test.json").write_text("{}")
    words = ["--run-dir", copied_run, "--learning-rate", 1e30, "--seed", 1, "--overwrite"]
    result = run(cli, "train", *words, code=1)
    assert "a lower --learning-rate" in result.stderr.splitlines()[-1]
    assert {path.name for path in copied_run.iterdir()} == {"config.json", "mine.txt"}
    config = json.loads((copied_run / "config.json").read_text())
    assert (config["split"], config["epochs"]) == ("balanced", autoencoder.DEFAULTS["epochs"])


def test_overwrite_removes_nothing_if_the_data_are_bad_or_gone(copied_run, made, tmp_path, run):
    before = contents(copied_run)
    words = ["train", "--run-dir", copied_run, "--overwrite", "--data-root"]
    (made[0] / "emnist-balanced-test-labels-idx1-ubyte").write_bytes(b"bad")
    assert "labels-idx1-ubyte: " in run(cli, *words, made[0], code=1).stderr
    assert "Missing in" in run(cli, *words, tmp_path / "gone", code=1).stderr
    assert contents(copied_run) == before


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_of_somebodys_is_refused(characters, tmp_path, run, options):
    folder = tmp_path / "somebodys"
    folder.mkdir()
    (folder / "model.keras").write_text("mine")
    words = ["--data-root", characters, "--run-dir", folder, *options]
    assert "not a run of this program" in run(cli, "train", *words, code=1).stderr
    assert contents(folder) == {"model.keras": b"mine"}


def test_few_images(tmp_path, run):
    (x, y), _ = draw_demo_set(1, 1)
    words = ["--data-root", tmp_path, "--run-dir", tmp_path / "run"]
    write_files(tmp_path, (x[:2], y[:2]), (x[:1], y[:1]))
    assert "too few images" in run(cli, "train", *words, code=1).stderr


def test_a_run_is_locked_while_it_is_trained(made, tmp_path, run):
    folder = tmp_path / "run"
    folder.mkdir()
    words = ["train", "--data-root", made[0], "--run-dir", folder]
    with held(folder):
        assert f"{folder} is locked by another process" in run(cli, *words, code=1).stderr
    assert not list(folder.iterdir())


def test_letters_are_trained_too(tmp_path, run):
    write_files(tmp_path, random_set(52, 1, 26), random_set(26, 1, 26), split="letters")
    words = ["--split", "letters", "--data-root", tmp_path, "--run-dir", tmp_path / "run"]
    run(cli, "train", *words, *BATCH, "--epochs", 1)
    run(cli, "test", "--run-dir", tmp_path / "run")
    report = json.loads((tmp_path / "run/test.json").read_text())
    assert "".join(report["classes"]) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


# ---- an interrupted training goes on


@pytest.fixture(scope="module")
def interrupted(characters, tmp_path_factory):
    """The folder of a run like `trained`, interrupted after its first epoch; and its stderr."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    words = ["train", "--run-dir", folder, "--data-root", characters, "--epochs", 3, *BATCH]
    with script("autoencoder.py", *words) as process:
        for line in process.stderr:
            if line.startswith("epoch 1/3"):
                process.send_signal(signal.SIGINT)
                break
        stderr = process.stderr.read()
    assert process.returncode == 130
    return folder, stderr


def test_killed_before_the_first_last_keras(copied_run, run):
    config = json.loads((copied_run / "config.json").read_text()) | {"epochs": 1}
    (copied_run / "config.json").write_text(json.dumps(config))
    rows = (copied_run / "history.csv").read_text().splitlines()[:2]
    (copied_run / "history.csv").write_text("\n".join(rows))
    for name in ("last.keras", "curves.png"):
        (copied_run / name).unlink()
    run(cli, "train", "--run-dir", copied_run)
    assert [row[0] for row in history(copied_run)] == [1]


def test_interrupted_and_resumed_equals_uninterrupted(trained, interrupted, tmp_path, run):
    folder, stderr = interrupted
    assert f"1 of 3 epochs kept; go on with: python {autoencoder.__file__} train" in stderr
    assert "Traceback" not in stderr
    assert len(history(folder)) == 1
    assert not list(folder.glob(".*"))
    copy = shutil.copytree(folder, tmp_path / "run")
    with open(copy / "history.csv", "a") as file:
        file.write("2,1,1,1,1\n")  # as if killed after this row, before last.keras
    run(cli, "train", "--run-dir", copy)
    assert same(history(copy), history(trained[0]))
    assert (copy / "curves.png").exists()


def test_more_epochs_written_into_config_json_are_a_new_run(copied_run, run):
    change_config(copied_run, epochs=5)
    before = contents(copied_run)
    result = run(cli, "train", "--run-dir", copied_run, code=1)
    assert "was begun with --epochs 3, not 5: a longer training is a new run" in result.stderr
    assert contents(copied_run) == before


DAMAGE = {
    "last.keras": (b"\x80\x00", "last.keras: damaged"),
    "history.csv": ("\ufeffepoch;loss\n1;0,2\n".encode(), "history.csv is damaged"),
    "no last.keras": (None, "last.keras is missing"),
    "no history.csv": (None, "history.csv lacks epochs"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_cannot_go_on_says_so_and_its_model_is_still_good(copied_run, run, name):
    content, message = DAMAGE[name]
    path = copied_run / name.split()[-1]
    path.write_bytes(content) if content else path.unlink()
    (copied_run / "curves.png").unlink()
    before = contents(copied_run)
    (line,) = run(cli, "train", "--run-dir", copied_run, code=1).stderr.splitlines()
    assert message in line
    assert "--overwrite" not in line
    assert contents(copied_run) == before


def test_ctrl_c_in_the_first_epoch(characters, tmp_path, run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(autoencoder, "batches", interrupt)
    words = ["train", "--data-root", characters, "--run-dir", tmp_path / "run"]
    result = run(cli, *words, code=130)
    assert "nothing is kept yet; the same command begins again" in result.stderr


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


def test_other_data_are_refused(copied_run, tmp_path, run):
    write_files(tmp_path / "other", *draw_demo_set(30, 5, seed=1))
    before = contents(copied_run)
    for name in ("train", "test", "morph", "explore"):
        words = ["--run-dir", copied_run, "--data-root", tmp_path / "other"]
        assert "other images" in run(cli, name, *words, code=1).stderr
    assert contents(copied_run) == before


def test_a_run_on_demo_is_told_so_first_and_last(tmp_path, run, monkeypatch):
    write_files(tmp_path / "data", *draw_demo_set(4, 1), split="demo")  # else it would be drawn
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_ROOT", raising=False)
    lines = run(cli, "train", "--epochs", 1).stderr.splitlines()
    assert lines[0].startswith("EMNIST cannot be downloaded")
    last = "python autoencoder.py train --split balanced --run-dir runs/emnist"
    assert last in lines[-1]
    assert json.loads((tmp_path / "runs/default/config.json").read_text())["split"] == "demo"
    again = run(cli, "train")
    assert "already complete (split demo" in again.stdout
    (line,) = again.stderr.splitlines()  # and the network is not asked again
    assert last in line


def test_without_a_run_the_command_that_makes_one_is_named(run, tmp_path):
    for name in ("test", "morph", "explore"):
        result = run(cli, name, "--run-dir", tmp_path / "none", code=1)
        assert "make one with: python autoencoder.py train" in result.stderr
    assert not (tmp_path / "none").exists()


# ---- wrong usage


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--epochs", "0"], "0 is not in the range x>=1"),
        (["train", "--learning-rate", "nan"], "expected a finite number above 0"),
        (["train", "--seed", "5000000000"], "not in the range"),
        (["train", "--run-dir", ""], "expected a name, found nothing"),
        (["morph", "--steps", "1"], "1 is not in the range 2<=x<=1000"),
        (["morph", "--rows", "1001"], "1001 is not in the range"),
        (["morph", "--out", "morph.bmp"], "ends in .png or .gif or .html or .npz"),
        (["morph", "--out", ".gif"], "ends in .png or .gif or .html or .npz"),
        (["morph", "--rows", "1000", "--steps", "1000"], "more than 30,000 frames"),
        (["morph", "--from", "a"], "must be given together"),
        (["morph", "--seed", "1", "a.png", "b.png"], "--seed chooses test images"),
    ],
)
def test_wrong_usage(run, words, message):
    assert message in run(cli, *words, code=2).stderr


def test_a_tilde_is_the_home_folder(trained, tmp_path, run):
    words = ["morph", "--run-dir", trained[0], "--rows", 1, "--out=~/m.png"]
    run(cli, *words, env={"HOME": str(tmp_path)})
    assert (tmp_path / "m.png").exists()


# ---- test


def test_test(copied_run, loaded, run):
    folder = copied_run
    result = run(cli, "test", "--run-dir", folder)
    report = json.loads((folder / "test.json").read_text())
    _, (x, _) = loaded
    p = keras.saving.load_model(folder / "model.keras").predict(x[..., None], verbose=0)[..., 0]
    bce = cross_entropy(x, p.clip(1e-7, 1 - 1e-7))
    assert report["images"] == len(x)
    assert report["bce"] == pytest.approx(bce.mean(), rel=1e-5)
    assert report["excess"] == pytest.approx(bce.mean() - report["bce_floor"], rel=1e-4)
    assert 0 < report["pca"]["excess"] < 0.2
    assert len(report["classes"]) == 47
    config = json.loads((folder / "config.json").read_text())
    assert report["data"] == config["fingerprint"]
    assert len(report["model"]) == 32
    assert f"{report['excess']:.4f}" in result.stdout
    for name in ("reconstructions.png", "codes.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 200


def test_a_run_folder_that_cannot_be_written_to(copied_run, run, monkeypatch):
    replace = os.replace

    def read_only(source, target):  # root may write to any folder
        if str(copied_run) in str(target):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", read_only)
    result = run(cli, "test", "--run-dir", copied_run)
    assert "excess of each class" in result.stdout
    assert "test.json is not saved: Read-only file system" in result.stderr


def test_a_model_from_elsewhere(copied_run, run):
    other = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    other.save(copied_run / "model.keras")
    (line,) = run(cli, "morph", "--run-dir", copied_run, code=1).stderr.splitlines()
    assert "model.keras: damaged (No such layer: encoder" in line
    (copied_run / "model.keras").write_bytes(b"no model")
    result = run(cli, "test", "--run-dir", copied_run, code=1)
    assert "model.keras: damaged (File is not a zip file)" in result.stderr
    (copied_run / "model.keras").unlink()
    for name in ("test", "train"):
        result = run(cli, name, "--run-dir", copied_run, code=1)
        assert "model.keras is " in result.stderr
        assert "--overwrite" not in result.stderr


# ---- morph


def test_linear_path():
    a, b = np.zeros((2, 32)), np.ones((2, 32))
    path = linear_path(a, b, 5)
    assert path.shape == (2, 5, 32)
    assert np.allclose(path[1, :, 7], [0, 0.25, 0.5, 0.75, 1])


def ends_as_by_keras(folder, x, indices):
    """Keras's own reconstructions of test images: (rows, 2) -> (rows, 2, 28, 28)."""
    model = keras.saving.load_model(folder / "model.keras")
    p = model.predict(x[indices.ravel()][..., None], verbose=0)
    return p.reshape(*indices.shape, 28, 28)


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
    expected = ends_as_by_keras(folder, x, indices[shown])
    assert np.abs(frames[shown][:, [0, -1]] - expected).max() < 1e-5
    steps = np.diff(codes[shown], axis=1)
    assert np.allclose(steps, steps[:, :1], atol=1e-4)  # even steps on a straight line


def test_the_linear_morph_reads_the_test_images_alone(characters, copied_run, tmp_path, run):
    root = tmp_path / "data"
    root.mkdir()
    with np.load(characters / "emnist-balanced.npz") as file:
        kept = {name: file[name] for name in ("x_test", "y_test", "note")}
    np.savez(root / "emnist-balanced.npz", **kept)
    words = ["morph", "--run-dir", copied_run, "--data-root", root, "--rows", 1]
    run(cli, *words)
    assert "_train" in run(cli, *words, "--path", "geodesic", code=1).stderr


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
    expected = ends_as_by_keras(copied_run, loaded[1][0], indices)
    assert np.abs(frames[:, [0, -1]] - expected).max() < 1e-5

    stderr, again, _, _ = morph("b.npz")
    assert stderr == ""
    assert (again == frames).all()

    model = keras.saving.load_model(copied_run / "model.keras")
    model.set_weights([weights * 1.01 for weights in model.get_weights()])
    model.save(copied_run / "model.keras")  # another model: the index does not belong to it
    stderr, again, _, _ = morph("c.npz")
    assert "building the graph" in stderr
    assert (again != frames).any()


@pytest.mark.parametrize(("ending", "count"), [("png", 10), ("gif", 30), ("html", 30)])
def test_morphs_to_look_at(trained, run, tmp_path, ending, count):
    out = tmp_path / f"m.{ending}"
    result = run(cli, "morph", "--run-dir", trained[0], "--from", "to", "--to", "be", "--out", out)
    assert "--path geodesic" in result.stderr  # linear says that there is a better way
    if ending == "html":
        content = out.read_text("utf-8")
        assert "to → be, linear path" in content
        assert f'max="{count - 1}"' in content
        return
    with Image.open(out) as picture:
        if ending == "gif":
            assert picture.n_frames == 2 * count - 2  # and back
        else:
            assert picture.width > count * 2 * 28


def draw_pictures(folder, x):
    """Draws images (N, 28, 28) as photos, large and dark on light: their paths."""
    paths = []
    for i, image in enumerate(x):
        grey = Image.fromarray(np.uint8(230 - 200 * image)).resize((280, 280))
        paths.append(folder / f"{i}.png")
        Image.fromarray(np.pad(np.array(grey), 90, constant_values=230)).save(paths[-1])
    return paths


def test_own_pictures(copied_run, loaded, tmp_path, run):
    _, (x, _) = loaded
    words = ["morph", "--run-dir", copied_run, "--path", "geodesic", "--steps", 4]
    words += draw_pictures(tmp_path, x[:3])
    run(cli, *words, "--out", tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        assert file["frames"].shape == (2, 4, 28, 28)
        assert (file["labels"] == -1).all()
        assert (file["indices"] == -1).all()
        assert np.abs(file["frames"][0, -1] - file["frames"][1, 0]).max() < 1e-5
        own = autoencoder.TrainedRun(copied_run).encode(x[:3])
        distances = np.linalg.norm(file["codes"][:, 0, None] - own, axis=-1)
        assert distances.argmin(1).tolist() == [0, 1]  # each is itself, drawn large or not
    with Image.open(copied_run / "morph-read.png") as sheet:
        assert sheet.width > 1.5 * sheet.height  # three pictures, each over what was read from it
    (tmp_path / "1.png").write_text("no picture")
    assert str(tmp_path / "1.png") in run(cli, *words, code=1).stderr


def test_out_never_replaces_what_is_read(copied_run, loaded, characters, tmp_path, run):
    first, second = draw_pictures(tmp_path, loaded[1][0][:2])
    run(cli, "morph", "--run-dir", copied_run, "--path", "geodesic", "--rows", 1)
    link = tmp_path / "link.png"
    link.symlink_to(first)
    npz = characters / "emnist-balanced.npz"
    for out in (first, link, copied_run / "index.npz", npz):
        before = out.read_bytes()
        words = ["morph", "--run-dir", copied_run, first, second, "--out", out]
        assert "would replace" in run(cli, *words, code=1).stderr
        assert out.read_bytes() == before
    run(cli, "morph", "--run-dir", copied_run, "--out", tmp_path / "emnist-morph.npz")
