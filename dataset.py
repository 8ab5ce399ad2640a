"""EMNIST's handwritten characters as numpy arrays: upright, checked and cached.

    python dataset.py download    # fetch NIST's files of one split, about 35 MB
    python dataset.py prepare     # the same, then convert and cache: DATA_ROOT/emnist-balanced.npz
    python dataset.py preview     # draw ten images of each class

    from dataset import load_emnist
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced")

NIST's binary files become text (convert_idx.sh), the text is parsed once, and the arrays are kept
in an npz. After that only the npz is read.
"""

import contextlib
import json
import os
import string
import tempfile
import warnings
from functools import cached_property
from pathlib import Path

import support  # noqa: F401 - first, as it says what to do if a package is missing

# isort: split
import click
import numpy as np

from support import files as disk
from support.console import CONTEXT_SETTINGS, Commands, InputError, PathType, command_line, notice
from support.emnist import idx
from support.emnist.download import DownloadError, fetch
from support.emnist.idx import IMAGE_SIZE

# ---- what EMNIST is: NIST's scans of handwritten characters, 28 x 28 grey pixels each
#
# A split is a choice of them. byclass has them all, 814,255 images of 62 characters, in the numbers
# in which people wrote them. bymerge counts upper and lower case as one where they look alike.
# balanced has 2,800 images of each of these 47 classes.

PARTS = ("train", "test")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def stems_of(split, part):
    """NIST's names of the files of images and of labels, without the ending (-ubyte, -txt)."""
    return [f"emnist-{split}-{part}-images-idx3", f"emnist-{split}-{part}-labels-idx1"]


_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # c, i, j, ... count as C, I, J
CLASSES = {  # split -> the character of each label, as in NIST's mapping files
    "balanced": dict(enumerate(_MERGED)),
    "byclass": dict(enumerate(string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "bymerge": dict(enumerate(_MERGED)),
    "letters": dict(enumerate(string.ascii_uppercase, start=1)),
    "digits": dict(enumerate(string.digits)),
    "mnist": dict(enumerate(string.digits)),
    "demo": dict(enumerate(_MERGED)),  # made up: drawn by support/emnist/demo.py
}


def load_emnist(split="balanced", data_root=None, scale=True):
    """Loads a split of EMNIST (Cohen, Afshar, Tapson, van Schaik 2017, arXiv:1702.05373).

    Reads DATA_ROOT/emnist-SPLIT.npz, which is first made from the binary files or texts beside it
    if it is missing or they have changed. Nothing is downloaded; the demo set is drawn.

    Args:
        split: "balanced", "byclass", "bymerge", "letters", "digits", "mnist" or "demo".
        data_root: the folder of the files; by default $DATA_ROOT, else "data".
        scale: True for pixels as float32 in [0, 1], exactly k/255; False for uint8 0..255.

    Returns:
        (x_train, y_train), (x_test, y_test). x: (N, 28, 28), upright, 0 is paper and 1 (255) ink.
        y: (N,) int64, the labels of the files (letters: 1..26); class_names gives their characters.

    Raises:
        FileNotFoundError: the split's files are missing; says what was looked for.
        ValueError: a file is bad; names it, and in a text the line.
    """
    data = open_data(split, data_root)
    parts = []
    for part in PARTS:
        x = data.read(f"x_{part}")
        if not scale:
            x *= 255  # in place: a second array of floats may not fit into memory
            x = np.rint(x, out=x).astype(np.uint8)
        parts.append((x, data.read(f"y_{part}")))
    return tuple(parts)


def class_names(split="balanced", data_root=None):
    """The character of each label of a split: dict of int to str, in the order of the labels.

    Read from DATA_ROOT/emnist-SPLIT-mapping.txt, a line `LABEL ASCII` for each class. If there is
    no such file, the split's standard classes are returned.

    Raises:
        ValueError: the mapping file is bad; names it and the line.
    """
    return Files(split, data_root).class_names()


# ---- the way of the data: find the files, get what is missing, convert, parse, save


class Data:
    """A split, its arrays read when they are first used.

    x_train, x_test: (N, 28, 28) float32 in [0, 1], upright. y_train, y_test: (N,) int64.
    names: {label: character}. fingerprint: of all four arrays. files: where they are from.
    """

    x_train = cached_property(lambda data: data.read("x_train"))
    y_train = cached_property(lambda data: data.read("y_train"))
    x_test = cached_property(lambda data: data.read("x_test"))
    y_test = cached_property(lambda data: data.read("y_test"))

    def __init__(self, files, fingerprint, arrays=None):
        self.files = files
        self.names = files.class_names()
        self.fingerprint = fingerprint
        self._arrays = arrays  # all four by name, if they are in memory

    def read(self, name):
        """One of the four arrays.

        Raises:
            InputError: it is damaged, or a label has no character.
        """
        if self._arrays:
            array = self._arrays[name]
        else:
            with self.files.reading_npz() as npz:
                array = npz[name]
        if name.startswith("y_"):
            self._check_labels(array, name.removeprefix("y_"))
        return array

    def _check_labels(self, y, part):
        has_no_character = ~np.isin(y, list(self.names))
        if has_no_character.any():
            place = has_no_character.argmax()
            _, stem = stems_of(self.files.split, part)
            source = self.files.sources.get(stem)
            where = f"{source}, line {place + 1}" if source else f"{self.files.npz}, y_{part}"
            names = self.files.mapping or f"the classes of {self.files.split}"
            raise InputError(f"{where}: the label {y[place]} is not in {names}; mend one of both")


def open_data(split="balanced", data_root=None, download_missing=False):
    """Opens the Data of a split: finds its files or gets them, converts, parses and saves once.

    download_missing: whether missing files are downloaded; those of demo are always drawn.

    Raises:
        FileNotFoundError, DownloadError: files are missing; says which, and what to do.
        InputError: a file is bad; names it.
    """
    files = Files(split, data_root)
    data = open_npz(files)
    if data:
        return data

    if files.missing:
        if split == "demo":
            draw_demo(files)
        elif download_missing:
            download(files)
        else:
            raise FileNotFoundError(
                f"{files.what_is_missing()} Run: {files.prepare_command()}; or give the folder of "
                "NIST's files with --data-root"
            )
        files = Files(split, data_root)
    notice(f"converting {split} in {files.root}, once; 100,000 images take about 15 seconds")
    with disk.locked(files.root), text_folder(files.root) as folder:
        sources = files.fingerprints()
        idx.convert(files.root, split, folder)
        arrays = parse(files, Path(folder))
        fingerprint = disk.array_fingerprint(arrays.values())
        with disk.by_product(files.npz):
            disk.save_npz(files.npz, arrays, {"sources": sources, "fingerprint": fingerprint})
    return Data(files, fingerprint, arrays)


def open_npz(files):
    """The Data in the npz of a split; None if there is none, or if its sources have changed.

    Raises:
        InputError: it is damaged, or a person made it and its arrays do not fit.
    """
    if not files.npz.exists():
        return None
    try:
        with files.reading_npz() as npz:
            note = str(npz["note"]) if "note" in npz else ""
    except (InputError, OSError) as error:
        if files.missing:
            raise
        notice(f"{files.npz} cannot be used, making it again ({error})")
        return None
    if not note.startswith('{"sources"'):  # a person made it
        with files.reading_npz() as npz:
            arrays = {name: npz[name] for name in ARRAYS if name in npz}
        check_arrays(arrays, files.npz)
        return Data(files, disk.array_fingerprint(arrays.values()), arrays)
    note = json.loads(note)
    if not files.missing and files.have_changed(note["sources"]):
        notice(f"{files.npz} was made from other files: making it again")
        return None
    return Data(files, note["fingerprint"])


def check_arrays(arrays, path):
    """Refuses a person's own arrays that do not fit."""
    if len(arrays) < len(ARRAYS):
        raise InputError(f"{path}: expected the arrays {', '.join(ARRAYS)}")
    for part in PARTS:
        x = arrays[f"x_{part}"]
        y = arrays[f"y_{part}"]
        have_types = x.dtype == np.float32 and y.dtype == np.int64
        have_shapes = x.shape == (y.size, IMAGE_SIZE, IMAGE_SIZE) and y.ndim == 1 and y.size
        if not (have_types and have_shapes and x.min() >= 0 and x.max() <= 1):
            raise InputError(
                f"{path}: x_{part} is {x.dtype} {x.shape}, y_{part} is {y.dtype} {y.shape}; "
                "expected float32 (N, 28, 28) in [0, 1] and int64 (N,): save them so, or move the "
                "file away"
            )


def text_folder(root):
    """A temporary folder for the texts: in `root` if that can be written to, else the system's."""
    place = root if os.access(root, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix=disk.PARTIAL, dir=place)


def parse(files, folder):
    """The four arrays by name, from texts: in `folder`, or else in the data folder.

    Raises:
        InputError: a text is bad; names it and the line.
    """
    places = [folder, files.root]
    arrays = {}
    for part in PARTS:
        images, labels = stems_of(files.split, part)
        x = read_numbers(first_file(places, [f"{images}-txt"]), IMAGE_SIZE**2)
        y = read_numbers(first_file(places, [f"{labels}-txt"]), 1)
        if len(x) != len(y):
            raise InputError(
                f"{files.sources[images]} has {len(x)} images, but {files.sources[labels]} has "
                f"{len(y)} labels; get both files again from the same source"
            )
        upright = x.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)  # NIST's are transposed
        arrays[f"x_{part}"] = np.divide(upright, np.float32(255), dtype=np.float32, order="C")
        arrays[f"y_{part}"] = y[:, 0].astype(np.int64)
    return arrays


def read_numbers(path, columns):
    """Reads a text of numbers 0..255: (lines, columns) uint8."""
    try:
        with warnings.catch_warnings(action="ignore"):  # loadtxt warns of an empty file
            numbers = np.loadtxt(path, np.uint8, comments=None, ndmin=2)
    except ValueError:
        numbers = np.empty((0, 0), np.uint8)
    if numbers.shape[1] != columns or len(numbers) == 0:
        line = find_bad_line(path, columns)
        raise InputError(
            f"{path}, line {line}: expected {columns} numbers 0..255; get the file again"
        )
    return numbers


def find_bad_line(path, columns):
    """The number of the first line that does not hold `columns` numbers 0..255."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split()
            good = [field for field in fields if field.isdigit() and int(field) <= 255]
            if len(fields) != columns or good != fields:
                return number
    return 1  # the file is empty


# ---- the files of a split


class Files:
    """The files of one split in a data folder, found when this is made.

    root: the folder. npz: the path of the arrays, which may not exist. mapping: the path of the
    mapping file, or None. sources: {stem: path} of NIST's binary files (-ubyte, -ubyte.gz), or else
    their texts (-txt). missing: the other stems.
    """

    def __init__(self, split, data_root=None):
        if split not in CLASSES:
            raise InputError(f"unknown split {split!r}; the splits are {', '.join(CLASSES)}")
        self.split = split
        self.root = resolve_root(data_root)
        self.npz = self.root / f"emnist-{split}.npz"
        folders = self.root, self.root / "gzip"
        self.mapping = first_file(folders, [f"emnist-{split}-mapping.txt"])
        self.sources = {}
        self.missing = []
        for stem in stems_of(split, "train") + stems_of(split, "test"):
            # convert_idx.sh looks for binary files in the same order.
            source = first_file(folders, [f"{stem}-ubyte", f"{stem}-ubyte.gz"])
            source = source or first_file(folders[:1], [f"{stem}-txt"])
            if source:
                self.sources[stem] = source
            else:
                self.missing.append(stem)

    @property
    def exist(self):
        """Whether there is an npz, or all that it is made from."""
        return os.path.isfile(self.npz) or not self.missing

    def class_names(self):
        return idx.read_mapping(self.mapping) if self.mapping else dict(CLASSES[self.split])

    def reading_npz(self):
        """Opens the npz: a context with its arrays by name, each read when it is asked for."""
        return disk.reading_npz(self.npz, f"move it away and run: {self.prepare_command()}")

    def fingerprints(self):
        return {stem: disk.file_fingerprint(path) for stem, path in self.sources.items()}

    def have_changed(self, fingerprints):
        """Whether a source has another fingerprint now; {stem: what it was}."""
        for stem, path in self.sources.items():
            with contextlib.suppress(OSError):  # a file that cannot be read does not matter
                if disk.file_fingerprint(path) != fingerprints[stem]:
                    return True
        return False

    def prepare_command(self):
        words = ("prepare", "--split", self.split, "--data-root", self.root)
        return command_line("dataset.py", *words)

    def what_is_missing(self):
        """Which files are missing, and what was found instead."""
        names = ", ".join(f"{stem}-ubyte.gz" for stem in self.missing)
        if len(self.missing) == 4:
            names = f"emnist-{self.split}-{{train,test}}-{{images-idx3,labels-idx1}}-ubyte.gz"
        found = "".join(f" There is {path.name}." for path in self.look_alikes()[:3])
        return f"Missing in {self.root}: {names}.{found}"

    def look_alikes(self):
        """Paths with `emnist` in their names that belong to no other split."""
        others = tuple(f"emnist-{split}" for split in CLASSES if split != self.split)
        found = []
        for path in sorted([*self.root.glob("[!.]*"), *self.root.glob("gzip/[!.]*")]):
            name = path.name.lower()
            if "emnist" in name and not name.startswith(others):
                found.append(path)
        return found


def first_file(folders, names):
    """The first file that exists of these names, in the first folder that has one; or None."""
    for folder in folders:
        for name in names:
            path = folder / name
            if os.path.isfile(path):  # a folder that cannot be looked into has none
                return path
    return None


def resolve_root(data_root=None):
    """DATA_ROOT as a Path: the argument, else the environment's DATA_ROOT, else "data"."""
    return Path(os.path.expanduser(data_root or os.environ.get("DATA_ROOT") or "data"))


# ---- getting the files

URLS = (  # two zips with the same members, all six splits
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",
)
ZIP_NAMES = ("gzip.zip", "emnist-gzip.zip")
MD5_FILE = Path(__file__).resolve().parent / "support/emnist/nist.md5"  # as md5sum writes it
MD5 = dict(line.split()[::-1] for line in MD5_FILE.read_text("utf-8").splitlines())


def data_for_new_run(split=None, data_root=None):
    """The Data for a run: of the split; without one, of balanced, or else of demo.

    Demo stands in if there is no file of EMNIST and none can be downloaded, but not for a split or
    a data folder that somebody asked for.
    """
    try:
        return open_data(split or "balanced", data_root, download_missing=True)
    except DownloadError as error:
        is_asked_for = split or data_root or os.environ.get("DATA_ROOT")
        if is_asked_for or Files("balanced").look_alikes():
            raise
        notice(f"EMNIST cannot be downloaded; training on a small made-up set ({error.__cause__})")
    return open_data("demo")


def find_again(split, fingerprint, data_roots):
    """The Data that has a fingerprint, in the first of several data folders that holds it.

    Raises:
        FileNotFoundError: no folder holds it; says what was looked for.
    """
    roots = dict.fromkeys(resolve_root(root).resolve() for root in data_roots)  # each once
    places = [Files(split, root) for root in roots]
    candidates = [files for files in places if files.exist]
    if split == "demo":
        candidates.append(places[0])  # drawn there
    reasons = {files.root: "has none" for files in places}
    for files in candidates:
        try:
            data = open_data(split, files.root)
        except OSError as error:
            reasons[files.root] = f"cannot be used ({error})"
            continue
        if data.fingerprint == fingerprint:
            return data
        reasons[files.root] = "has other images"
    found = "; ".join(f"{root} {reason}" for root, reason in reasons.items())
    raise FileNotFoundError(
        f"the images of the run, {split}, were not found ({found}): give their folder with "
        "--data-root"
    )


def download(files):
    """Fetches the files of a split that are missing from NIST's zip of all splits.

    A gzip.zip or emnist-gzip.zip in the data folder is used before any address.

    Raises:
        DownloadError: they cannot be fetched; says what is missing, why, and what to do.
        InputError: the zip in the data folder is damaged.
    """
    members = [f"gzip/{stem}-ubyte.gz" for stem in files.missing]
    md5 = {member: MD5[member] for member in members}
    is_new = not files.root.exists()
    with disk.locked(files.root):
        try:
            fetch(files.root, md5, URLS, first_file([files.root], ZIP_NAMES))
        except DownloadError as error:
            if is_new:  # perhaps its name is a typo
                files.root.rmdir()
            raise DownloadError(
                f"{files.what_is_missing()} The download failed ({error}): try again later, put "
                f"NIST's gzip.zip into {files.root}, or train on --split demo"
            ) from error


def draw_demo(files):
    """Draws the files of the demo set that are missing, in NIST's format."""
    from support.emnist.demo import draw_demo_set

    notice(f"drawing the demo set in {files.root}")
    with disk.locked(files.root):
        for part, (x, y) in zip(PARTS, draw_demo_set(), strict=True):
            arrays = (x.transpose(0, 2, 1), y)  # NIST's images are transposed
            for stem, array in zip(stems_of("demo", part), arrays, strict=True):
                if stem in files.missing:
                    idx.write_idx(files.root / f"{stem}-ubyte", array)


# ---- the command line

split_option = click.option(
    "--split", type=click.Choice(list(CLASSES)), default="balanced", help="Which split of EMNIST."
)
data_root_option = click.option(
    "--data-root",
    type=PathType(file_okay=False),
    show_default="$DATA_ROOT, else data",
    help="Data folder; a run remembers its own.",
)


@click.group(cls=Commands, context_settings=CONTEXT_SETTINGS)
def cli():
    """EMNIST's characters as numpy arrays: upright, checked and cached."""


@cli.command("download")
@split_option
@data_root_option
def download_command(split, data_root):
    """Download the missing files of a split from NIST; each is checked."""
    files = Files(split, data_root)
    if split == "demo":
        raise click.UsageError(f"demo is drawn, not downloaded; run: {files.prepare_command()}")
    if files.missing:
        download(files)
    for path in Files(split, data_root).sources.values():
        click.echo(path)


@cli.command()
@split_option
@data_root_option
def prepare(split, data_root):
    """Download a split if it is missing; convert, check and cache it."""
    data = open_data(split, data_root, download_missing=True)
    click.echo(f"split    {split}")
    click.echo(f"images   {len(data.y_train):,} training, {len(data.y_test):,} test")
    click.echo(f"classes  {len(data.names)}: {''.join(data.names.values())}")
    if data.files.npz.exists():  # a read-only folder has none
        click.echo(f"cache    {data.files.npz}")


@cli.command()
@split_option
@data_root_option
@click.option(
    "--out",
    type=PathType(".png", dir_okay=False),
    show_default="preview-SPLIT.png",
    help="The picture.",
)
def preview(split, data_root, out):
    """Draw the first ten training images of each class."""
    from support.morph.pictures import draw_preview

    data = open_data(split, data_root)
    x, y = data.x_train, data.y_train
    out = out or Path(f"preview-{split}.png")
    draw_preview(out, {name: x[y == label] for label, name in data.names.items()})
    click.echo(out)


if __name__ == "__main__":
    cli()
