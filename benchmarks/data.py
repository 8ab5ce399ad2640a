"""What it costs to turn EMNIST's files into arrays: od, parse, cache, load, and two shortcuts.

    python benchmarks/data.py --data-root data  # needs the split's ubyte files, plain or .gz

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

from dataset import (
    IMAGE_SIZE,
    PARTS,
    Split,
    data_root_option,
    load_emnist,
    read_texts,
    split_in,
    split_option,
)
from support.console import CONTEXT_SETTINGS
from support.emnist.idx import SCRIPT
from support.files import save_npz, stamp

IMAGES_HEADER = 16  # bytes before the pixels in an idx file of images


class Steps:
    """The steps from the ubyte files of a Split to arrays; each needs those before it."""

    def __init__(self, split):
        self.split = split
        self.arrays = {}  # by name
        self.train_images = split.stem("train", "images-idx3")

    def convert(self):
        command = ["bash", SCRIPT, "--force", self.split.folder, self.split.name]
        subprocess.run(command, check=True)

    def parse(self):
        for part in PARTS:
            images = self.split.text(self.split.stem(part, "images-idx3"))
            labels = self.split.text(self.split.stem(part, "labels-idx1"))
            self.arrays[f"x_{part}"], self.arrays[f"y_{part}"] = read_texts(images, labels)

    def cache(self):
        sources = {path.name: stamp(path) for path in self.split.sources()}
        save_npz(self.split.cache, self.arrays, {"sources": sources, "fingerprint": ""})

    def load(self):
        load_emnist(self.split.name, self.split.folder)

    def loadtxt(self):
        np.loadtxt(self.split.text(self.train_images), np.uint8, comments=None)

    def frombuffer(self):
        """Training images (N, 28, 28) straight from the idx file: upright, float32 in [0, 1]."""
        path = self.split.ubyte(self.train_images)
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        pixels = np.frombuffer(content, np.uint8, offset=IMAGES_HEADER)
        upright = pixels.reshape(-1, IMAGE_SIZE, IMAGE_SIZE).transpose(0, 2, 1)
        return np.divide(upright, np.float32(255), dtype=np.float32, order="C")


def measure(split, rounds):
    """{step: its seconds in each round}, and the count of training images."""
    steps = Steps(split)
    functions = {
        "od: convert_idx.sh, four files": steps.convert,
        "parse: text to arrays, checked": steps.parse,
        "cache: arrays to npz": steps.cache,
        "load: load_emnist from the npz": steps.load,
        "np.loadtxt, training images": steps.loadtxt,
        "np.frombuffer, training images": steps.frombuffer,
    }
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, step in functions.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    x_train = steps.arrays["x_train"]
    assert np.array_equal(x_train, steps.frombuffer()), "np.frombuffer differs"
    return seconds, len(x_train)


@click.command(context_settings=CONTEXT_SETTINGS)
@data_root_option
@split_option
@click.option("--rounds", type=click.IntRange(1), default=3, help="Of all steps in turn.")
def main(data_root, split, rounds):
    """Print the seconds of each step from the binary files to arrays in memory."""
    given = split_in(data_root, split)
    files = [given.ubyte(stem) for stem in given.stems]
    if None in files:
        raise click.ClickException(f"{given.folder}: expected the four ubyte files of {split}")
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            (Path(folder) / path.name).symlink_to(path.resolve())
        seconds, count = measure(Split(split, Path(folder)), rounds)
    click.echo(f"{count:,} training images; medians of {rounds} rounds\n")
    click.echo("| step | seconds |")
    click.echo("|---|---|")
    for name, times in seconds.items():
        click.echo(f"| {name} | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
