"""Side jobs of dataset.py and autoencoder.py; nothing here imports these two."""

import importlib.util
import sys

INSTALL = "activate the environment (. .venv/bin/activate) or install requirements.txt"

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
for package in ("click", "numpy"):
    if importlib.util.find_spec(package) is None:
        sys.exit(f"{package} is not installed: {INSTALL}")
