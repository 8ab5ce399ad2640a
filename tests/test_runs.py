"""support/runs.py: the run folder: what is read from it, refused, and written."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import leftovers

from support import runs
from support.console import InputError, import_keras

CONFIG = {
    "data": "emnist",
    "split": "balanced",
    "data_root": "/data",
    "epochs": 3,
    "batch_size": 128,
    "learning_rate": 0.005,
    "seed": 0,
}
ROW = {"loss": 0.25, "val_loss": 0.5, "learning_rate": 0.005, "seconds": 1.5}
HISTORY = [{"epoch": epoch, **ROW} for epoch in (1, 2, 3)]


@pytest.fixture
def folder(tmp_path):
    """A folder with the configuration of a run."""
    runs.write_json(tmp_path / "config.json", CONFIG)
    return tmp_path


# ---- command lines


def test_a_command_can_be_pasted_into_a_shell():
    words = ["python", "autoencoder.py", "train"]
    assert shlex.split(runs.command("train", runs.DEFAULT_RUN)) == words
    run = Path("my runs/it's $HOME")
    line = runs.command("train", run, "--resume")
    assert shlex.split(line) == [*words, "--run-dir", str(run), "--resume"]
    assert runs.command("test", Path("runs/a")) == "python autoencoder.py test --run-dir runs/a"


# ---- the configuration


def test_begin_removes_a_runs_own_files_alone(folder):
    mine = {"mine.txt", "curves.png.bak", "model"}
    own = ["config.json", "model.keras", "last.keras", "history.csv", "curves.png", "test.json"]
    own += ["reconstructions.png", "codes.png", "morph.png", "index.npz", "explore.html"]
    for name in [*own, *mine]:
        (folder / name).write_text("old")
    runs.begin(folder, CONFIG | {"counts": {"train": 5}})
    assert {path.name for path in folder.iterdir()} == {"config.json"} | mine
    config = runs.read_config(folder)
    versions = config.pop("versions")
    assert config == CONFIG | {"counts": {"train": 5}}
    assert {"python", "keras", "tensorflow", "numpy"} <= set(versions)
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("batch_size", True),
        ("epochs", 0),
        ("epochs", "3"),
        ("epochs", None),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", -0.1),
        ("learning_rate", "0.005"),
        ("seed", -1),
        ("seed", 0.5),
        ("data", 7),
        ("data", "EMNIST"),
        ("data", ["emnist"]),
        ("split", None),
        ("data_root", ["/data"]),
    ],
)
def test_a_bad_option_of_a_run_is_named(folder, name, value):
    (folder / "config.json").write_text(json.dumps(CONFIG | {name: value}))
    said = re.escape(
        f"{folder}/config.json: not the configuration of a run ({{'{name}': {value!r}}})"
    )
    with pytest.raises(InputError, match=f"{said}; start again with --overwrite"):
        runs.read_config(folder)


def test_the_least_values_are_options_too(folder):
    least = CONFIG | {"epochs": 1, "batch_size": 1, "seed": 0}
    runs.write_json(folder / "config.json", least)
    assert runs.read_config(folder) == least


@pytest.mark.parametrize("name", CONFIG)
def test_a_missing_option_of_a_run_is_named(folder, name):
    (folder / "config.json").write_text(json.dumps({k: v for k, v in CONFIG.items() if k != name}))
    with pytest.raises(InputError, match=rf"config\.json: .*'{name}'.*--overwrite"):
        runs.read_config(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"null", b'"epochs"', b"\xff\xfe{}"])
def test_a_damaged_configuration_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"{folder / 'config.json'}: .*--overwrite"):
        runs.read_config(folder)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make one with: python autoencoder\.py train"):
        runs.read_config(tmp_path)
    runs.refuse_other(tmp_path, CONFIG)
    assert not runs.is_complete(tmp_path)
    assert runs.read_history(tmp_path) == []


def test_each_other_option_is_named(folder):
    runs.refuse_other(folder, CONFIG)
    runs.refuse_other(folder, CONFIG | {"counts": "not an option"})
    other = {"data": "demo", "split": "letters", "data_root": "/d", "epochs": 4, "batch_size": 64}
    other |= {"learning_rate": 0.01, "seed": 1}
    for names in ([name] for name in CONFIG):
        with pytest.raises(InputError) as error:
            runs.refuse_other(folder, CONFIG | {name: other[name] for name in names})
        differences = f"({names[0]} {CONFIG[names[0]]}, not {other[names[0]]})"
        assert differences in str(error.value)
    with pytest.raises(InputError) as error:
        runs.refuse_other(folder, CONFIG | other)
    for name in CONFIG:
        assert f"{name} {CONFIG[name]}, not {other[name]}" in str(error.value)
    for command in (runs.command("train", folder, "--resume"), runs.command("test", folder)):
        assert command in str(error.value)
    assert "--overwrite" in str(error.value)


def test_other_data_are_refused(folder):
    x = np.random.default_rng(0).random((5, 2, 2), np.float32)
    description = runs.describe(train=x, test=x[:2])
    assert description["counts"] == {"train": 5, "test": 2}
    assert runs.describe(train=np.asfortranarray(x), test=x[:2]) == description
    runs.write_json(folder / "config.json", CONFIG | description)
    runs.refuse_other_data(folder, description)
    with pytest.raises(InputError, match=r"'train': 5.* now .*'train': 4.*--data-root"):
        runs.refuse_other_data(folder, runs.describe(train=x[:4], test=x[:2]))
    with pytest.raises(InputError, match="other images"):  # as many in all, parted elsewhere
        runs.refuse_other_data(folder, runs.describe(train=x[:4], test=x[:3]))
    other = x.copy()
    other[4, 1, 1] += 1 / 255
    for images in ({"train": other, "test": x[:2]}, {"train": x, "test": other[3:]}):
        with pytest.raises(InputError, match="other images"):
            runs.refuse_other_data(folder, runs.describe(**images))
    runs.write_json(folder / "config.json", CONFIG)  # of an earlier version: nothing to compare
    runs.refuse_other_data(folder, description)


# ---- the history


def test_history(folder):
    runs.write_history(folder, HISTORY)
    rows = runs.read_history(folder)
    assert rows == HISTORY
    assert all(type(row["epoch"]) is int for row in rows)
    header, *lines = (folder / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,val_loss,learning_rate,seconds"
    assert lines[0] == "1,0.25,0.5,0.005,1.5"
    for finished in (0, 2, 3):
        assert runs.read_history(folder, finished) == HISTORY[:finished]
    with pytest.raises(InputError, match=r"history\.csv: .*3 of 4 epochs.*--overwrite"):
        runs.read_history(folder, 4)
    (folder / "history.csv").unlink()
    with pytest.raises(InputError, match="0 of 1 epochs"):
        runs.read_history(folder, 1)


@pytest.mark.parametrize(
    "content",
    [
        "epoch,loss,val_loss,learning_rate,seconds\n2,1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,x,1,1\n",
        "epoch,loss,learning_rate,seconds\n1,1,1,1\n",
        "1,1,1,1,1\n2,1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,1,1,1\n1,1,1,1,1\n",
    ],
)
def test_a_damaged_history_is_named(folder, content):
    (folder / "history.csv").write_text(content)
    with pytest.raises(InputError, match=rf"{folder / 'history.csv'}: .*--overwrite"):
        runs.read_history(folder)


WRITTEN = ("model.keras", "history.csv", "last.keras")  # after an epoch, in this order


@pytest.fixture(scope="module")
def model():
    keras = import_keras()
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Dense(2)(x))
    model.compile("nadam", "mse")
    return model


def end_epoch(folder, model, val_loss, history=()):
    """What happens after an epoch of training; the history."""
    history = list(history)
    keeper = runs.epoch_keeper(folder, {"epochs": 3}, model, history, progress_bar=False)
    keeper.set_model(model)
    keeper.on_epoch_begin(len(history))
    keeper.on_epoch_end(len(history), {"loss": 0.25, "val_loss": val_loss})
    return history


@pytest.mark.parametrize("number", range(3))
def test_a_full_stop_at_each_file_of_an_epoch(folder, model, number):
    (folder / WRITTEN[number]).mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=WRITTEN[number]):
        end_epoch(folder, model, 0.5)
    found = [name for name in WRITTEN if (folder / name).is_file()]
    assert found == [*WRITTEN[:number]]
    assert not leftovers(folder)


def test_an_epoch_is_kept_and_the_best_model(folder, model, capsys):
    history = []
    for val_loss, is_best in ((0.5, True), (0.5, False), (0.75, False), (0.25, True)):
        (folder / "model.keras").unlink(missing_ok=True)
        history = end_epoch(folder, model, val_loss, history)
        assert (folder / "model.keras").exists() == is_best
        assert runs.read_history(folder) == history
    rate = pytest.approx(float(model.optimizer.learning_rate))
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert all((row["loss"], row["learning_rate"]) == (0.25, rate) for row in history)
    assert all(row["seconds"] >= 0 for row in history)
    last = import_keras().saving.load_model(folder / "last.keras")
    assert last.optimizer is not None
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("epoch 4/3: ")
    assert said.endswith("loss 0.2500, validation 0.2500")


@pytest.mark.parametrize("val_loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_not_kept(folder, model, val_loss):
    with pytest.raises(InputError, match=r"epoch 1: .*lower --learning-rate"):
        end_epoch(folder, model, val_loss)
    assert {path.name for path in folder.iterdir()} == {"config.json"}


def test_a_run_is_complete_when_all_is_there(folder):
    for name in ("model.keras", "curves.png"):
        runs.write_history(folder, HISTORY)
        assert not runs.is_complete(folder)
        (folder / name).write_text("")
    assert runs.is_complete(folder)
    runs.write_history(folder, HISTORY[:2])
    assert not runs.is_complete(folder)


def test_json_keeps_every_character(folder):
    runs.write_json(folder / "é.json", {"é": [1, "→"]})
    text = (folder / "é.json").read_text("utf-8")
    assert "→" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"é": [1, "→"]}
    assert not leftovers(folder)
