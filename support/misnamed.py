"""Files that look like EMNIST under names that are not NIST's, and what to do with them."""

import re

ZIP_NAMES = ("gzip.zip", "emnist-gzip.zip")  # NIST's zip and that of its mirror


def find_misnamed(folder, stem):
    """Looks for EMNIST under other names, or in other folders: a list of (path, advice).

    stem: how the name of a file of the wanted split begins.
    """
    found = []
    for path in sorted(folder.glob("*")) + sorted(folder.glob("gzip/*")):
        advice = _advice(path)
        if advice:
            found.append((path, advice))
    for pattern in ("*", "*/*"):
        for path in sorted(folder.glob(f"{pattern}/{stem}-ubyte*")):
            name = path.parent.name
            if name not in ("gzip", "demo") and not name.startswith("emnist-"):
                found.append((path, f"use --data-root {path.parent}"))
    return found


def _advice(path):
    """What to do with a file of this name; None if it does not look like EMNIST misnamed."""
    name = path.name.lower()
    parts = re.fullmatch(r"(emnist-.*-(?:images|labels))[.-]idx([13])[.-]ubyte(\.gz)?", name)
    if parts:
        stem, axes, packed = parts.groups(default="")
        right = f"{stem}-idx{axes}-ubyte{packed}"
        if path.is_dir():
            return f"it is a folder; move the file in it to {path.parent}"
        return None if path.name == right else f"rename it {right}"
    if "emnist" in name and name.endswith((".csv", ".mat")):
        return "only NIST's ubyte files are read"
    if name.endswith(".zip") and ("gzip" in name or "emnist" in name) and name not in ZIP_NAMES:
        return "if it is NIST's zip of ubyte files, rename it gzip.zip"
    return None
