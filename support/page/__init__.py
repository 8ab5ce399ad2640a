"""The templates of the pages, and how they are filled in."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def fill(name, values):
    """The template `name` of this folder, filled in.

    {{key}} becomes values[key], which the caller escapes. {{file.js}} becomes that file of this
    folder, filled in like the template.
    """

    def replacement(match):
        key = match[1]
        return fill(key, values) if "." in key else values[key]

    return re.sub(r"{{([\w.]+)}}", replacement, FOLDER.joinpath(name).read_text("utf-8"))
