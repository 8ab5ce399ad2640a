"""What it costs to turn EMNIST's files into arrays: od, parse, cache, load, and two short cuts.

    python benchmarks/data.py --data-root data     # needs the split's ubyte files, plain or .gz

Works in a temporary folder that links to the files. Each round takes every step in turn; the table
shows the medians. np.loadtxt reads the images' text alone and checks nothing; np.frombuffer reads
the ubyte file of the training images and gives the same array, which is verified.
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

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import dataset


def from_ubyte(path):
    """Images (N, 28, 28) straight from an idx file, plain or .gz: upright, float32 in [0, 1]."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    x = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28).transpose(0, 2, 1)
    return np.divide(x, np.float32(255), dtype=np.float32, order="C")


@click.command(context_settings=dataset.SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the files.")
@click.option("--split", type=click.Choice(list(dataset.CLASSES)), default="balanced")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Of all steps in turn.")
def main(data_root, split, rounds):
    """Print the seconds of each step from the binary files to arrays in memory."""
    files = [path for path in dataset.ubyte_files(split, Path(data_root)) if path.exists()]
    if len(files) < 4:
        raise click.ClickException(f"{data_root}: the split's four ubyte files are wanted")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in files:
            (root / path.name).symlink_to(path.resolve())
        train = files[0]
        text = root / f"emnist-{split}-train-images-idx3-ubyte-txt"
        cache = root / f"emnist-{split}.npz"
        arrays = {}

        def convert():
            command = ["bash", PROJECT / "convert_idx.sh", "--force", root, split]
            subprocess.run(command, check=True)

        def parse():
            nonlocal arrays
            arrays = dataset._parse(split, root)

        steps = {
            "od: convert_idx.sh, four files": convert,
            "parse: text to arrays, checked": parse,
            "cache: arrays to npz": lambda: np.savez(cache, **arrays),
            "load: load_emnist from the npz": lambda: dataset.load_emnist(split, root),
            "np.loadtxt, training images": lambda: np.loadtxt(text, np.uint8, comments=None),
            "np.frombuffer, training images": lambda: from_ubyte(train),
        }
        seconds = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                start = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - start)
        x = arrays["x_train"]
        assert np.array_equal(x, from_ubyte(train)), "np.frombuffer gives other images"
        size = text.stat().st_size / 1e6
    click.echo(f"{len(x):,} training images, {size:.0f} MB as text; medians of {rounds} rounds\n")
    click.echo("| step | seconds |\n|---|---|")
    for name, times in seconds.items():
        click.echo(f"| {name} | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
