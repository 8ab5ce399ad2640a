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
import hashlib
import os
import string
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import click
import numpy as np

IMAGE_SIZE = 28  # pixels a side
PIXELS = IMAGE_SIZE * IMAGE_SIZE
INK_SIZE = 23.5  # pixels of the longer side of a character in it, its palest ink counted
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
LARGEST_ZIP = 1 << 30  # bytes; NIST's is 561,753,746
LARGEST_MEMBER = 16 + 697_932 * PIXELS  # no file of EMNIST is longer, even unpacked
_MD5 = """
byclass train 712dda0bd6f00690f32236ae4325c377 ee299a3ee5faf5c31e9406763eae7e43
byclass test 1435209e34070a9002867a9ab50160d7 7a0f934bd176c798ecba96b36fda6657
bymerge train 4a792d4df261d7e1ba27979573bf53f3 491be69ef99e1ab1f5b7f9ccc908bb26
bymerge test 8eb5d34c91f1759a55831c37ec2a283f c13f4cd5211cdba1b8fa992dae2be992
balanced train 4041b0d6f15785d3fa35263901b5496b 7a35cc7b2b7ee7671eddf028570fbd20
balanced test 6818d20fe2ce1880476f747bbc80b22b acd3694070dcbf620e36670519d4b32f
letters train 8795078f199c478165fe18db82625747 c16de4f1848ddcdddd39ab65d2a7be52
letters test 382093a19703f68edac6d01b8dfdfcad d4108920cd86601ec7689a97f2de7f59
digits train d2662ecdc47895a6bbfce25de9e9a677 2223fcfee618ac9c89ef20b6e48bcf9e
digits test a159b8b3bd6ab4ed4793c1cb71a2f5cc 8afde66ea51d865689083ba6bb779fac
mnist train 3663598a39195d030895b6304abb5065 6c092f03c9bb63e678f80f8bc605fe37
mnist test fb51b6430fc4dd67deaada1bf25d4524 ae7f6be798a9a5d5f2bd32e078a402dd
"""
CHECKSUMS = {  # file name -> md5
    f"emnist-{split}-{part}-{kind}-ubyte.gz": md5
    for split, part, *both in map(str.split, _MD5.strip().splitlines())
    for kind, md5 in zip(KINDS, both)
}

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
    _check_split(split)
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
    _check_split(split)
    path = _mapping(split, resolve_root(data_root))
    return _read_mapping(path, path) if path.exists() else dict(CLASSES[split])


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
    _check_split(split)
    if data != "demo":
        missing = _missing(split, root)
        if not missing:
            return "emnist", root
        failure = _help_missing(split, root, missing)
        try:
            if urls:
                download(split, root, urls, pauses=() if data == "auto" else PAUSES)
                return "emnist", root
        except OSError as error:
            failure += f"; {error}"
        if data == "emnist" or split != "balanced" or len(missing) < len(_texts(split, root)):
            raise FileNotFoundError(failure)
        notice(f"going on with the built-in demo set, for there are {failure}")
    folder = root / "demo"
    if _missing("balanced", folder):
        with locked(folder):
            write_demo(folder)
    return "demo", folder


def write_demo(folder):
    """Draws the demo set into `folder`, as ubyte files with Balanced's own names and layout."""
    from demo import draw_demo_set

    notice(f"drawing the demo set in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    mapping = "".join(f"{label} {ord(name)}\n" for label, name in CLASSES["balanced"].items())
    with replacing(folder / "emnist-balanced-mapping.txt") as unfinished:
        unfinished.write_text(mapping)
    for part, (x, y) in zip(PARTS, draw_demo_set()):
        images, labels = (folder / f"emnist-balanced-{part}-{kind}-ubyte" for kind in KINDS)
        _write_idx(images, x.transpose(0, 2, 1))  # NIST's files hold each image transposed
        _write_idx(labels, y)


# ---- the download


def download(
    split="balanced",
    data_root=None,
    urls=URLS,
    checksums=CHECKSUMS,
    pauses=PAUSES,
    timeout=(10, 30),
):
    """Fetches those of a split's files that are not in DATA_ROOT, out of NIST's zip of all splits.

    Nothing else of the zip is fetched, unless the server knows no range requests: it sends the
    whole zip, and the rest is thrown away. A gzip.zip in DATA_ROOT is used before any address. A
    file gets its name when it has been checked; those that are there already are checked as well.

    Args:
        split, data_root: as for load_emnist.
        urls: addresses of the zip, tried in this order.
        checksums: dict of file name to md5.
        pauses: seconds, before each further try at an address.
        timeout: seconds to wait for a connection, and for the next bytes of an answer.

    Returns:
        The paths of the files that were not there before.

    Raises:
        OSError: they cannot be fetched or written; says why for each address, and what to do.
        ValueError: a file that is there is not NIST's; names it.
    """
    root = resolve_root(data_root)
    _check_split(split)
    with locked(root):
        wanted = [*_ubytes(split, root), _mapping(split, root)]
        for path in wanted:
            if path.exists():
                _verify(path, path, split, checksums)
        lacking = [path for path in wanted if not path.exists()]
        by_hand = root / "gzip.zip"
        if lacking and by_hand.exists():
            try:
                with zipfile.ZipFile(by_hand) as archive:
                    _unpack(archive, lacking, split, checksums)
            except BAD_ZIP as error:
                raise ValueError(
                    f"{by_hand}: {_reason(error)}; get it again or remove it"
                ) from error
        elif lacking:
            _fetch(urls, lacking, split, checksums, pauses, timeout)
    return lacking


BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)


def _fetch(urls, lacking, split, checksums, pauses, timeout):
    import requests
    from remotezip import RemoteZipError
    from urllib3.exceptions import HTTPError

    failures = []
    for url in urls:
        for pause in (*pauses, None):
            try:
                with _open_remote(url, lacking[0].parent, timeout) as archive:
                    still = [path for path in lacking if not path.exists()]
                    _unpack(archive, still, split, checksums)
                return notice(f"downloaded {split} from {url}")
            except (requests.RequestException, HTTPError, RemoteZipError, *BAD_ZIP) as error:
                failure = f"{url}: {_reason(error)}"
                if pause is None or _is_hopeless(error):
                    failures.append(failure)
                    break
            notice(f"{failure}; trying again in {pause} s")
            time.sleep(pause)
    raise OSError(
        f"cannot download {split} ({'; '.join(failures)}): try again later, or put gzip.zip, got "
        f"elsewhere, into {lacking[0].parent}, or use autoencoder.py train --data demo"
    )


@contextlib.contextmanager
def _open_remote(url, folder, timeout):
    """Gives NIST's zip at an address, opened: its parts are fetched as they are read, if possible."""
    import requests
    from remotezip import RemoteZip

    headers = {"Accept-Encoding": "identity"}
    first = {**headers, "Range": "bytes=0-3"}
    with requests.get(url, headers=first, stream=True, timeout=timeout) as answer:
        start = answer.raw.read(4)
        if not answer.ok or start != b"PK\3\4":
            said = (
                "sent no zip, but a web page or the like" if answer.ok else f"said {answer.reason}"
            )
            raise requests.HTTPError(f"the server {said} ({answer.status_code})", response=answer)
        if answer.status_code == 206:
            with RemoteZip(answer.url, headers=headers, timeout=timeout) as archive:
                yield archive
            return
        size = int(answer.headers.get("Content-Length", 0))
        with temporary(folder / "gzip.zip") as path, open(path, "w+b") as whole:
            whole.write(start)
            with _progress(f"all of {url}", size) as bar:
                for block in iter(lambda: answer.raw.read(1 << 18), b""):
                    bar.update(whole.write(block))
                    if whole.tell() > LARGEST_ZIP:
                        raise zipfile.BadZipFile("longer than NIST's zip can be")
            with zipfile.ZipFile(whole) as archive:
                yield archive


def _unpack(archive, paths, split, checksums):
    """Takes files out of an opened zip; each gets its name when it is whole and right."""
    members = [archive.getinfo(f"gzip/{path.name}") for path in paths]
    for member in members:
        if member.file_size > LARGEST_MEMBER:
            raise zipfile.BadZipFile(f"{member.filename} claims {member.file_size:,} bytes")
    with _progress(split, sum(member.file_size for member in members)) as bar:
        for path, member in zip(paths, members):
            with replacing(path) as unfinished:
                with archive.open(member) as source, open(unfinished, "wb") as target:
                    for block in iter(lambda: source.read(1 << 18), b""):
                        bar.update(target.write(block))
                _verify(unfinished, path, split, checksums)


def _progress(label, length):
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)


def _verify(path, name, split, checksums):
    """ValueError where the file at `path`, called `name`, is not NIST's."""
    if name == _mapping(split, name.parent):
        right = _read_mapping(path, name) == CLASSES[split]
    elif name.suffix == ".gz":
        with open(path, "rb") as file:
            right = hashlib.file_digest(file, "md5").hexdigest() == checksums[name.name]
    else:
        right = True  # unpacked by hand; convert_idx.sh will check it
    if not right:
        raise ValueError(f"{name} is not NIST's file, or was damaged; remove it and download again")


def _reason(error):
    """What went wrong with a download, in a few words."""
    import requests
    from urllib3 import exceptions

    error = error.__context__ if type(error).__name__ == "RemoteIOError" else error
    words = (
        (requests.exceptions.SSLError, "its certificate is not to be trusted"),
        ((requests.Timeout, exceptions.TimeoutError), "no answer in time"),
        (requests.ConnectionError, "no connection"),
        (exceptions.HTTPError, "the answer broke off"),
        (EOFError, "the answer broke off"),
    )
    plain = str(error.args[0] if isinstance(error, KeyError) else error)
    return next((said for kind, said in words if isinstance(error, kind)), plain)


def _is_hopeless(error):
    """Whether an address need not be tried again: not there, or it gives something else."""
    import requests
    from urllib3.exceptions import MaxRetryError

    if isinstance(error, requests.HTTPError):
        return error.response.status_code < 500
    if isinstance(error, requests.ConnectionError):
        return isinstance(error.args[0], MaxRetryError)  # no connection at all
    return isinstance(error, requests.RequestException) and isinstance(error, ValueError)  # no URL


# ---- a person's own handwriting


def read_character(path):
    """A picture of one character, a photo or a scan, in EMNIST's form: (28, 28) float32.

    Dark on light or light on dark, of any size. As EMNIST's authors did (arXiv:1702.05373): blurred,
    cropped to the ink, put into a square's middle with a margin, and made small. The paper's shade
    and light are taken out before.

    Returns:
        The character, upright, in [0, 1], its darkest ink 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture, or shows no ink; names it.
    """
    from PIL import Image
    from scipy import ndimage

    light = _read_grey(path)
    light = ndimage.gaussian_filter(light, max(light.shape) / 250)
    ink = _light_of_paper(light) - light
    noise = np.median(np.abs(ink))  # most of a picture is paper
    if (ink**3).sum() < 0:  # light ink on dark paper
        ink = -ink
    level = np.median(ink[ink >= ink.max() / 2])
    if not level >= max(12 * noise, 10):
        raise ValueError(f"{path}: no ink to be seen; a picture of one character is wanted")
    ink = np.clip((ink / level - 0.1) / 0.9, 0, 1)

    marks, count = ndimage.label(ink > 0.2, np.ones((3, 3)))
    sizes = ndimage.sum_labels(ink, marks, range(count + 1))
    sizes[0] = 0
    ink[~np.isin(marks, np.flatnonzero(sizes > 0.03 * sizes.max()))] = 0  # specks, not dots

    rows, columns = (np.flatnonzero((ink > 0).any(axis=axis)) for axis in (1, 0))
    low, high = np.array([columns[[0, -1]], rows[[0, -1]]]).T + [[0], [1]]
    half = (high - low).max() * IMAGE_SIZE / INK_SIZE / 2
    middle = (low + high) / 2 + (margin := int(half) + 1)
    box = (*(middle - half), *(middle + half))
    square = Image.fromarray(np.pad(ink, margin))
    small = np.asarray(square.resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC, box)).clip(0, 1)
    return small / small.max()


def _read_grey(path, longest=512):
    """The light of a picture's pixels, 0..255 as float32, at most `longest` pixels a side."""
    from PIL import Image, ImageOps

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        too_large = Image.DecompressionBombWarning
        with (
            warnings.catch_warnings(action="error", category=too_large),
            Image.open(path) as picture,
        ):
            if picture.mode.startswith(("I", "F")):  # 16 bits and more: convert would cut them off
                grey = np.asarray(picture, np.float32)
                grey = 255 * (grey - grey.min()) / max(np.ptp(grey), 1)
                picture = Image.fromarray(grey).convert("L")
            picture = ImageOps.exif_transpose(picture)
            picture.thumbnail((longest, longest), Image.Resampling.BOX)
            grey, alpha = np.float32(picture.convert("LA")).transpose(2, 0, 1)
    except Exception as error:  # Pillow raises whatever the damage leads to
        raise ValueError(f"{path}: not a picture that can be read: {error}") from error
    opaque = alpha / 255
    under = 255 if (grey * opaque).sum() < 128 * opaque.sum() else 0  # what is not drawn is paper
    return grey * opaque + under * (1 - opaque)


def _light_of_paper(light):
    """The paper's own light in each pixel: a smooth surface through the greater part of them."""
    from PIL import Image

    def terms(shape):
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
        return np.stack([x * 0 + 1, x, y, x * x, x * y, y * y], axis=-1, dtype=np.float32)

    few = np.asarray(Image.fromarray(light).resize((48, 48), Image.Resampling.BOX)).ravel()
    known = terms((48, 48)).reshape(-1, 6)
    off = few - np.median(few)
    for _ in range(20):  # the further a pixel is off, the less it weighs: ink is far off
        weighted = known.T / (1 + (off / (1.5 * np.median(np.abs(off)) + 1e-3)) ** 2)
        surface = np.linalg.solve(weighted @ known, weighted @ few)
        off = few - known @ surface
    return terms(light.shape) @ surface


# ---- from ubyte files to arrays


def _make_cache(split, root):
    """The four arrays of a split, and its cache where DATA_ROOT can be written to."""
    names = [*_ubytes(split, root), *_texts(split, root), _mapping(split, root)]
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
    if not path.exists() or _is_older(path, _texts(split, root) + _ubytes(split, root)):
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


def _read_mapping(path, name):
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


def _ubytes(split, root):
    """The ubyte file that convert_idx.sh reads for each stem: plain wins over .gz."""
    return [s if s.exists() else s.with_name(f"{s.name}.gz") for s in _stems(split, root)]


def _mapping(split, root):
    return root / f"emnist-{split}-mapping.txt"


def _missing(split, root, cache_will_do=True):
    """The ubyte files that are wanted: neither they nor their text are there, nor the cache."""
    if cache_will_do and (root / f"emnist-{split}.npz").exists():
        return []
    pairs = zip(_ubytes(split, root), _texts(split, root))
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


def _check_split(split):
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
    from pictures import draw_strips

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
