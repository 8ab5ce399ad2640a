"""EMNIST's handwritten characters as numpy arrays: upright, checked and cached.

    python dataset.py download    # fetch NIST's files of one split, about 35 MB
    python dataset.py prepare     # the same, then convert and cache: DATA_ROOT/emnist-balanced.npz
    python dataset.py preview     # draw ten images of each class

    from dataset import load_emnist
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced")

NIST's binary files become text (convert_idx.sh), the text is parsed once, and the arrays are kept
in an npz. After that only the npz is read.
"""

import json
import os
import string
import tempfile
import warnings
from dataclasses import dataclass
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

# ---- what EMNIST is

PARTS = ("train", "test")
CONTENTS = ("images-idx3", "labels-idx1")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")

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

URLS = (  # two zips with the same members, all six splits
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",
)
ZIP_NAMES = ("gzip.zip", "emnist-gzip.zip")
MD5_FILE = Path(__file__).resolve().parent / "support/emnist/nist.md5"  # as md5sum writes it
MD5 = dict(line.split()[::-1] for line in MD5_FILE.read_text("utf-8").splitlines())


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
    return find_files(split, data_root).class_names()


# ---- the files of a split


@dataclass(frozen=True)
class Files:
    """The files of one split in a data folder, as find_files found them.

    sources: the path of each stem that has one, e.g. of emnist-balanced-train-images-idx3: NIST's
        binary file (the stem and -ubyte or -ubyte.gz), or else its text (the stem and -txt).
    mapping: the path of the mapping file, or None.
    """

    split: str
    root: Path
    sources: dict
    mapping: Path | None

    @property
    def npz(self):
        """The arrays, made from the sources; it may not exist yet."""
        return self.root / f"emnist-{self.split}.npz"

    @property
    def missing(self):
        return [stem for stem in stems_of(self.split) if stem not in self.sources]

    @cached_property
    def fingerprints(self):
        """Of the source of each stem; None if one is missing or cannot be read."""
        if self.missing:
            return None
        try:
            return {stem: disk.file_fingerprint(path) for stem, path in self.sources.items()}
        except OSError:
            return None

    def class_names(self):
        return idx.read_mapping(self.mapping) if self.mapping else dict(CLASSES[self.split])

    def fetch_command(self):
        where = [] if self.root == Path("data") else ["--data-root", self.root]
        return command_line("dataset.py", "download", "--split", self.split, *where)

    def if_npz_is_damaged(self):
        """What happens then, or what to do."""
        if self.missing:
            return f"move it away and run: {self.fetch_command()}"
        return "making it from the other files"

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


def stems_of(split):
    return [f"emnist-{split}-{part}-{content}" for part in PARTS for content in CONTENTS]


def resolve_root(data_root=None):
    """DATA_ROOT as a Path: the argument, else the environment's DATA_ROOT, else "data"."""
    return Path(os.path.expanduser(data_root or os.environ.get("DATA_ROOT") or "data"))


def find_files(split, data_root=None):
    """The Files of a split. convert_idx.sh looks for binary files in the same order."""
    if split not in CLASSES:
        raise InputError(f"unknown split {split!r}; the splits are {', '.join(CLASSES)}")
    root = resolve_root(data_root)
    sources = {}
    for stem in stems_of(split):
        names = (f"{stem}-ubyte", f"{stem}-ubyte.gz", f"gzip/{stem}-ubyte", f"gzip/{stem}-ubyte.gz")
        source = first_file(root, *names, f"{stem}-txt")
        if source:
            sources[stem] = source
    mapping = f"emnist-{split}-mapping.txt"
    return Files(split, root, sources, first_file(root, mapping, f"gzip/{mapping}"))


def first_file(root, *names):
    """The first of these files that exists in a folder, or None."""
    for name in names:
        if (root / name).is_file():
            return root / name
    return None


# ---- from files to arrays


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
        self._arrays = arrays  # by name, if they need not be read from the npz

    def read(self, name):
        """One of the four arrays.

        Raises:
            InputError: it is damaged, or a label has no character.
        """
        array = self._arrays[name] if self._arrays else self._read_from_npz(name)
        if name.startswith("y_"):
            self._check_labels(array, name)
        return array

    def _read_from_npz(self, name):
        try:
            with disk.reading_npz(self.files.npz, self.files.if_npz_is_damaged()) as npz:
                return npz[name]
        except InputError as error:
            if self.files.missing:
                raise
            notice(str(error))
            _, self._arrays = convert_and_save(self.files)
            return self._arrays[name]

    def _check_labels(self, y, name):
        has_no_character = ~np.isin(y, list(self.names))
        if has_no_character.any():
            place = has_no_character.argmax()
            stem = f"emnist-{self.files.split}-{name.removeprefix('y_')}-labels-idx1"
            path = self.files.sources.get(stem, self.files.npz)
            names = self.files.mapping or f"the classes of {self.files.split}"
            raise InputError(
                f"{path}, line {place + 1}: the label {y[place]} is not in {names}; get both again"
            )


def open_data(split="balanced", data_root=None, download_missing=False):
    """Opens the Data of a split: finds its files or gets them, converts them if need be.

    download_missing: whether missing files are downloaded; those of demo are always drawn.

    Raises:
        FileNotFoundError, DownloadError: files are missing; says which, and what to do.
        InputError: a file is bad; names it.
    """
    files = find_files(split, data_root)
    if files.missing and not files.npz.exists():
        if split == "demo":
            draw_demo(files.root)
        elif download_missing:
            download(split, data_root)
        else:
            raise FileNotFoundError(
                f"{files.what_is_missing()} Run: {files.fetch_command()}; or give the folder of "
                "NIST's files with --data-root"
            )
        files = find_files(split, data_root)
    data = open_cache(files)
    if data is None:
        data = Data(files, *convert_and_save(files))
    return data


def open_cache(files):
    """The Data in the npz of a split; None if it must be made from the sources.

    Raises:
        InputError: it cannot be used, nor made from the sources.
    """
    if not files.npz.exists():
        return None
    try:
        with disk.reading_npz(files.npz, files.if_npz_is_damaged()) as npz:
            note = json.loads(str(npz["note"])) if "note" in npz else None
    except (InputError, OSError) as error:
        if files.missing:
            raise
        notice(str(error))
        return None
    if note is None:
        return open_foreign_cache(files)
    if files.fingerprints and files.fingerprints != note["sources"]:
        notice(f"{files.npz} was made from other files: making it again")
        return None
    return Data(files, note["fingerprint"])


def open_foreign_cache(files):
    """The Data in an npz that somebody else made; it is used as it is and never replaced.

    Raises:
        InputError: its arrays do not fit; says what was found.
    """
    advice = "this program did not make it: move it away, or save the arrays as README says"
    with disk.reading_npz(files.npz, advice) as npz:
        arrays = {name: npz[name] for name in ARRAYS}
    for part in PARTS:
        x_name, y_name = f"x_{part}", f"y_{part}"
        count = len(arrays[x_name])
        expected = {
            x_name: f"float32 {(count, IMAGE_SIZE, IMAGE_SIZE)}",
            y_name: f"int64 {(count,)}",
        }
        for name, form in expected.items():
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            if found != form or count == 0:
                raise InputError(f"{files.npz}: {name} is {found}, expected {form}; {advice}")
        low, high = arrays[x_name].min(), arrays[x_name].max()
        if not (low >= 0 and high <= 1):
            raise InputError(f"{files.npz}: {x_name} is {low} to {high}, expected 0 to 1; {advice}")
    return Data(files, disk.array_fingerprint(arrays.values()), arrays)


def convert_and_save(files):
    """Makes the arrays of a split from its sources, and saves them.

    Returns:
        The fingerprint of the four arrays, and these by name.
    """
    notice(f"converting {files.split} in {files.root}, once; 100,000 images take about 15 seconds")
    with disk.locked(files.root):
        sources = files.fingerprints
        with temporary_folder(files.root) as folder:
            idx.convert(files.root, files.split, folder)
            texts = []
            for stem, path in files.sources.items():
                is_text = path.name.endswith("-txt")
                texts.append(path if is_text else Path(folder) / f"{stem}-txt")
            arrays = parse(texts)
        fingerprint = disk.array_fingerprint(arrays.values())
        with disk.by_product(files.npz):
            disk.save_npz(files.npz, arrays, {"sources": sources, "fingerprint": fingerprint})
    return fingerprint, arrays


def temporary_folder(root):
    """A folder for the text, a few times as large as the arrays: in root if that is writable."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=disk.PARTIAL, dir=root)
    except OSError:
        folder = tempfile.TemporaryDirectory(prefix="emnist-")
    return folder


def parse(texts):
    """The four arrays by name, from the texts of images, labels, test images and test labels.

    Raises:
        InputError: a text is bad; names it and the line.
    """
    arrays = {}
    for part, images, labels in zip(PARTS, texts[::2], texts[1::2], strict=True):
        x = read_numbers(images, IMAGE_SIZE * IMAGE_SIZE)
        y = read_numbers(labels, 1)
        if len(x) != len(y):
            raise InputError(
                f"{images} has {len(x)} images, but {labels} has {len(y)} labels; get both files "
                "again from the same source"
            )
        upright = x.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)  # NIST's are transposed
        arrays[f"x_{part}"] = np.divide(upright, np.float32(255), dtype=np.float32, order="C")
        arrays[f"y_{part}"] = y[:, 0].astype(np.int64)
    return arrays


def read_numbers(path, columns):
    """Reads a text of numbers 0..255: (lines, columns) uint8."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about an empty file
            numbers = np.loadtxt(path, np.uint8, comments=None, ndmin=2)
    except ValueError:
        numbers = np.empty((0, 0), np.uint8)
    if numbers.shape[1] != columns or len(numbers) == 0:
        idx.check_lines(path, columns)
        raise InputError(f"{path}: empty; get the file again")
    return numbers


# ---- getting the files


def data_for_new_run(split=None, data_root=None):
    """The Data for a run: of the split; without one, of balanced, or else of demo.

    Demo stands in if there is no file of EMNIST and none can be downloaded, but not for a split or
    a data folder that somebody asked for.
    """
    try:
        return open_data(split or "balanced", data_root, download_missing=True)
    except DownloadError as error:
        is_asked_for = split or data_root or os.environ.get("DATA_ROOT")
        files = find_files("balanced", data_root)
        if is_asked_for or files.look_alikes():
            raise
        notice(f"EMNIST cannot be downloaded; training on a small made-up set ({error.__cause__})")
    return open_data("demo", data_root)


def find_again(split, fingerprint, data_roots):
    """The Data that has a fingerprint, in the first of several data folders that holds it.

    Raises:
        FileNotFoundError: no folder holds it; says what was looked for.
    """
    found = []
    for root in dict.fromkeys(map(Path, data_roots)):  # each once
        try:
            files = find_files(split, root)
            exists = files.npz.exists() or not files.missing
        except OSError as error:  # e.g. another user's home
            found.append(f"{root} cannot be read: {error.strerror}")
            continue
        if not exists:
            found.append(f"{root} has none")
            continue
        data = open_data(split, root)
        if data.fingerprint == fingerprint:
            return data
        found.append(f"{root} has other images")
    if split == "demo":
        data = open_data(split, data_roots[0])
        if data.fingerprint == fingerprint:
            return data
    raise FileNotFoundError(
        f"the images of the run, {split}, were not found ({'; '.join(found)}): give their folder "
        "with --data-root"
    )


def download(split="balanced", data_root=None, urls=()):
    """Fetches a split's files that are missing in DATA_ROOT from NIST's zip of all splits.

    urls: addresses of the zip, else URLS, tried in this order. A gzip.zip or emnist-gzip.zip in
    DATA_ROOT is used before any address.

    Returns:
        The paths of the new files.

    Raises:
        DownloadError: they cannot be fetched; says what is missing, why, and what to do.
        ValueError: an existing file is damaged or not NIST's; names it.
    """
    files = find_files(split, data_root)
    members = {}
    for stem in stems_of(split):
        packed = f"{stem}-ubyte.gz"
        if files.sources.get(stem) in (None, files.root / packed):  # NIST's sums are of these
            members[f"gzip/{packed}"] = MD5[f"gzip/{packed}"]
    zips = [files.root / name for name in ZIP_NAMES if (files.root / name).exists()]
    with disk.locked(files.root):
        try:
            return fetch(files.root, members, urls or URLS, zips[0] if zips else None)
        except DownloadError as error:
            raise DownloadError(
                f"{files.what_is_missing()} The download failed ({error}): try again later, put "
                f"NIST's gzip.zip into {files.root}, or train on --split demo"
            ) from error


def draw_demo(root):
    """Draws the demo set into a data folder, as binary files in NIST's format."""
    from support.emnist.demo import draw_demo_set

    notice(f"drawing the demo set in {root}")
    with disk.locked(root):
        idx.write_mapping(root / "emnist-demo-mapping.txt", CLASSES["demo"])
        for part, (x, y) in zip(PARTS, draw_demo_set(), strict=True):
            images, labels = (f"emnist-demo-{part}-{content}-ubyte" for content in CONTENTS)
            idx.write_idx(root / images, x.transpose(0, 2, 1))  # NIST's are transposed
            idx.write_idx(root / labels, y)


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
@click.option("--url", "urls", multiple=True, help="Address of the zip; repeat it for mirrors.")
def download_command(split, data_root, urls):
    """Download a split's files from NIST and check them."""
    if split == "demo":
        train = command_line("autoencoder.py", "train", "--split", "demo")
        raise click.UsageError(f"demo is drawn, not downloaded; run: {train}")
    for path in download(split, data_root, urls) or ["all files are there already"]:
        click.echo(path)


@cli.command()
@split_option
@data_root_option
def prepare(split, data_root):
    """Download a split if it is missing; convert, check and cache it."""
    data = open_data(split, data_root, download_missing=True)
    click.echo(f"split    {split}")
    click.echo(f"images   {len(data.x_train):,} training, {len(data.x_test):,} test")
    click.echo(f"classes  {len(data.names)}: {''.join(data.names.values())}")
    if data.files.npz.exists():  # not in a read-only folder
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
