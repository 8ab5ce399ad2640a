"""The run folder: the configuration of a training, its history and its models."""

import csv
import hashlib
import json
import math
import platform
import shlex
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from support.console import InputError, import_keras, notice
from support.files import replacing

DEFAULT_RUN = Path("runs/default")
RUN_FILES = ["config.json", "model.keras", "last.keras", "history.csv", "curves.png"]
RUN_FILES += ["test.json", "reconstructions.png", "codes.png", "morph.png", "index.npz"]
RUN_FILES += ["explore.html"]
COLUMNS = ("epoch", "loss", "val_loss", "learning_rate", "seconds")  # of history.csv
OPTIONS = {  # what config.json must hold: one of these, any text (str), or a number's least value
    "data": ("emnist", "demo"),
    "split": str,
    "data_root": str,
    "epochs": 1,
    "batch_size": 1,
    "learning_rate": 0.0,
    "seed": 0,
}
BEGIN_ANEW = "start again with --overwrite"


def command(name, run, *options):
    """The command line that runs the command `name` on a run."""
    words = ["python", "autoencoder.py", name]
    words += [] if run == DEFAULT_RUN else ["--run-dir", str(run)]
    return shlex.join([*words, *options])


# ---- the configuration


def begin(run, config):
    """Removes an earlier run's files and writes config.json, which makes the folder a run."""
    versions = {name: version(name) for name in ("keras", "tensorflow", "numpy")}
    versions["python"] = platform.python_version()
    for name in RUN_FILES:
        (run / name).unlink(missing_ok=True)
    write_json(run / "config.json", config | {"versions": versions})


def read_config(run):
    """The configuration of a run: a dict of the options of its training and more.

    Raises:
        FileNotFoundError: the folder holds no run.
        InputError: config.json is damaged.
    """
    path = run / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"no run in {run}; make one with: {command('train', run)}")
    try:
        config = json.loads(path.read_text())
        wrong = {name: config[name] for name in OPTIONS if not _fits(config[name], OPTIONS[name])}
    except (ValueError, KeyError, TypeError) as error:
        wrong = error
    if wrong:
        raise InputError(f"{path}: not the configuration of a run ({wrong}); {BEGIN_ANEW}")
    return config


def _fits(value, wanted):
    if isinstance(wanted, tuple):
        return value in wanted
    if wanted is str:
        return isinstance(value, str)
    return type(value) is type(wanted) and wanted <= value < math.inf


def refuse_other(run, config):
    """Refuses a folder that holds a run with options other than config's; says how to go on.

    Raises:
        InputError: the options differ, or the folder's config.json is damaged.
    """
    if not (run / "config.json").exists():
        return
    found = read_config(run)
    if differences := [
        f"{name} {found[name]}, not {config[name]}"
        for name in OPTIONS
        if found[name] != config[name]
    ]:
        raise InputError(
            f"{run} holds a run with other options ({'; '.join(differences)}). Go on with it: "
            f"{command('train', run, '--resume')}; use it: {command('test', run)}; start again: "
            "the same command with --overwrite; keep both: another --run-dir"
        )


def describe(**images):
    """The count of each part's images and a digest of them all, for config.json."""
    digest = hashlib.blake2b(digest_size=16)
    for x in images.values():
        digest.update(np.ascontiguousarray(x))
    return {"counts": {part: len(x) for part, x in images.items()}, "digest": digest.hexdigest()}


def refuse_other_data(run, description):
    """Refuses to go on with a run on images other than its own.

    Raises:
        InputError: the counts or the digest differ from those in config.json.
    """
    config = read_config(run)
    if any(config.get(key, value) != value for key, value in description.items()):
        was, now = config.get("counts"), description["counts"]
        raise InputError(
            f"{run} was trained on other images ({was}, now {now}): give the folder of its "
            f"data with --data-root, or {BEGIN_ANEW}"
        )


# ---- the history


def read_history(run, finished=None):
    """The rows of history.csv as dicts of numbers; no rows if there is no file.

    finished: the number of finished epochs, if known; rows beyond it are dropped.

    Raises:
        InputError: the file is damaged, or rows of finished epochs are missing.
    """
    path, rows = run / "history.csv", []
    try:
        if path.exists():
            with open(path, newline="") as file:
                rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        if any(tuple(row) != COLUMNS or row["epoch"] != i for i, row in enumerate(rows, 1)):
            raise ValueError("rows or columns are missing")
        if finished is not None and len(rows) < finished:
            raise ValueError(f"{len(rows)} of {finished} epochs")
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{path}: not the run's history ({error}); {BEGIN_ANEW}") from error
    return [row | {"epoch": int(row["epoch"])} for row in rows[:finished]]


def write_history(run, history):
    with replacing(run / "history.csv") as unfinished, open(unfinished, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(history)


def epoch_keeper(run, config, autoencoder, history, progress_bar):
    """The Keras callback that adds each epoch to the history and writes the run's files."""
    keras = import_keras()
    # The same layers without the optimizer, whose state would triple the size of model.keras.
    best = keras.Model(autoencoder.input, autoencoder.output, name="autoencoder")

    class EpochKeeper(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.learning_rate = float(self.model.optimizer.learning_rate)
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds = time.perf_counter() - self.started
            loss, val_loss = logs["loss"], logs["val_loss"]
            if not math.isfinite(val_loss):
                message = "the loss is NaN or infinite; lower --learning-rate"
                raise InputError(f"epoch {epoch + 1}: {message}")
            if val_loss < min((row["val_loss"] for row in history), default=math.inf):
                save_model(best, run / "model.keras")
            row = (epoch + 1, loss, val_loss, self.learning_rate, seconds)
            history.append(dict(zip(COLUMNS, row, strict=True)))
            write_history(run, history)
            save_model(self.model, run / "last.keras")
            if not progress_bar:
                losses = f"loss {loss:.4f}, validation {val_loss:.4f}"
                notice(f"epoch {epoch + 1}/{config['epochs']}: {seconds:.0f} s, {losses}")

    return EpochKeeper()


def is_complete(run):
    """Whether all epochs of a run are trained and curves.png is drawn."""
    made = all((run / name).exists() for name in ("config.json", "model.keras", "curves.png"))
    return made and len(read_history(run)) == read_config(run)["epochs"]


# ---- files


def write_json(path, content):
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def save_model(model, path):
    with replacing(path) as unfinished:
        model.save(unfinished)


def load_model(path, image_shape, code_size):
    """Loads an autoencoder image_shape -> code_size -> image_shape. Code in the file is not run.

    Raises:
        InputError: the file is damaged or holds another model.
    """
    keras = import_keras()
    try:
        model = keras.saving.load_model(path)
        shapes = [model.input_shape, model.output_shape]
        shapes += [model.get_layer("encoder").output_shape, model.get_layer("decoder").input_shape]
    except Exception as error:  # Keras can raise any exception on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be loaded as an autoencoder: {reason}") from error
    image, code = (None, *image_shape), (None, code_size)
    if shapes != [image, image, code, code]:
        expected = f"{image_shape} -> {code_size} -> {image_shape}"
        raise InputError(f"{path}: expected an autoencoder {expected}")
    return model
