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

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends without traceback

import os
import shlex
import string
from pathlib import Path

import click
import numpy as np

from support.console import CONTEXT_SETTINGS, Commands, InputError, notice
from support.download import RETRIES, DownloadError
from support.download import download as fetch_members
from support.files import is_stale, locked, read_npz, replacing, save_npz, take_note, writable
from support.formats import convert, read_images, read_mapping, write_idx

IMAGE_SIZE = 28  # pixels a side
PIXELS = IMAGE_SIZE * IMAGE_SIZE
PARTS = ("train", "test")
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

URLS = (  # two zips with the same members, all six splits
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",
)
MD5_FILE = Path(__file__).parent / "support/nist.md5"  # as md5sum writes it
MD5 = dict(line.split()[::-1] for line in MD5_FILE.read_text().splitlines())  # path in the zip: sum

# ---- the loader


def load_emnist(split="balanced", data_root=None, scale=True):
    """Loads a split of EMNIST (Cohen, Afshar, Tapson, van Schaik 2017, arXiv:1702.05373).

    Reads DATA_ROOT/emnist-SPLIT.npz. If that cache is missing, damaged or out of date, it is first
    rebuilt from the text or ubyte files beside it. Nothing is downloaded. If DATA_ROOT cannot be
    written to, the files are converted in a temporary folder and nothing is saved.

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
    root = resolve_root(data_root)
    check_split(split)
    arrays = _read_cache(split, root)
    if arrays is None:
        if missing := missing_files(split, root):
            raise FileNotFoundError(_help_missing(split, root, missing))
        with locked(root):
            arrays = _read_cache(split, root) or _make_cache(split, root)  # built while we waited?
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    if not scale:
        x_train, x_test = (np.rint(x * 255).astype(np.uint8) for x in (x_train, x_test))
    return (x_train, arrays["y_train"]), (x_test, arrays["y_test"])


def class_names(split="balanced", data_root=None):
    """The character of each label of a split: dict of int to str, in the order of the labels.

    Read from DATA_ROOT/emnist-SPLIT-mapping.txt, a line `LABEL ASCII` for each class. (In letters,
    a third column has the lower case, which belongs to the same class; it is ignored.) If there is
    no such file, the split's standard classes are returned.

    Raises:
        ValueError: the mapping file is bad; names it and the line.
    """
    check_split(split)
    path = resolve_root(data_root) / f"emnist-{split}-mapping.txt"
    return read_mapping(path) if path.exists() else dict(CLASSES[split])


def find_data(data="auto", split="balanced", data_root=None):
    """Decides which data to use; if needed, downloads EMNIST or draws the demo set.

    Args:
        data: "emnist": the split's files, downloaded if they are missing; "demo": the made-up set;
            "auto": emnist, and demo if the files are missing and a first download fails.
        split, data_root: as for load_emnist.

    Returns:
        "emnist" or "demo"; data_folder returns the folder of its files.

    Raises:
        FileNotFoundError: the files are missing, cannot be downloaded, and demo is not allowed.
        ValueError: an existing file is bad; names it.
    """
    root = resolve_root(data_root)
    check_split(split)
    if data != "demo":
        if (root / f"emnist-{split}.npz").exists() or not (missing := missing_files(split, root)):
            return "emnist"
        try:
            download(split, root, retries=0 if data == "auto" else RETRIES)
            return "emnist"
        except DownloadError as error:
            none_is_there = len(missing) == len(_files(split, root, "txt"))
            if data == "emnist" or split != "balanced" or not none_is_there:
                message = f"{_help_missing(split, root, missing)}; {error}"
                raise FileNotFoundError(message) from error
            reason = error.__cause__ or error
            notice(f"no EMNIST files in {root}: using the built-in demo set ({reason})")
    data_folder("demo", root)
    return "demo"


def download(split="balanced", data_root=None, urls=(), retries=RETRIES):
    """Fetches a split's files that are missing in DATA_ROOT from NIST's zip of all splits.

    urls: addresses of the zip, else URLS, tried in this order, each again up to `retries` times. A
    gzip.zip in DATA_ROOT is used before any address.

    Returns:
        The paths of the new files.

    Raises:
        DownloadError: they cannot be fetched; says why for each address, and what to do.
        ValueError: an existing file is damaged or not NIST's; names it.
    """
    root = resolve_root(data_root)
    check_split(split)
    with locked(root):
        paths = [f"gzip/{file.name}" for file in ubyte_files(split, root)]
        members = {path: MD5[path] for path in paths if path in MD5}  # unpacked ones have no sum
        try:
            return fetch_members(root, members, urls or URLS, root / "gzip.zip", retries)
        except DownloadError as error:
            raise DownloadError(
                f"cannot download {split} ({error}): try again later, or put a gzip.zip from "
                f"elsewhere into {root}, or use: python autoencoder.py train --data demo"
            ) from error


def data_folder(data, data_root=None):
    """The folder of "emnist" or "demo", for load_emnist; draws the demo set if it is missing."""
    root = resolve_root(data_root)
    if data == "emnist":
        return root
    if missing_files("balanced", root / "demo"):
        write_demo(root / "demo")
    return root / "demo"


def write_demo(folder):
    """Draws the demo set into `folder`, as ubyte files with Balanced's names and layout."""
    from support.demo import draw_demo_set

    notice(f"drawing the demo set in {folder}")
    mapping = "".join(f"{label} {ord(name)}\n" for label, name in CLASSES["balanced"].items())
    with locked(folder):
        with replacing(folder / "emnist-balanced-mapping.txt") as unfinished:
            unfinished.write_text(mapping)
        for part, (x, y) in zip(PARTS, draw_demo_set(), strict=True):
            images, labels = (folder / f"emnist-balanced-{part}-{c}-ubyte" for c in CONTENTS)
            write_idx(images, x.transpose(0, 2, 1))  # NIST's files hold each image transposed
            write_idx(labels, y)


# ---- from ubyte files to arrays


def _read_cache(split, root):
    """The four arrays of a split's cache; None if it must be built."""
    path = root / f"emnist-{split}.npz"
    sources_there = not missing_files(split, root)
    try:
        arrays, note = read_npz(path)
        if not all(_is_set(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in PARTS):
            raise InputError(f"{path}: damaged (its arrays are not images and labels)")
    except FileNotFoundError:
        return None
    except (InputError, KeyError) as error:
        if not sources_there:
            raise InputError(
                f"{path} is damaged, and the files it was made from are gone: delete it and run "
                f"python dataset.py download --split {split} --data-root {shlex.quote(str(root))}"
            ) from error
        notice(f"{path} is damaged: rebuilding it")
        return None
    if is_stale(note, take_note(*source_files(split, root))) and (note or sources_there):
        return None
    return arrays


def _is_set(x, y):
    shapes_fit = y.ndim == 1 and len(y) and x.shape == (len(y), IMAGE_SIZE, IMAGE_SIZE)
    return shapes_fit and x.dtype == np.float32 and y.dtype == np.int64


def _make_cache(split, root):
    """Builds the four arrays of a split, and its cache if DATA_ROOT can be written to."""
    mapping = root / f"emnist-{split}-mapping.txt"
    with writable(root, *source_files(split, root), mapping) as folder:
        if folder == root:
            notice(f"converting and caching {split} in {root}; this is done once")
        else:
            notice(f"{root} is read-only: converting {split} elsewhere, nothing is saved")
        arrays, note = read_texts(split, folder)
        if folder == root:
            save_npz(root / f"emnist-{split}.npz", arrays, note)
    return arrays


def read_texts(split, root):
    """The four arrays of a split from its text, and the note of the files they were made from.

    convert_idx.sh rebuilds a text that is missing or does not have its ubyte file's time.

    Raises:
        ValueError: a file is bad; names it.
    """
    note = take_note(*ubyte_files(split, root))
    convert(Path(__file__).with_name("convert_idx.sh"), root, split)
    note |= take_note(*_files(split, root, "txt"))
    arrays = {}
    names = class_names(split, root)
    for part in PARTS:
        images, labels = (root / f"emnist-{split}-{part}-{content}-txt" for content in CONTENTS)
        x, y = read_images(images, labels, PIXELS, names)
        x = x.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)  # stored transposed
        arrays[f"x_{part}"] = np.divide(x, np.float32(255), dtype=np.float32, order="C")
        arrays[f"y_{part}"] = y.astype(np.int64)
    return arrays, note


# ---- names of files


def resolve_root(data_root=None):
    """DATA_ROOT as a Path: the argument, else the environment's DATA_ROOT, else "data"."""
    return Path(data_root or os.environ.get("DATA_ROOT") or "data")


def check_split(split):
    if split not in CLASSES:
        raise InputError(f"unknown split {split!r}; the splits are {', '.join(CLASSES)}")


def _files(split, root, ending):
    return [root / f"emnist-{split}-{part}-{c}-{ending}" for part in PARTS for c in CONTENTS]


def ubyte_files(split, root):
    """The four files that convert_idx.sh reads: plain ones, or .gz if there is no plain one."""
    pairs = zip(_files(split, root, "ubyte"), _files(split, root, "ubyte.gz"), strict=True)
    return [plain if plain.exists() else gz for plain, gz in pairs]


def source_files(split, root):
    """The files that a split's cache is made from."""
    return [*ubyte_files(split, root), *_files(split, root, "txt")]


def data_files(split, root):
    """The cache of a split, and the files it is made from."""
    return [root / f"emnist-{split}.npz", *source_files(split, root)]


def missing_files(split, root):
    """The ubyte files that are needed for the cache and missing: their text is missing too."""
    pairs = zip(ubyte_files(split, root), _files(split, root, "txt"), strict=True)
    return [ubyte for ubyte, text in pairs if not (ubyte.exists() or text.exists())]


def _help_missing(split, root, missing):
    names = ", ".join(path.name for path in missing)
    return (
        f"no {names} in {root}, nor the plain file or its text: put NIST's files of the {split} "
        "split there (README, 'Get EMNIST'), or give their folder with --data-root"
    )


# ---- the command line


split_option = click.option(
    "--split", type=click.Choice(list(CLASSES)), default="balanced", help="Which split of EMNIST."
)
data_root_option = click.option(
    "--data-root", envvar="DATA_ROOT", default="data", show_envvar=True, help="The data folder."
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
    find_data("emnist", split, data_root)
    (x_train, _), (x_test, _) = load_emnist(split, data_root)
    names = class_names(split, data_root)
    click.echo(f"split    {split}")
    click.echo(f"images   {len(x_train):,} training, {len(x_test):,} test")
    click.echo(f"classes  {len(names)}: {''.join(names.values())}")
    click.echo(f"cache    {resolve_root(data_root) / f'emnist-{split}.npz'}")


@cli.command()
@split_option
@data_root_option
@click.option(
    "--out", type=click.Path(dir_okay=False), show_default="preview-SPLIT.png", help="The picture."
)
def preview(split, data_root, out):
    """Draw the first ten training images of each class."""
    from support.pictures import draw_strips

    (x, y), _ = load_emnist(split, data_root)
    present = {name: y == label for label, name in class_names(split, data_root).items()}
    present = {name: where for name, where in present.items() if where.any()}
    strips = [np.hstack([*x[where][:10]]) for where in present.values()]
    out = out or f"preview-{split}.png"
    draw_strips(out, strips, list(present), columns=4)
    click.echo(out)


@cli.command()
@data_root_option
def demo(data_root):
    """Draw the made-up demo set into DATA_ROOT/demo."""
    folder = resolve_root(data_root) / "demo"
    write_demo(folder)
    click.echo(folder)


if __name__ == "__main__":
    cli()
