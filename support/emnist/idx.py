"""NIST's file formats: idx files, their text, and the mapping of labels to characters."""

import struct
import subprocess
from pathlib import Path

import numpy as np

from support.console import InputError
from support.files import replacing

IMAGE_SIZE = 28  # pixels a side
SCRIPT = Path(__file__).resolve().parents[2] / "convert_idx.sh"

# ---- idx files


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


# ---- their text


def check_lines(path, columns):
    """Checks that each line of a text holds so many numbers 0..255.

    Raises:
        InputError: names the first bad line.
    """
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split()
            if len(fields) != columns or not line.endswith(b"\n"):
                raise InputError(
                    f"{path}, line {number}: expected {columns} numbers and an end of line; get "
                    "the file again"
                )
            for field in fields:
                if not (field.isdigit() and len(field) <= 3 and int(field) <= 255):
                    word = field.decode("latin-1")[:20]
                    raise InputError(
                        f"{path}, line {number}: {word!r} is not 0..255; get the file again"
                    )


# ---- the mapping


def write_mapping(path, names):
    """Writes a mapping file from a dict of label to character."""
    lines = [f"{label} {ord(name)}\n" for label, name in names.items()]
    with replacing(path) as partial:
        partial.write_text("".join(lines), "utf-8")


def read_mapping(path):
    """Reads a mapping file, `LABEL ASCII` a line: dict of int to str, in the order of the labels.

    A third column is ignored (in letters it has the lower case), and so are blank lines.

    Raises:
        InputError: a line holds anything else, or repeats a label or character; names the line.
    """
    names = {}
    text = path.read_text("utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        place = f"{path}, line {number}"
        are_numbers = all(field.isascii() and field.isdigit() for field in fields)
        if len(fields) not in (2, 3) or not are_numbers:
            raise InputError(f"{place}: expected LABEL ASCII, two numbers")
        label, code = int(fields[0]), int(fields[1])
        if not 32 < code < 127:
            raise InputError(f"{place}: {code} is not the ASCII code of a character")
        if label in names or chr(code) in names.values():
            raise InputError(f"{place}: this label or character occurs twice")
        names[label] = chr(code)
    if not names:
        raise InputError(f"{path}: empty, expected a line LABEL ASCII for each class")
    return dict(sorted(names.items()))
