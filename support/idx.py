"""NIST's file formats: idx files, their text, and the mapping of labels to characters."""

import struct
import subprocess
import warnings
from pathlib import Path

import numpy as np

from support.console import InputError
from support.files import replacing

SCRIPT = Path(__file__).resolve().parent.parent / "convert_idx.sh"


def write_idx(path, array):
    """Writes a uint8 array as idx: magic number (2049 for 1 axis, 2051 for 3), sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    with replacing(path) as partial:
        partial.write_bytes(header + array.astype(np.uint8).tobytes())


def convert(folder, split, text_folder):
    """Turns a split's idx files in `folder` into text in `text_folder`, by convert_idx.sh.

    Raises:
        InputError: the script failed; the message is the script's own.
    """
    command = ["bash", SCRIPT, "--force", folder, split, text_folder]
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",  # paths in messages may hold any bytes
        check=False,
    )
    if done.returncode:
        raise InputError("; ".join(done.stderr.splitlines()) or f"{SCRIPT} failed")


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
    if len(numbers) == 0 or numbers.shape != (_count_lines(path), columns):
        raise InputError(f"{path}{_first_fault(path, columns)}; get the file again")
    return numbers


def _count_lines(path):
    with open(path, "rb") as file:
        return sum(line.endswith(b"\n") for line in file)


def _first_fault(path, columns):
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split()
            if len(fields) != columns or not line.endswith(b"\n"):
                return f", line {number}: expected {columns} numbers and an end of line"
            for field in fields:
                if not (field.isdigit() and len(field) <= 3 and int(field) <= 255):
                    return f", line {number}: {field.decode('latin-1')[:20]!r} is not 0..255"
    return f": expected lines of {columns} numbers 0..255"


def write_mapping(path, names):
    """Writes a mapping file from a dict of label to character."""
    lines = [f"{label} {ord(name)}\n" for label, name in names.items()]
    with replacing(path) as partial:
        partial.write_text("".join(lines), "utf-8")


def read_mapping(path):
    """Reads a mapping file, `LABEL ASCII` a line: dict of int to str, in the order of the labels.

    A third column is ignored, and so are blank lines and a byte order mark.

    Raises:
        InputError: a line holds anything else, or repeats a label or character; names the line.
    """
    names = {}
    text = path.read_text("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        label, code = _read_mapping_line(line, f"{path}, line {number}")
        if label in names or chr(code) in names.values():
            raise InputError(f"{path}, line {number}: this label or character occurs twice")
        names[label] = chr(code)
    if not names:
        raise InputError(f"{path}: empty, expected a line LABEL ASCII for each class")
    return dict(sorted(names.items()))


def _read_mapping_line(line, place):
    fields = line.split()
    are_numbers = all(field.isascii() and field.isdigit() for field in fields)
    if len(fields) not in (2, 3) or not are_numbers:
        raise InputError(f"{place}: expected LABEL ASCII, two numbers")
    label, code = int(fields[0]), int(fields[1])
    if not 32 < code < 127:
        raise InputError(f"{place}: {code} is not the ASCII code of a character")
    return label, code
