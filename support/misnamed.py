"""Files that look like EMNIST, but have other names than NIST's or lie in other folders."""

import re

ZIP_NAMES = ("gzip.zip", "emnist-gzip.zip")  # NIST's zip and that of its mirror
BINARY_FILE = r"emnist-\w+-(?:train|test)-(?:images-idx3|labels-idx1)-ubyte(?:\.gz)?"
DOTTED_NAME = r"(emnist-\w+-\w+-(?:images|labels))[.-]idx([13])[.-]ubyte(\.gz)?"
OTHER_FORMATS = (".csv", ".csv.gz", ".mat", ".parquet")
DEPTH = ("*", "*/*", "*/*/*")


def find_misnamed(folder):
    """Looks for EMNIST in a data folder and up to two folders deeper.

    Returns:
        A list of sentences, each of which names a file and says what to do with it.
    """
    sentences = []
    for pattern in DEPTH:
        for path in sorted(folder.glob(pattern)):
            place = path.relative_to(folder).parts[:-1]
            if "demo" not in place:
                sentences.append(_advice(path, place))
    return [sentence for sentence in sentences if sentence]


def _advice(path, place):
    """What to do with a file; None if it is in order, or does not look like EMNIST.

    place: the names of the folders that the file is in, below the data folder.
    """
    name = path.name.lower()
    dotted = re.fullmatch(DOTTED_NAME, name)
    is_misnamed = "ubyte" in name or ("emnist" in name and name.endswith(OTHER_FORMATS))
    is_other_zip = name.endswith(".zip") and not place and name not in ZIP_NAMES

    if re.fullmatch(BINARY_FILE, path.name):
        if path.is_dir():
            return f"{path} is a folder: move the file in it to {path.parent}"
        if place in ((), ("gzip",)) or re.fullmatch(BINARY_FILE, path.parent.name):
            return None
        return f"There is {path}: give its folder with --data-root"
    if dotted:
        stem, axes, packed = dotted.groups(default="")
        return f"There is {path}: rename it {stem}-idx{axes}-ubyte{packed}"
    if is_misnamed or is_other_zip:
        return f"There is {path}: only NIST's ubyte files are read, or its zip, named gzip.zip"
    return None
