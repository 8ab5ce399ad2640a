"""support/run.py: a run's configuration, its history and its files."""

import json
import os
import subprocess
import sys

import pytest
from conftest import PROJECT

from support import run as runs
from support.console import InputError
from support.lazy_keras import keras

CONFIG = {
    "data": "emnist",
    "split": "balanced",
    "data_root": "/data/é",
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.005,
    "seed": 0,
    "counts": {"train": 5},
    "fingerprint": "abc",
}
HISTORY = [
    dict(zip(runs.COLUMNS, (epoch, 0.25, 0.5, 0.005, 1.5), strict=True)) for epoch in (1, 2, 3)
]


@pytest.fixture
def folder(tmp_path):
    """A folder with a run that has no epoch yet."""
    runs.create_run(tmp_path, CONFIG)
    return tmp_path


# ---- the configuration


def test_a_configuration_is_read_back_with_the_versions(folder):
    config = runs.read_config(folder)
    assert {"python", "keras", "numpy", keras.backend.backend()} == set(config.pop("versions"))
    assert config == CONFIG


def test_a_new_run_removes_the_old_ones_files_and_nothing_else(folder):
    for name in ("model.keras", "test.json", "mine.txt"):
        (folder / name).write_text("old")
    runs.create_run(folder, CONFIG | {"seed": 1})
    assert {path.name for path in folder.iterdir()} == {"config.json", "mine.txt"}
    assert runs.read_config(folder)["seed"] == 1


def test_a_new_run_that_cannot_be_written_removes_nothing(folder):
    (folder / "model.keras").write_text("old")
    with pytest.raises(TypeError):
        runs.create_run(folder, CONFIG | {"seed": object()})
    assert (folder / "model.keras").exists()
    assert runs.read_config(folder)["seed"] == 0


@pytest.mark.parametrize("name", [name for name in runs.RUN_FILES if name != "config.json"])
def test_a_folder_with_such_names_and_no_configuration_is_somebodys(tmp_path, name):
    runs.check_is_ours(tmp_path)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name}, but no config.json.*--run-dir"):
        runs.check_is_ours(tmp_path)


def test_a_configuration_is_read_in_any_locale(folder):
    code = "from pathlib import Path; import sys; from support import run as runs"
    code += "; print(ascii(runs.read_config(Path(sys.argv[1]))['data_root']))"
    latin = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", code, str(folder)]
    printed = subprocess.check_output(command, cwd=PROJECT, env=os.environ | latin, text=True)
    assert printed == "'/data/\\xe9'\n"


def test_a_path_that_is_not_utf8_is_kept(folder):
    path = os.fsdecode(b"/data/t\xff")
    runs.create_run(folder, CONFIG | {"data_root": path})
    assert runs.read_config(folder)["data_root"] == path


@pytest.mark.parametrize("content", [b"", b"[3]", b"\xff\xfe{}", b'{"api_key": "mine"}'])
def test_a_configuration_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    for check in (runs.check_is_ours, runs.read_config):
        with pytest.raises(InputError, match=r"holds config\.json.*not a run.*--run-dir"):
            check(tmp_path)


def test_a_run_of_an_older_version_is_refused(folder):
    config = {name: value for name, value in CONFIG.items() if name != "fingerprint"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"older version.*--overwrite"):
        runs.read_config(folder)


def test_without_a_run_the_command_that_makes_one_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make one with: python autoencoder\.py train"):
        runs.read_config(tmp_path)


def test_each_other_option_is_named_and_a_path_is_none(folder):
    runs.check_same_options(folder, CONFIG | {"data_root": "/moved"})
    other = CONFIG | {"data": "demo", "epochs": 4, "seed": 1}
    with pytest.raises(InputError) as error:
        runs.check_same_options(folder, other)
    message = str(error.value)
    assert "(data emnist, not demo; epochs 3, not 4; seed 0, not 1)" in message
    assert runs.command_line("train", folder, "--resume") in message
    assert runs.command_line("test", folder) in message
    assert "--overwrite" in message


def test_other_images_are_refused(folder):
    runs.check_same_data(folder, "abc")
    with pytest.raises(InputError, match=r"trained on other images.*--data-root"):
        runs.check_same_data(folder, "abd")


# ---- the history


def test_a_history_is_read_back(folder):
    assert runs.read_history(folder) == []
    runs.write_history(folder, HISTORY)
    assert runs.read_history(folder) == HISTORY
    header, *lines = (folder / "history.csv").read_text("utf-8").splitlines()
    assert header == "epoch,loss,val_loss,learning_rate,seconds"
    assert lines[0] == "1,0.25,0.5,0.005,1.5"


@pytest.mark.parametrize(
    "content",
    [
        "epoch,loss,val_loss,learning_rate,seconds\n2,1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,1,1\n",
        "epoch,loss,val_loss,learning_rate,seconds\n1,1,x,1,1\n",
        "1,1,1,1,1\n2,1,1,1,1\n",
    ],
)
def test_a_damaged_history_is_named(folder, content):
    (folder / "history.csv").write_text(content)
    with pytest.raises(InputError, match=rf"{folder / 'history.csv'}: damaged.*--overwrite"):
        runs.read_history(folder)


def test_a_run_is_complete_when_all_is_there(folder):
    runs.write_history(folder, HISTORY)
    for name in ("model.keras", "curves.png"):
        assert not runs.is_complete(folder)
        (folder / name).write_text("")
    assert runs.is_complete(folder)
    runs.write_history(folder, HISTORY[:2])
    assert not runs.is_complete(folder)
