"""File formats between NIST's files and arrays: idx, text of numbers, mapping of labels."""

import struct
import subprocess
import warnings

import numpy as np

from support.console import InputError
from support.files import replacing


def write_idx(path, array):
    """Writes a uint8 array as idx: magic number (2049 for 1 axis, 2051 for 3), sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    with replacing(path) as unfinished:
        unfinished.write_bytes(header + array.astype(np.uint8).tobytes())


def convert(script, *arguments):
    """Runs the shell script that turns idx files into text; ends it if this process ends.

    Raises:
        InputError: the script failed; the message is the script's own.
    """
    command = ["bash", str(script), "--", *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            _, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise InputError("; ".join(errors.splitlines()) or f"{script} failed")


def read_images(images, labels, columns, names):
    """Reads a text of images and the text of their labels: (N, columns) uint8 and (N,) uint8.

    Raises:
        InputError: a text is bad, one is longer, or a label is not in `names`; names the line.
    """
    x, y = read_numbers(images, columns), read_numbers(labels, 1)[:, 0]
    if len(x) != len(y):
        lines = f"{images} has {len(x)} lines, but {labels} has {len(y)}"
        raise InputError(f"{lines}; get both files again, from one place")
    strange = ~np.isin(y, list(names))
    if strange.any():
        line = strange.argmax()
        fault = f"line {line + 1}: {y[line]} is not a label of the split"
        raise InputError(f"{labels}, {fault}; get the file again")
    return x, y


def read_numbers(path, columns):
    """Reads a text of numbers 0..255: (lines, columns) uint8.

    Raises:
        InputError: the text holds anything else; names the first bad line.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about an empty file, refused below
            numbers = np.loadtxt(path, np.uint8, comments=None, ndmin=2, encoding="latin-1")
    except ValueError:
        numbers = np.empty((0, columns), np.uint8)
    # loadtxt skips blank lines, and its messages do not always count lines the same way.
    if not len(numbers) or numbers.shape != (_count_lines(path), columns):
        raise InputError(f"{path}{_first_fault(path, columns)}; {_remedy(path)}")
    return numbers


def _count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _remedy(text):
    ubyte = text.with_name(f"{text.name.removesuffix('txt')}ubyte")
    if ubyte.exists() or ubyte.with_name(f"{ubyte.name}.gz").exists():
        return "delete it to rebuild it"
    return "get the file again"


def _first_fault(path, columns):
    longest = 8 * columns + 8  # bytes; a longer line is bad, and might not fit into memory
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(longest), b""), start=1):
            fields = line.split()
            if len(fields) != columns or not line.endswith(b"\n"):
                return f", line {number}: expected {columns} numbers and an end of line"
            for field in fields:
                if not (field.isdigit() and len(field) < 4 and int(field) < 256):
                    return f", line {number}: {field.decode('latin-1')[:20]!r} is not 0..255"
    return f": expected lines of {columns} numbers 0..255"


def read_mapping(path):
    """Reads a mapping file, `LABEL ASCII` a line: dict of int to str, in the order of the labels.

    A third column is ignored.

    Raises:
        InputError: a line holds anything else, or repeats a label or character; names the line.
    """
    names = {}
    for number, line in enumerate(path.read_text("latin-1").splitlines(), start=1):
        fields = line.split()
        if not (2 <= len(fields) <= 3 and all(f.isdecimal() and len(f) < 4 for f in fields)):
            raise InputError(f"{path}, line {number}: expected LABEL ASCII, two numbers")
        label, code = int(fields[0]), int(fields[1])
        if not 32 < code < 127:
            raise InputError(f"{path}, line {number}: {code} is not the ASCII code of a character")
        if label in names or chr(code) in names.values():
            raise InputError(f"{path}, line {number}: this label or character occurs twice")
        names[label] = chr(code)
    if not names:
        raise InputError(f"{path}: empty, expected a line LABEL ASCII for each class")
    return dict(sorted(names.items()))
