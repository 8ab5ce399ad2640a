"""NIST's file formats: idx files, their text, and the mapping of labels to characters."""

import contextlib
import os
import struct
import subprocess
import time
import warnings
from pathlib import Path

import numpy as np

from support.console import InputError, progress_bar
from support.files import replacing

SCRIPT = Path(__file__).resolve().parents[2] / "convert_idx.sh"
TEXT_OF_PIXEL = 2.5  # bytes, roughly: a digit and a space for paper, more for ink
GLANCE = 0.2  # seconds between two looks at how much text there is


def write_idx(path, array):
    """Writes a uint8 array as idx: magic number (2049 for 1 axis, 2051 for 3), sizes, bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    with replacing(path) as partial:
        partial.write_bytes(header + array.astype(np.uint8).tobytes())


def convert(folder, split, text_folder, files):
    """Turns a split's idx files in `folder` into text in `text_folder`, by convert_idx.sh.

    files: the paths of these idx files, whose sizes tell the progress bar how long it will take;
        none if there are only texts.

    Raises:
        InputError: the script failed; the message is the script's own.
    """
    command = ["bash", SCRIPT, "--force", folder, split, text_folder]
    expected = round(TEXT_OF_PIXEL * sum(_unpacked_size(path) for path in files))
    start = time.time()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",  # paths in messages may hold any bytes
    )
    label = f"converting {split}" if files else None
    with process, progress_bar(label, expected) as bar:
        try:
            message = _wait(process, text_folder, start, bar)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise InputError("; ".join(message.splitlines()) or f"{SCRIPT} failed")


def _wait(process, folder, start, bar):
    """Waits for the script, and moves the bar as text is written. Returns its words on stderr."""
    written = 0
    while True:
        try:
            _, message = process.communicate(timeout=GLANCE)
        except subprocess.TimeoutExpired:
            before = written
            written = _written_since(folder, start)
            bar.update(written - before)
        else:
            return message


def _unpacked_size(path):
    """Bytes of a file without its compression: gzip keeps their number in the last four."""
    if path.suffix != ".gz":
        return path.stat().st_size
    with open(path, "rb") as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(), "little")


def _written_since(folder, start):
    """Bytes of the files in a folder that were written since a time."""
    written = 0
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just got its final name
            status = path.stat()
            if status.st_mtime >= start:
                written += status.st_size
    return written


def read_numbers(path, columns):
    """Reads a text of numbers 0..255: (lines, columns) uint8.

    Raises:
        InputError: the text holds anything else; names the first bad line.
    """
    count = _count_lines(path)
    try:
        with (
            open(path, encoding="latin-1") as file,
            progress_bar(f"reading {path.name}", count, file) as lines,
            warnings.catch_warnings(action="ignore"),  # about an empty file, refused below
        ):
            numbers = np.loadtxt(lines, np.uint8, comments=None, ndmin=2)
    except ValueError:
        numbers = np.empty((0, columns), np.uint8)
    # loadtxt skips blank lines, and its messages do not always count lines the same way.
    if len(numbers) == 0 or numbers.shape != (count, columns):
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
