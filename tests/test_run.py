"""support/run.py: a run's configuration, its history and its command lines."""

import sys

import pytest

from support.console import InputError
from support.lazy_keras import keras
from support.run import COLUMNS, RUN_FILES, Run

CONFIG = {
    "split": "balanced",
    "data_root": "/data/é",
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.005,
    "seed": 0,
    "counts": {"train": 5},
    "fingerprint": "abc",
}


def row(epoch):
    return dict(zip(COLUMNS, (epoch, 0.25, 0.5, 0.005, 1.5), strict=True))


@pytest.fixture
def folder(tmp_path):
    """A folder with a run that has no epoch yet."""
    Run(tmp_path).create(CONFIG)
    return tmp_path


def test_a_configuration_is_read_back_with_the_versions(folder):
    config = Run(folder).config
    assert {"python", "keras", "numpy", keras.backend.backend()} == set(config.pop("versions"))
    assert config == CONFIG


def test_a_new_run_removes_the_old_ones_files_and_nothing_else(folder):
    for name in ("model.keras", "test.json", "mine.txt"):
        (folder / name).write_text("old")
    with pytest.raises(TypeError):
        Run(folder).create(CONFIG | {"seed": object()})  # it cannot be written
    assert (folder / "model.keras").exists()
    Run(folder).create(CONFIG | {"seed": 1})
    assert {path.name for path in folder.iterdir()} == {"config.json", "mine.txt"}
    assert Run(folder).config["seed"] == 1


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_folder_with_such_names_and_no_configuration_is_somebodys(tmp_path, name):
    assert Run(tmp_path).config == {}
    (tmp_path / name).write_text('{"api_key": "mine"}')
    with pytest.raises(InputError, match=f"{name}, but no config.json.*--run-dir"):
        Run(tmp_path)


def test_a_damaged_configuration_is_named(folder):
    (folder / "config.json").write_bytes(b"{'split': 1")
    with pytest.raises(InputError, match=f"{folder / 'config.json'}: damaged"):
        Run(folder)


def test_a_history_is_read_back(folder):
    run = Run(folder)
    assert run.history == []
    for epoch in (1, 2):
        run.add_epoch(row(epoch))
    assert Run(folder).history == [row(1), row(2)]
    header, *lines = (folder / "history.csv").read_text("utf-8").splitlines()
    assert header == "epoch,loss,val_loss,learning_rate,seconds"
    assert lines[0] == "1,0.25,0.5,0.005,1.5"


@pytest.mark.parametrize("line", ["1,1,1,1", "1,1,x,1,1", "1;1;1;1;1"])
def test_a_damaged_history_is_named_and_costs_no_good_model(folder, line):
    (folder / "history.csv").write_text(f"{','.join(COLUMNS)}\n{line}\n")
    with pytest.raises(InputError, match=r"history.csv is damaged.*train.*--overwrite"):
        _ = Run(folder).history
    (folder / "model.keras").write_text("good")
    with pytest.raises(InputError, match=r"history.csv is damaged.*still works: .* test"):
        _ = Run(folder).history


def test_a_run_is_complete_when_all_is_there(folder):
    run = Run(folder)
    for epoch in (1, 2, 3):
        assert not run.is_complete
        run.add_epoch(row(epoch))
    for name in ("model.keras", "curves.png"):
        assert not run.is_complete
        (folder / name).write_text("")
    assert run.is_complete


def test_its_command_lines_begin_as_the_script_was_called(tmp_path, monkeypatch):
    assert Run("runs/default").command("test") == "python autoencoder.py test"
    monkeypatch.setattr(sys, "argv", ["../emnist/dataset.py"])
    expected = "python ../emnist/autoencoder.py train --run-dir 'a b' --overwrite"
    assert Run("a b").command("train", "--overwrite") == expected
