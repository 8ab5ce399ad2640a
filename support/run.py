"""The run folder: the configuration of a training, its history and its models."""

import csv
import json
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from support.console import InputError
from support.files import replacing
from support.lazy_keras import keras

DEFAULT_RUN = Path("runs/default")
RUN_FILES = (
    "config.json",
    "model.keras",
    "last.keras",
    "history.csv",
    "curves.png",
    "test.json",
    "map.npz",
    "pca.npz",
    "reconstructions.png",
    "codes.png",
    "morph.png",
    "morph-read.png",
    "index.npz",
    "explore.html",
)
OPTIONS = ("data", "split", "epochs", "batch_size", "learning_rate", "seed")  # of a training
COLUMNS = ("epoch", "loss", "val_loss", "learning_rate", "seconds")  # of history.csv
START_AGAIN = "start again with --overwrite"


def command_line(name, run, *options):
    """The command line that runs the command `name` on a run."""
    words = ["python", "autoencoder.py", name]
    if run != DEFAULT_RUN:
        words += ["--run-dir", str(run)]
    return shlex.join([*words, *options])


# ---- the configuration


def is_run(run):
    """Whether a folder holds a run: a config.json with the options of a training makes it one."""
    try:
        config = json.loads((run / "config.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(config, dict) and set(OPTIONS) <= set(config)


def check_is_ours(run):
    """Refuses a folder that holds no run, but a file with the name of a run's.

    Raises:
        InputError: names the file. It belongs to something else, and must not be replaced.
    """
    if is_run(run):
        return
    for name in RUN_FILES:
        if (run / name).exists():
            raise InputError(
                f"{run} holds {name}, but no config.json of a training, so it is not a run of this "
                "program: give another --run-dir"
            )


def create_run(run, config):
    """Writes config.json, which makes the folder a run, and removes an earlier run's files."""
    backend = keras.backend.backend()
    versions = {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "keras": version("keras"),
        backend: sys.modules[backend].__version__,
    }
    with replacing(run / "config.json") as partial:
        _dump_json(partial, config | {"versions": versions})
        for name in RUN_FILES:
            if name != "config.json":
                (run / name).unlink(missing_ok=True)


def read_config(run):
    """The configuration of a run: a dict of the options of its training and more.

    Raises:
        FileNotFoundError: the folder holds no run.
        InputError: the run was made by another version.
    """
    check_is_ours(run)
    if not is_run(run):
        raise FileNotFoundError(f"no run in {run}; make one with: {command_line('train', run)}")
    config = json.loads((run / "config.json").read_text("utf-8"))
    if "fingerprint" not in config:
        raise InputError(f"{run} was made by an older version of this program; {START_AGAIN}")
    return config


def check_same_options(run, config):
    """Refuses to go on with a run whose options differ from config's; says how to go on.

    Raises:
        InputError: names each difference, and the commands that go on.
    """
    saved = read_config(run)
    differences = []
    for name in OPTIONS:
        if saved[name] != config[name]:
            differences.append(f"{name} {saved[name]}, not {config[name]}")
    if differences:
        raise InputError(
            f"{run} holds a run with other options ({'; '.join(differences)}). Resume it: "
            f"{command_line('train', run, '--resume')}; use it: {command_line('test', run)}; start "
            "again: the same command with --overwrite; keep both: another --run-dir"
        )


def check_same_data(run, fingerprint):
    """Refuses to go on with a run on images other than its own.

    Raises:
        InputError: the fingerprint of the images differs from that in config.json.
    """
    if read_config(run)["fingerprint"] != fingerprint:
        raise InputError(
            f"{run} was trained on other images: give the folder of its data with --data-root, "
            f"or {START_AGAIN}"
        )


# ---- the history


def read_history(run):
    """The rows of history.csv as dicts of numbers; no rows if there is no file.

    Raises:
        InputError: the file is damaged.
    """
    path = run / "history.csv"
    if not path.exists():
        return []
    rows = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                numbers = {name: float(row[name]) for name in COLUMNS}
                rows.append(numbers | {"epoch": int(row["epoch"])})
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: damaged ({error}); {START_AGAIN}") from error
    if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)):
        raise InputError(f"{path}: damaged (epochs are missing); {START_AGAIN}")
    return rows


def write_history(run, history):
    path = run / "history.csv"
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)


def is_complete(run):
    """Whether all epochs of a run are trained and curves.png is drawn."""
    files_are_there = (run / "model.keras").exists() and (run / "curves.png").exists()
    return files_are_there and len(read_history(run)) == read_config(run)["epochs"]


# ---- files


def write_json(path, content):
    with replacing(path) as partial:
        _dump_json(partial, content)


def _dump_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")  # pure ASCII, so always UTF-8


def save_model(model, path):
    with replacing(path) as partial:
        model.save(partial)


def load_model(path, image_shape, code_size):
    """Loads an autoencoder image_shape -> code_size -> image_shape. Code in the file is not run.

    Raises:
        InputError: the file is damaged or holds another model.
    """
    load = keras.saving.load_model  # imports Keras, whose own errors are not the file's
    try:
        model = load(path)
        shapes = [
            model.input_shape,
            model.get_layer("encoder").output_shape,
            model.get_layer("decoder").input_shape,
            model.output_shape,
        ]
    except Exception as error:  # Keras can raise any exception on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: cannot be loaded as an autoencoder ({reason}); {START_AGAIN}"
        ) from error
    image = (None, *image_shape)
    code = (None, code_size)
    if shapes != [image, code, code, image]:
        expected = f"{image_shape} -> {code_size} -> {image_shape}"
        raise InputError(f"{path}: expected an autoencoder {expected}; {START_AGAIN}")
    return model
