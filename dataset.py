"""EMNIST's handwritten characters as numpy arrays: upright, checked and cached.

    python dataset.py download    # fetch NIST's files of one split, about 35 MB
    python dataset.py prepare     # the same, then convert and cache: DATA_ROOT/emnist-balanced.npz
    python dataset.py preview     # draw ten images of each class
    python dataset.py demo        # draw a small made-up set, for machines without EMNIST

    from dataset import load_emnist
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced")

convert_idx.sh turns NIST's binary files into text. The text is parsed once and cached as an npz.
After that only the npz is read.
"""

import functools
import os
import shlex
import string
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from support.console import CONTEXT_SETTINGS, Commands, InputError, must_end_in, notice
from support.emnist.download import RETRIES, DownloadError, fetch
from support.emnist.idx import convert, read_mapping, read_numbers, write_idx, write_mapping
from support.files import array_fingerprint, has_changed, locked, read_npz, save_npz, stamp
from support.misnamed import ZIP_NAMES, find_misnamed

# ---- what EMNIST is

IMAGE_SIZE = 28  # pixels a side
PARTS = ("train", "test")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")  # of the cache
CONTENTS = ("images-idx3", "labels-idx1")

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # c, i, j, ... count as C, I, J
CLASSES = {  # split -> the character of each label, as in NIST's mapping files
    "balanced": dict(enumerate(_MERGED)),
    "byclass": dict(enumerate(string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "bymerge": dict(enumerate(_MERGED)),
    "letters": dict(enumerate(string.ascii_uppercase, start=1)),
    "digits": dict(enumerate(string.digits)),
    "mnist": dict(enumerate(string.digits)),
}

MOST_MISNAMED = 3  # files that an error names

URLS = (  # two zips with the same members, all six splits
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",
)
MD5_FILE = Path(__file__).resolve().parent / "support/emnist/nist.md5"  # as md5sum writes it
MD5 = dict(line.split()[::-1] for line in MD5_FILE.read_text("utf-8").splitlines())


# ---- where it lies


@dataclass(frozen=True)
class Split:
    """The files of one split in one folder. Each file is called after its stem:

    emnist-balanced-train-images-idx3-ubyte, or .gz    NIST's binary file, here or in gzip/
    emnist-balanced-train-images-idx3-txt              its text, made by convert_idx.sh

    name: "balanced", "byclass", ... folder: where the files lie. data: "emnist" or "demo".
    """

    name: str
    folder: Path
    data: str = "emnist"

    @property
    def cache(self):
        """The npz that is made from the other files; it may not exist yet."""
        return self.folder / f"emnist-{self.name}.npz"

    @property
    def stems(self):
        return [self.stem(part, content) for part in PARTS for content in CONTENTS]

    def stem(self, part, content):
        return f"emnist-{self.name}-{part}-{content}"

    def ubyte(self, stem):
        """The binary file, in the order in which convert_idx.sh looks for it; None if missing."""
        for folder in (self.folder, self.folder / "gzip"):
            for name in (f"{stem}-ubyte", f"{stem}-ubyte.gz"):
                if (folder / name).is_file():
                    return folder / name
        return None

    def text(self, stem):
        return self.folder / f"{stem}-txt"

    def source(self, stem):
        """The file that the cache is made from: the binary file, or the text if there is none."""
        return self.ubyte(stem) or self.text(stem)

    def sources(self):
        """Those that exist of all stems."""
        found = [self.source(stem) for stem in self.stems]
        return [path for path in found if path.exists()]

    def missing(self):
        """The stems of which there is neither the binary file nor the text."""
        return [stem for stem in self.stems if not self.source(stem).exists()]

    def is_there(self):
        return self.cache.exists() or not self.missing()

    def class_names(self):
        """The character of each label, from the mapping file, else the standard classes."""
        path = self._mapping()
        return read_mapping(path) if path else dict(CLASSES[self.name])

    def _mapping(self):
        name = f"emnist-{self.name}-mapping.txt"
        for path in (self.folder / name, self.folder / "gzip" / name):
            if path.exists():
                return path
        return None

    def check_labels(self, part, y):
        """Refuses labels (N,) that have no character.

        Raises:
            InputError: names the mapping file, or the file of the label and its line.
        """
        unknown = ~np.isin(y, list(self.class_names()))
        if not unknown.any():
            return
        place = unknown.argmax()
        label = y[place]
        if label in CLASSES[self.name]:
            raise InputError(
                f"{self._mapping()} lacks the label {label}, which the data has: get the file "
                "again, or delete it to use the standard classes"
            )
        labels = self.source(self.stem(part, "labels-idx1"))
        raise InputError(
            f"{labels}, line {place + 1}: {label} is not a label of the split; get the file again"
        )

    def download_command(self):
        """The command line that downloads the split into the folder."""
        words = ["python", "dataset.py", "download", "--split", self.name]
        return shlex.join([*words, "--data-root", str(self.folder)])


def is_data_file(name):
    """Whether a file of this name is one of EMNIST's: binary, text, mapping or cache."""
    return name.startswith("emnist-") and name.endswith(("-ubyte", ".gz", "txt", ".npz", ".zip"))


def resolve_root(data_root=None):
    """DATA_ROOT as a Path: the argument, else the environment's DATA_ROOT, else "data"."""
    return Path(os.path.expanduser(data_root or os.environ.get("DATA_ROOT") or "data"))


def split_in(data_root=None, name="balanced", data="emnist"):
    """The Split of "emnist" or "demo" data below a data folder, whether it is there or not."""
    if name not in CLASSES:
        raise InputError(f"unknown split {name!r}; the splits are {', '.join(CLASSES)}")
    root = resolve_root(data_root)
    return Split(name, root / "demo" if data == "demo" else root, data)


# ---- the loader


def load_emnist(split="balanced", data_root=None, scale=True):
    """Loads a split of EMNIST (Cohen, Afshar, Tapson, van Schaik 2017, arXiv:1702.05373).

    Reads DATA_ROOT/emnist-SPLIT.npz. If that cache is missing, damaged or out of date, it is first
    rebuilt from the binary files (or texts) beside it. Nothing is downloaded. If DATA_ROOT cannot
    be written to, the files are converted in a temporary folder and nothing is saved.

    Args:
        split: "balanced", "byclass", "bymerge", "letters", "digits" or "mnist".
        data_root: the folder of the files; by default $DATA_ROOT, else "data".
        scale: True for pixels as float32 in [0, 1], exactly k/255; False for uint8 0..255.

    Returns:
        (x_train, y_train), (x_test, y_test). x: (N, 28, 28), upright, 0 is paper and 1 (255) ink.
        y: (N,) int64, the labels of the files (letters: 1..26); class_names gives their characters.

    Raises:
        FileNotFoundError: the split's files are missing; says what was looked for.
        ValueError: a file is bad; names it, and in a text the line.
    """
    found = split_in(data_root, split)
    x_train, y_train = load_part(found, "train")
    x_test, y_test = load_part(found, "test")
    if not scale:
        x_train = np.rint(x_train * 255).astype(np.uint8)
        x_test = np.rint(x_test * 255).astype(np.uint8)
    return (x_train, y_train), (x_test, y_test)


def class_names(split="balanced", data_root=None):
    """The character of each label of a split: dict of int to str, in the order of the labels.

    Read from DATA_ROOT/emnist-SPLIT-mapping.txt, a line `LABEL ASCII` for each class. (In letters,
    a third column has the lower case, which belongs to the same class; it is ignored.) If there is
    no such file, the split's standard classes are returned.

    Raises:
        ValueError: the mapping file is bad; names it and the line.
    """
    return split_in(data_root, split).class_names()


def load_part(split, part):
    """The images and labels of the "train" or "test" part of a Split: x, y.

    Shapes, types and errors are load_emnist's.
    """
    arrays, _ = _read_or_build(split, [f"x_{part}", f"y_{part}"])
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    split.check_labels(part, y)
    return x, y


def fingerprint_of(split):
    """A hash of all images and labels of a Split, from its cache, which is built if needed."""
    _, fingerprint = _read_or_build(split, [])
    return fingerprint


# ---- from binary files to the cache


def _read_or_build(split, names):
    """These arrays of a split, and the fingerprint of all four."""
    cached = _read_cache(split, names)
    if cached is None:
        if split.missing():
            raise FileNotFoundError(_help_missing(split))
        with locked(split.folder):
            cached = _read_cache(split, names)  # another process may have built it meanwhile
            if cached is None:
                cached = _build_cache(split, names)
    return cached


def _read_cache(split, names):
    """These arrays, and the fingerprint; None if the cache is missing, damaged or stale."""
    try:
        arrays, note = read_npz(split.cache, names)
        _check_shapes(split.cache, arrays)
    except FileNotFoundError:
        return None
    except InputError as error:
        if split.missing():
            raise InputError(
                f"{error}; the files it was made from are gone: delete it and run "
                f"{split.download_command()}"
            ) from error
        notice(f"{error}: rebuilding it")
        return None
    if _is_stale(split, note.get("sources", {})):
        return None
    fingerprint = note.get("fingerprint")
    if fingerprint is None:  # not made by this program
        everything, _ = read_npz(split.cache, ARRAYS)
        fingerprint = array_fingerprint(everything[name] for name in ARRAYS)
    return arrays, fingerprint


def _check_shapes(path, arrays):
    for part in PARTS:
        if f"x_{part}" in arrays:
            x = arrays[f"x_{part}"]
            y = arrays[f"y_{part}"]
            shapes_fit = y.ndim == 1 and len(y) > 0 and x.shape == (len(y), IMAGE_SIZE, IMAGE_SIZE)
            types_fit = x.dtype == np.float32 and y.dtype == np.int64
            if not (shapes_fit and types_fit):
                raise InputError(f"{path}: damaged (its arrays are not images and labels)")


def _is_stale(split, stamps):
    """Whether a source is not the one that the cache was made from; missing ones do not matter."""
    for path in split.sources():
        if path.name in stamps:
            if has_changed(path, stamps[path.name]):
                return True
        elif not path.name.endswith("-txt"):  # a text may be left of a binary file that is gone
            return True
    return False


def _build_cache(split, names):
    """Converts the sources, and saves the cache if the folder can be written to.

    Returns:
        These arrays, and the fingerprint.
    """
    stamps = {path.name: stamp(path) for path in split.sources()}
    if os.access(split.folder, os.W_OK):
        notice(f"converting and caching {split.name} in {split.folder}; this is done once")
        arrays, fingerprint = _convert_and_read(split, split.folder)
        save_npz(split.cache, arrays, {"sources": stamps, "fingerprint": fingerprint})
    else:
        kept, fingerprint = _convert_without_saving(split, str(stamps))
        arrays = {name: kept[name].copy() for name in names}  # callers may change theirs
    return {name: arrays[name] for name in names}, fingerprint


@functools.lru_cache(maxsize=1)
def _convert_without_saving(split, stamps):
    """What _convert_and_read returns; kept in memory for as long as the files are the same."""
    notice(f"{split.folder} is read-only: converting in a temporary folder, nothing is saved")
    with tempfile.TemporaryDirectory(prefix="emnist-") as folder:
        return _convert_and_read(split, Path(folder))


def _convert_and_read(split, text_folder):
    """The four arrays and their fingerprint. Binary files are converted to text_folder."""
    binary_files = [path for path in split.sources() if not path.name.endswith("-txt")]
    convert(split.folder, split.name, text_folder, binary_files)
    arrays = {}
    for part in PARTS:
        stems = [split.stem(part, content) for content in CONTENTS]
        texts = []
        for stem in stems:
            has_binary_file = split.ubyte(stem) is not None
            texts.append(text_folder / f"{stem}-txt" if has_binary_file else split.text(stem))
        x, y = read_texts(*texts)
        if len(x) != len(y):
            images, labels = (split.source(stem) for stem in stems)
            raise InputError(
                f"{images} has {len(x)} images, but {labels} has {len(y)} labels; get both files "
                "again from the same source"
            )
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    return arrays, array_fingerprint(arrays[name] for name in ARRAYS)


def read_texts(images, labels):
    """Reads a text of images and the text of their labels: x (N, 28, 28) float32, y (N,) int64.

    Raises:
        InputError: a text is bad; names it and the line.
    """
    x = read_numbers(images, IMAGE_SIZE * IMAGE_SIZE)
    y = read_numbers(labels, 1)[:, 0]
    upright = x.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)  # NIST's are transposed
    return np.divide(upright, np.float32(255), dtype=np.float32, order="C"), y.astype(np.int64)


# ---- finding, downloading, drawing


def find_data(data="auto", split="balanced", data_root=None):
    """Decides which data to use; if needed, downloads EMNIST or draws the demo set.

    Args:
        data: "emnist": the split's files, downloaded if they are missing; "demo": the made-up set;
            "auto": emnist, and demo if no file is there and none can be downloaded.
        split, data_root: as for load_emnist.

    Returns:
        The Split.

    Raises:
        FileNotFoundError: the files are missing, cannot be downloaded, and demo is not allowed.
        ValueError: an existing file is bad; names it.
    """
    if data == "demo":
        return _find_demo(data_root)
    emnist = split_in(data_root, split)
    if emnist.is_there():
        return emnist
    try:
        download(split, data_root, retries=0 if data == "auto" else RETRIES)
        return emnist
    except DownloadError as error:
        some_are_there = len(emnist.missing()) < len(emnist.stems) or find_misnamed(emnist.folder)
        if data == "emnist" or split != "balanced" or some_are_there:
            raise FileNotFoundError(f"{_help_missing(emnist)} ({error})") from error
        reason = error.__cause__
        notice(f"no EMNIST {split} in {emnist.folder}: using the built-in demo set ({reason})")
    return _find_demo(data_root)


def find_again(data, name, fingerprint, data_roots):
    """Finds the data that a fingerprint belongs to, in the first of several data folders.

    data: "emnist" or "demo". name: of the split. fingerprint: what fingerprint_of gave.

    Raises:
        FileNotFoundError: the data are in none of the folders.
        InputError: there are only other data.
    """
    candidates = [split_in(root, name, data) for root in data_roots]
    found = [candidate for candidate in candidates if candidate.is_there()]
    if data == "demo" and not found:
        found = [_find_demo(data_roots[-1])]
    for candidate in found:
        if fingerprint_of(candidate) == fingerprint:
            return candidate
    if found:
        raise InputError(
            f"{found[0].folder} holds images that are not the run's: give the folder of the run's "
            "data with --data-root"
        )
    folders = ", ".join(str(candidate.folder) for candidate in candidates)
    raise FileNotFoundError(
        f"the run's data, EMNIST {name}, are missing in {folders}: give their folder with "
        "--data-root"
    )


def download(split="balanced", data_root=None, urls=(), retries=RETRIES):
    """Fetches a split's files that are missing in DATA_ROOT from NIST's zip of all splits.

    urls: addresses of the zip, else URLS, tried in this order, each again up to `retries` times. A
    gzip.zip or emnist-gzip.zip in DATA_ROOT is used before any address.

    Returns:
        The paths of the new files.

    Raises:
        DownloadError: they cannot be fetched; says why for each address, and what to do.
        ValueError: an existing file is damaged or not NIST's; names it.
    """
    target = split_in(data_root, split)
    members = {}
    for stem in target.stems:
        packed = target.folder / f"{stem}-ubyte.gz"
        if target.ubyte(stem) in (None, packed):  # the sum of an unpacked file is not known
            members[f"gzip/{packed.name}"] = MD5[f"gzip/{packed.name}"]
    zips = [target.folder / name for name in ZIP_NAMES if (target.folder / name).exists()]
    with locked(target.folder):
        try:
            return fetch(target.folder, members, urls or URLS, zips[0] if zips else None, retries)
        except DownloadError as error:
            raise DownloadError(
                f"cannot download {split}: {error}. Try again later, or put a gzip.zip from "
                f"elsewhere into {target.folder}, or use: python autoencoder.py train --data demo"
            ) from error


def _find_demo(data_root):
    """The demo set below a data folder; it is drawn if it is missing."""
    split = split_in(data_root, data="demo")
    if not split.is_there():
        write_demo(split.folder)
    return split


def write_demo(folder):
    """Draws the demo set into `folder`, as binary files with Balanced's names and layout."""
    from support.emnist.demo import draw_demo_set

    notice(f"drawing the demo set in {folder}")
    split = Split("balanced", folder, "demo")
    with locked(folder):
        write_mapping(folder / "emnist-balanced-mapping.txt", CLASSES["balanced"])
        for part, (x, y) in zip(PARTS, draw_demo_set(IMAGE_SIZE), strict=True):
            images = folder / f"{split.stem(part, 'images-idx3')}-ubyte"
            labels = folder / f"{split.stem(part, 'labels-idx1')}-ubyte"
            write_idx(images, x.transpose(0, 2, 1))  # NIST's files hold each image transposed
            write_idx(labels, y)


def _help_missing(split):
    names = ", ".join(f"{stem}-ubyte.gz" for stem in split.missing())
    sentences = [
        f"Missing in {split.folder}: {names}.",
        f"Run: {split.download_command()}; or give the folder of NIST's files with --data-root.",
        *find_misnamed(split.folder)[:MOST_MISNAMED],
    ]
    return " ".join(sentences)


# ---- the command line

split_option = click.option(
    "--split", type=click.Choice(list(CLASSES)), default="balanced", help="Which split of EMNIST."
)
data_root_option = click.option(
    "--data-root",
    type=click.Path(file_okay=False),
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
    for path in download(split, data_root, urls) or ["all files are there already"]:
        click.echo(path)


@cli.command()
@split_option
@data_root_option
def prepare(split, data_root):
    """Download a split if it is missing; convert, check and cache it."""
    found = find_data("emnist", split, data_root)
    x_train, _ = load_part(found, "train")
    x_test, _ = load_part(found, "test")
    names = found.class_names()
    click.echo(f"split    {split}")
    click.echo(f"images   {len(x_train):,} training, {len(x_test):,} test")
    click.echo(f"classes  {len(names)}: {''.join(names.values())}")
    if found.cache.exists():  # not in a read-only folder
        click.echo(f"cache    {found.cache}")


@cli.command()
@split_option
@data_root_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    callback=must_end_in(".png"),
    show_default="preview-SPLIT.png",
    help="The picture.",
)
def preview(split, data_root, out):
    """Draw the first ten training images of each class."""
    from support.charts import draw_preview

    found = split_in(data_root, split)
    out = Path(out or f"preview-{split}.png")
    x, y = load_part(found, "train")
    images_of_class = {name: x[y == label] for label, name in found.class_names().items()}
    draw_preview(out.resolve(), images_of_class)
    click.echo(out)


@cli.command()
@data_root_option
def demo(data_root):
    """Draw the made-up demo set into DATA_ROOT/demo."""
    folder = split_in(data_root, data="demo").folder
    write_demo(folder)
    click.echo(folder)


if __name__ == "__main__":
    cli()
