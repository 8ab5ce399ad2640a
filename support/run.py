"""Run: the folder of a run, with its configuration, its history and its command lines."""

import csv
import json
import platform
import sys
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from support.console import InputError, command_line
from support.files import reading, replacing, write_json
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
    "reconstructions.png",
    "codes.png",
    "morph.png",
    "morph-read.png",
    "index.npz",
    "explore.html",
)
OPTIONS = ("split", "epochs", "batch_size", "learning_rate", "seed")  # of train
LONGER = "a longer training is a new run, as its learning rate falls more slowly"
COLUMNS = ("epoch", "loss", "val_loss", "learning_rate", "seconds")  # of history.csv


class Run:
    """The folder of a run: config.json with the options of a training makes it one.

    folder: a Path. config: the content of config.json, {} if there is none yet.

    Raises:
        InputError: config.json is damaged, or the folder is somebody's: it holds a file with the
            name of a run's, but no config.json of a training.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = self._read_config()

    def _read_config(self):
        path = self.folder / "config.json"
        config = {}
        if path.exists():
            with reading(path, "repair it, or give another --run-dir"):
                config = json.loads(path.read_text("utf-8-sig"))
        if isinstance(config, dict) and {*OPTIONS, "fingerprint"} <= set(config):
            return config
        for name in RUN_FILES:
            if (self.folder / name).exists():
                raise InputError(
                    f"{self.folder} holds {name}, but no config.json of a training, so it is not a "
                    "run of this program: give another --run-dir"
                )
        return {}

    @property
    def model(self):
        """The path of the best model."""
        return self.folder / "model.keras"

    @property
    def last(self):
        """The path of the last model, with the state of its optimizer."""
        return self.folder / "last.keras"

    def describe(self):
        """The options of the training, as text."""
        return ", ".join(f"{name} {self.config[name]}" for name in OPTIONS)

    @property
    def is_complete(self):
        """Whether all epochs are trained and their curves are drawn."""
        files_exist = self.model.exists() and (self.folder / "curves.png").exists()
        return files_exist and len(self.history) == self.config["epochs"]

    @cached_property
    def history(self):
        """The rows of history.csv as dicts of numbers, which training adds to.

        Raises:
            InputError: the file is damaged.
        """
        path = self.folder / "history.csv"
        if not path.exists():
            return []
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                rows = [
                    {name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(file)
                ]
        except (ValueError, TypeError, KeyError, csv.Error) as error:
            raise self.cannot_go_on(f"{path} is damaged ({error})") from error
        for row in rows:
            row["epoch"] = int(row["epoch"])
        return rows

    # ---- its command lines

    def command(self, name, *options):
        """The text of a command line of autoencoder.py for this run."""
        where = [] if self.folder == DEFAULT_RUN else ["--run-dir", self.folder]
        return command_line("autoencoder.py", name, *where, *options)

    def check_has_model(self):
        """Refuses a run that has no model yet.

        Raises:
            FileNotFoundError: says which command makes one.
        """
        if not self.config:
            raise FileNotFoundError(
                f"no run in {self.folder.absolute()}; make one with: {self.command('train')}"
            )
        if not self.model.exists():
            train = self.command("train")
            raise FileNotFoundError(f"{self.model} is not there; go on with: {train}")

    def advice(self):
        """What to do if a training cannot go on; it deletes no model that may be good."""
        if self.model.exists():
            return f"its best model still works: {self.command('test')}"
        if self.last.exists():
            return "to train anew, give another --run-dir"
        return f"start again with: {self.command('train', '--overwrite')}"

    def cannot_go_on(self, reason):
        """The InputError for a training that cannot go on."""
        return InputError(f"{reason}; {self.advice()}")

    def has_other_options(self, differences):
        """The InputError for a training with other options; differences: a list of texts."""
        go_on = "" if self.is_complete else f"go on with it: {self.command('train')}; "
        return InputError(
            f"{self.folder} holds a run with other options ({'; '.join(differences)}): {go_on}use "
            f"it: {self.command('test')}; to train with yours, add --run-dir with a new name, or "
            f"--overwrite ({LONGER})"
        )

    # ---- writing

    def create(self, config):
        """Writes config.json, which makes the folder a run, and removes an earlier run's files."""
        backend = keras.backend.backend()
        versions = {
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "keras": version("keras"),
            backend: sys.modules[backend].__version__,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = config | {"versions": versions}
        self.history = []  # an earlier run's no longer counts
        with replacing(self.folder / "config.json") as partial:
            write_json(partial, self.config)
            # Before config.json gets its name, so that it never stands beside another run's models.
            for name in RUN_FILES:
                if name != "config.json":
                    (self.folder / name).unlink(missing_ok=True)

    def add_epoch(self, row):
        """Adds a row to the history."""
        self.history.append(row)
        path = self.folder / "history.csv"
        with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.history)
