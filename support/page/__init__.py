"""The templates of the pages, and how they are filled in."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def read(name):
    """The text of a file of this folder."""
    return FOLDER.joinpath(name).read_text("utf-8")


def fill(name, values):
    """The page `name` with each {{key}} replaced by values[key], in one pass.

    Values are not searched for keys, so they may hold braces. The caller escapes them.
    """
    return re.sub(r"{{(\w+)}}", lambda match: values[match[1]], read(name))
