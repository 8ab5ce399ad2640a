"""EMNIST's handwritten characters as numpy arrays: upright, checked and cached.

    python dataset.py download    # NIST's files of one split, about 35 MB of a zip of 562
    python dataset.py prepare     # that and everything up to the cache, DATA_ROOT/emnist-balanced.npz
    python dataset.py preview     # a picture: ten images of each class
    python dataset.py demo        # a small made-up set, for machines without EMNIST

    from dataset import load_emnist
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced")

NIST's binary files become text (convert_idx.sh), the text is parsed once into an npz, and from then
on the npz is read: 112,800 images in well under a second.
"""

import contextlib
import errno
import fcntl
import os
import string
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import click
import numpy as np

IMAGE_SIZE = 28  # pixels a side
PIXELS = IMAGE_SIZE * IMAGE_SIZE
PARTS = ("train", "test")
KINDS = ("images-idx3", "labels-idx1")

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # c, i, j, ... join their capitals
CLASSES = {  # split -> the character of each label, as in NIST's mapping files
    "balanced": dict(enumerate(_MERGED)),
    "byclass": dict(enumerate(string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "bymerge": dict(enumerate(_MERGED)),
    "letters": dict(enumerate(string.ascii_uppercase, start=1)),
    "digits": dict(enumerate(string.digits)),
    "mnist": dict(enumerate(string.digits)),
}

# What np.load and reading from what it gives raise for a file that is damaged or no npz.
BAD_NPZ = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError)

URLS = (  # two zips of the same members, all six splits
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",
)
PAUSES = (1, 4, 15)  # seconds before each further try at an address

# ---- the loader


def load_emnist(split="balanced", data_root=None, scale=True):
    """Loads a split of EMNIST (Cohen, Afshar, Tapson, van Schaik 2017, arXiv:1702.05373).

    Reads DATA_ROOT/emnist-SPLIT.npz, which is made first, from the text or the ubyte files beside
    it, where it is missing, unreadable or older than they are. Nothing is downloaded. Where
    DATA_ROOT cannot be written to, all is made in a temporary folder and nothing is kept.

    Args:
        split: "balanced", "byclass", "bymerge", "letters", "digits" or "mnist".
        data_root: the folder of the files; by default $DATA_ROOT, else "data".
        scale: whether pixels are float32 in [0, 1], exactly k/255, or uint8 0..255.

    Returns:
        (x_train, y_train), (x_test, y_test). x: (N, 28, 28), upright, 0 is paper and 1 (255) ink.
        y: (N,) int64, the labels of the files (letters: 1..26); class_names gives their characters.

    Raises:
        FileNotFoundError: the split's files are not there; says what was looked for.
        ValueError: a file is bad; names it, with the line where it has lines.
    """
    root = resolve_root(data_root)
    check_split(split)
    arrays = _read_cache(split, root)
    if arrays is None:
        missing = _missing(split, root, cache_will_do=False)
        if missing:
            raise FileNotFoundError(_help_missing(split, root, missing))
        with locked(root):
            arrays = _read_cache(split, root) or _make_cache(split, root)  # made while we waited?
    x_train, x_test = arrays["x_train"], arrays["x_test"]
    if not scale:
        x_train, x_test = (np.rint(x * 255).astype(np.uint8) for x in (x_train, x_test))
    return (x_train, arrays["y_train"]), (x_test, arrays["y_test"])


def class_names(split="balanced", data_root=None):
    """The character of each label of a split: dict of int to str, in the order of the labels.

    Read from DATA_ROOT/emnist-SPLIT-mapping.txt (its second column; the third that letters has, the
    lower case that a class also stands for, is left out), else the split's standard classes.

    Raises:
        ValueError: the mapping file is bad; names it and the line.
    """
    check_split(split)
    path = mapping_file(split, resolve_root(data_root))
    return read_mapping(path, path) if path.exists() else dict(CLASSES[split])


def find_data(data="auto", split="balanced", data_root=None, urls=URLS):
    """Decides which data there are to work with; downloads them, or draws the demo set.

    Args:
        data: "emnist": the split's files, fetched where they are not there; "demo": the made-up
            set; "auto": emnist, fetched at the first try, else demo.
        split, data_root, urls: as for download; without urls nothing is fetched.

    Returns:
        (found, folder): "emnist" or "demo", and the folder to pass to load_emnist as data_root.

    Raises:
        FileNotFoundError: the files are not there, cannot be fetched, and demo is no answer.
        ValueError: a file that is there is bad; names it.
    """
    root = resolve_root(data_root)
    check_split(split)
    if data != "demo":
        missing = _missing(split, root)
        if not missing:
            return "emnist", root
        tried = ""
        try:
            if urls:
                from support.download import download

                download(split, root, urls, pauses=() if data == "auto" else PAUSES)
                return "emnist", root
        except OSError as error:
            tried = f"; {error}"
        if data == "emnist" or split != "balanced" or len(missing) < len(_texts(split, root)):
            raise FileNotFoundError(_help_missing(split, root, missing) + tried)
        notice(f"no EMNIST files in {root}: going on with the built-in demo set{tried}")
    folder = root / "demo"
    if _missing("balanced", folder):
        write_demo(folder)
    return "demo", folder


def write_demo(folder, **sizes):
    """Draws the demo set into `folder`, as ubyte files with Balanced's own names and layout.

    sizes: train_per_class and test_per_class, as draw_demo_set takes them.
    """
    from support.demo import draw_demo_set

    notice(f"drawing the demo set in {folder}")
    mapping = "".join(f"{label} {ord(name)}\n" for label, name in CLASSES["balanced"].items())
    with locked(folder):
        with replacing(mapping_file("balanced", folder)) as unfinished:
            unfinished.write_text(mapping)
        for part, (x, y) in zip(PARTS, draw_demo_set(**sizes)):
            images, labels = (folder / f"emnist-balanced-{part}-{kind}-ubyte" for kind in KINDS)
            _write_idx(images, x.transpose(0, 2, 1))  # NIST's files hold each image transposed
            _write_idx(labels, y)


# ---- from ubyte files to arrays


def _make_cache(split, root):
    """The four arrays of a split, and its cache where DATA_ROOT can be written to."""
    names = [*ubyte_files(split, root), *_texts(split, root), mapping_file(split, root)]
    try:
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        notice(f"{root} is read-only: converting {split} in a temporary folder, to be kept nowhere")
        with tempfile.TemporaryDirectory(prefix="emnist-") as place:
            for path in filter(Path.exists, names):
                (Path(place) / path.name).symlink_to(path.resolve())
            try:
                return _parse(split, Path(place))
            except ValueError as error:
                raise ValueError(str(error).replace(place, str(root))) from error
    notice(f"converting and caching {split} in {root}, once")
    arrays = _parse(split, root)
    with replacing(root / f"emnist-{split}.npz") as unfinished, open(unfinished, "wb") as file:
        np.savez(file, **arrays)
    return arrays


def _parse(split, root):
    """The four arrays of a split, from its text, which convert_idx.sh makes first where need be."""
    script = Path(__file__).with_name("convert_idx.sh")
    command = ["bash", str(script), str(root), split]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise ValueError("; ".join(done.stderr.splitlines()) or f"{script} failed")

    arrays = {}
    names = class_names(split, root)
    for part in PARTS:
        images, labels = (root / f"emnist-{split}-{part}-{kind}-ubyte-txt" for kind in KINDS)
        x, y = _read_text(images, PIXELS), _read_text(labels, 1)[:, 0]
        if len(x) != len(y):
            raise ValueError(f"{images} has {len(x)} lines, but {labels} has {len(y)}")
        strange = ~np.isin(y, list(names))
        if strange.any():
            line = strange.argmax()
            raise ValueError(f"{labels}, line {line + 1}: {y[line]} is not a label of {split}")
        x = x.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)  # the files' images lie
        arrays[f"x_{part}"] = np.divide(x, np.float32(255), dtype=np.float32, order="C")
        arrays[f"y_{part}"] = y.astype(np.int64)
    return arrays


def _read_text(path, columns):
    """(lines, columns) uint8 from a text of numbers 0..255; ValueError names the first bad line."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of an empty file; it is refused below
            numbers = np.loadtxt(path, np.uint8, comments=None, ndmin=2, encoding="latin-1")
    except ValueError:
        numbers = np.empty((0, columns), np.uint8)
    # loadtxt passes over blank lines, and its messages count lines now this way, now that.
    if not len(numbers) or numbers.shape != (_count_lines(path), columns):
        raise ValueError(f"{path}{_first_fault(path, columns)}; delete it and it is made anew")
    return numbers


def _count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _first_fault(path, columns):
    longest = 8 * columns + 8  # bytes; a longer line is none of ours, and might not fit memory
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(longest), b""), start=1):
            fields = line.split()
            if len(fields) != columns or not line.endswith(b"\n"):
                return f", line {number}: expected {columns} numbers and the line's end"
            for field in fields:
                if not (field.isdigit() and len(field) < 4 and int(field) < 256):
                    return f", line {number}: {field.decode('latin-1')[:20]!r} is not 0..255"
    return f": expected lines of {columns} numbers 0..255"


def _read_cache(split, root):
    """The four arrays of a split's cache; None where there is none, or it is old or damaged."""
    path = root / f"emnist-{split}.npz"
    if not path.exists() or _is_older(path, _texts(split, root) + ubyte_files(split, root)):
        return None
    try:
        with np.load(path) as file:
            arrays = {f"{a}_{part}": file[f"{a}_{part}"] for part in PARTS for a in "xy"}
        if all(_is_set(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in PARTS):
            return arrays
    except BAD_NPZ:
        pass
    notice(f"{path}: not a readable cache; making it anew")
    return None


def _is_set(x, y):
    shapes_fit = y.ndim == 1 and len(y) and x.shape == (len(y), IMAGE_SIZE, IMAGE_SIZE)
    return shapes_fit and x.dtype == np.float32 and y.dtype == np.int64


def read_mapping(path, name):
    """Reads a mapping file, called `name` in errors: dict of label to character."""
    names = {}
    for number, line in enumerate(path.read_text("latin-1").splitlines(), start=1):
        fields = line.split()
        if not (2 <= len(fields) <= 3 and all(f.isdecimal() and len(f) < 4 for f in fields)):
            raise ValueError(f"{name}, line {number}: expected LABEL ASCII, two numbers")
        label, code = int(fields[0]), int(fields[1])
        if not 32 < code < 127:
            raise ValueError(f"{name}, line {number}: {code} is not the ASCII code of a character")
        if label in names or chr(code) in names.values():
            raise ValueError(f"{name}, line {number}: a label or character stands there twice")
        names[label] = chr(code)
    if not names:
        raise ValueError(f"{name}: empty, expected a line LABEL ASCII for each class")
    return dict(sorted(names.items()))


def _write_idx(path, array):
    """Writes a uint8 array as idx: magic number (2049 for 1 axis, 2051 for 3), sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    with replacing(path) as unfinished:
        unfinished.write_bytes(header + array.astype(np.uint8).tobytes())


# ---- files


def resolve_root(data_root=None):
    """DATA_ROOT as a Path: the argument, else the environment's DATA_ROOT, else "data"."""
    return Path(data_root or os.environ.get("DATA_ROOT") or "data")


@contextlib.contextmanager
def temporary(path):
    """Gives a name beside `path` to write to; what was written is removed at the block's end."""
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield unfinished
    except OSError as error:
        if error.errno and not error.filename:  # a full disk does not say where
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path):
    """Gives a name beside `path` to write to; the file there then replaces `path` in one step.

    Whatever ends the block early, `path` is left as it was and nothing half-written stays.
    """
    with temporary(Path(path)) as unfinished:
        yield unfinished
        os.replace(unfinished, path)


@contextlib.contextmanager
def locked(folder, wait=True):
    """Keeps others out of a folder; makes it, and removes what killed processes left there.

    Another process that wants it waits, or gets an OSError where `wait` is false. The lock is held
    on the folder itself and ends with its process, so there is no stale one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise OSError(f"another process is at work in {folder}; wait for it") from None
            notice(f"another process is at work in {folder}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        for path in folder.glob(".*-*"):
            process = path.name[1:].partition("-")[0]
            if process.isdecimal() and not _is_running(int(process)):
                with contextlib.suppress(OSError):
                    path.unlink()
        yield
    finally:
        os.close(handle)


def _is_running(process):
    try:
        os.kill(process, 0)
        return (
            "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
        )  # killed, yet listed
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's, or a system without /proc
        return True


def _stems(split, root):
    return [root / f"emnist-{split}-{part}-{kind}-ubyte" for part in PARTS for kind in KINDS]


def _texts(split, root):
    return [stem.with_name(f"{stem.name}-txt") for stem in _stems(split, root)]


def ubyte_files(split, root):
    """The ubyte file that convert_idx.sh reads for each stem: plain wins over .gz."""
    return [s if s.exists() else s.with_name(f"{s.name}.gz") for s in _stems(split, root)]


def mapping_file(split, root):
    return root / f"emnist-{split}-mapping.txt"


def _missing(split, root, cache_will_do=True):
    """The ubyte files that are wanted: neither they nor their text are there, nor the cache."""
    if cache_will_do and (root / f"emnist-{split}.npz").exists():
        return []
    pairs = zip(ubyte_files(split, root), _texts(split, root))
    return [ubyte for ubyte, text in pairs if not (ubyte.exists() or text.exists())]


def _help_missing(split, root, missing):
    names = ", ".join(path.name for path in missing)
    return (
        f"no {names} in {root}, nor the plain file or the text of it: put NIST's files of the "
        f"{split} split there (README, 'Get EMNIST'), or name their folder with --data-root"
    )


def _is_older(path, upstream):
    made = path.stat().st_mtime_ns
    return any(file.exists() and file.stat().st_mtime_ns > made for file in upstream)


def check_split(split):
    if split not in CLASSES:
        raise ValueError(f"unknown split {split!r}; the splits are {', '.join(CLASSES)}")


# ---- the command line


def notice(message):
    """Progress and notices go to stderr, so that stdout holds results alone."""
    click.echo(message, err=True)


class Commands(click.Group):
    """A group whose commands fail in one line: exit 1 for what is bad, 130 after Ctrl-C."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (OSError, ValueError, MemoryError) as error:
            raise click.ClickException(str(error) or type(error).__name__) from error
        except KeyboardInterrupt as interrupt:
            notice(f"Interrupted; {interrupt}" if str(interrupt) else "Interrupted.")
            sys.exit(130)


SETTINGS = {"show_default": True, "help_option_names": ["-h", "--help"]}
split_option = click.option(
    "--split", type=click.Choice(list(CLASSES)), default="balanced", help="Which part of EMNIST."
)
data_root_option = click.option(
    "--data-root", envvar="DATA_ROOT", default="data", show_envvar=True, help="The data's folder."
)


@click.group(cls=Commands, context_settings=SETTINGS)
def cli():
    """EMNIST's handwritten characters as numpy arrays: upright, checked and cached."""


@cli.command("download")
@split_option
@data_root_option
@click.option("--url", "urls", multiple=True, default=URLS, help="Where NIST's zip is.")
def download_command(split, data_root, urls):
    """Fetch a split's files from NIST, and check them."""
    from support.download import download

    for path in download(split, data_root, urls) or ["all there already"]:
        click.echo(path)


@cli.command()
@split_option
@data_root_option
def prepare(split, data_root):
    """Fetch a split where it is not there, convert, check and cache it."""
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
@click.option("--out", type=click.Path(dir_okay=False), help="[default: preview-SPLIT.png]")
def preview(split, data_root, out):
    """Draw the first ten training images of each class."""
    from support.pictures import draw_strips

    (x, y), _ = load_emnist(split, data_root)
    names = class_names(split, data_root)
    strips = [np.hstack([*x[y == label][:10]]) for label in names if (y == label).any()]
    out = out or f"preview-{split}.png"
    draw_strips(out, strips, [names[label] for label in names if (y == label).any()], columns=4)
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
