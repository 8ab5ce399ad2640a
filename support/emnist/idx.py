"""NIST's file formats: idx files, and the mapping of labels to characters.

An idx file holds a magic number, a size for each axis (four bytes each, big-endian), and then a
byte for each number. NIST's images lie in it column by column.
"""

import os
import struct
import subprocess
from pathlib import Path

import numpy as np

from support.console import InputError
from support.files import replacing

IMAGE_SIZE = 28  # pixels a side
SCRIPT = Path(__file__).resolve().parents[2] / "convert_idx.sh"


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
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        message = os.fsdecode(done.stderr)
        raise InputError("; ".join(message.splitlines()) or f"{SCRIPT} failed")


def read_mapping(path):
    """Reads a mapping file, `LABEL ASCII` a line: dict of int to str, in the order of the labels.

    Further columns are ignored: in letters a third one has the lower case.

    Raises:
        InputError: a line holds anything else; names it.
    """
    names = {}
    lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            label, code = map(int, line.split()[:2])
            names[label] = chr(code)
        except (ValueError, OverflowError):
            raise InputError(
                f"{path}, line {number}: expected LABEL ASCII, two numbers; get the file again"
            ) from None
    if not names:
        raise InputError(f"{path}: empty, expected a line LABEL ASCII for each class")
    return dict(sorted(names.items()))
