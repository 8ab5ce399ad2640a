"""What it costs to turn EMNIST's files into arrays: od, parse, cache, load, and two shortcuts.

    python benchmarks/data.py --data-root data     # needs the split's ubyte files, plain or .gz

Works in a temporary folder that links to the files. The steps take turns, and the table shows their
medians. np.loadtxt reads only the text of the training images and checks nothing; np.frombuffer
reads their ubyte file, and must give the same array.
"""

import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dataset
from support.console import CONTEXT_SETTINGS
from support.files import save_npz


def from_ubyte(path):
    """Images (N, 28, 28) straight from an idx file, plain or .gz: upright, float32 in [0, 1]."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    x = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28).transpose(0, 2, 1)
    return np.divide(x, np.float32(255), dtype=np.float32, order="C")


def measure(split, root, rounds):
    """{step: its seconds in each round} with the ubyte files in `root`, and the training images."""
    images = dataset.ubyte_files(split, root)[0]
    text = root / f"emnist-{split}-train-images-idx3-txt"
    convert = ["bash", Path(dataset.__file__).with_name("convert_idx.sh"), "--force", root, split]
    made = []  # the arrays by name, and the note of the files they were made from
    steps = {
        "od: convert_idx.sh, four files": lambda: subprocess.run(convert, check=True),
        "parse: text to arrays, checked": lambda: made.extend(dataset.read_texts(split, root)),
        "cache: arrays to npz": lambda: save_npz(root / f"emnist-{split}.npz", *made[-2:]),
        "load: load_emnist from the npz": lambda: dataset.load_emnist(split, root),
        "np.loadtxt, training images": lambda: np.loadtxt(text, np.uint8, comments=None),
        "np.frombuffer, training images": lambda: from_ubyte(images),
    }
    seconds = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    x = made[-2]["x_train"]
    assert np.array_equal(x, from_ubyte(images)), "np.frombuffer differs"
    return seconds, len(x)


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the files.")
@click.option("--split", type=click.Choice(list(dataset.CLASSES)), default="balanced")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Of all steps in turn.")
def main(data_root, split, rounds):
    """Print the seconds of each step from the binary files to arrays in memory."""
    files = dataset.ubyte_files(split, Path(data_root))
    if not all(path.exists() for path in files):
        raise click.ClickException(f"{data_root}: expected the four ubyte files of {split} there")
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            (Path(folder) / path.name).symlink_to(path.resolve())
        seconds, count = measure(split, Path(folder), rounds)
    click.echo(f"{count:,} training images; medians of {rounds} rounds\n")
    click.echo("| step | seconds |\n|---|---|")
    for name, times in seconds.items():
        click.echo(f"| {name} | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
